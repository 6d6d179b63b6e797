#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

// Strict reading of JSON that came from outside. All errors are `corrupt` and name the field.
namespace drystone::cluster {

constexpr std::uint64_t kJsonNumberMax = (std::uint64_t{1} << 53) - 1;  // exact everywhere

// One JSON value of at most `bytes_max` bytes, nested at most `depth_max` deep, in UTF-8.
struct JsonLimits {
  std::size_t bytes_max = 0;
  std::size_t depth_max = 8;
};
Result<boost::json::value> parse_json(std::string_view text, const JsonLimits& limits);

// The fields of an object. Borrows it.
class JsonFields {
 public:
  static Result<JsonFields> of(const boost::json::value& value);

  bool has(std::string_view name) const { return object_->contains(name); }
  Result<std::string_view> text(std::string_view name, std::size_t bytes_max) const;
  Result<std::uint64_t> number(std::string_view name, std::uint64_t max = kJsonNumberMax) const;
  Result<bool> flag(std::string_view name) const;
  // As base32; its length is that of `bytes`.
  Result<void> bytes(std::string_view name, std::span<std::uint8_t> bytes) const;
  Result<std::uint64_t> hex64(std::string_view name) const;
  Result<const boost::json::array*> array(std::string_view name, std::size_t size_max) const;
  // The array, or an empty one if there is no such field.
  Result<const boost::json::array*> array_or_none(std::string_view name,
                                                  std::size_t size_max) const;
  // That there are no others than these.
  Result<void> only(std::initializer_list<std::string_view> names) const;

 private:
  explicit JsonFields(const boost::json::object& object) : object_(&object) {}
  Result<const boost::json::value*> field(std::string_view name) const;

  const boost::json::object* object_;
};

Result<std::uint64_t> json_number(const boost::json::value& value,
                                  std::uint64_t max = kJsonNumberMax);

// 16 hex digits, lower case.
std::string to_hex64(std::uint64_t value);
Result<std::uint64_t> from_hex64(std::string_view text);

}  // namespace drystone::cluster
