#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/result.h"

namespace drystone {

// Reads the fields of a JSON object that came from another node, one by one, and keeps the first
// mistake. `out` is left alone where a field is absent or wrong.
class JsonFields {
 public:
  // Borrows `value`. `what`: for messages, "placement". Anything but an object is a mistake.
  JsonFields(const boost::json::value& value, std::string what);

  // Null when absent; each name that was asked for is known.
  const boost::json::value* find(std::string_view name);
  // Null, and a mistake, when absent or of another kind.
  const boost::json::value* need(std::string_view name);
  const boost::json::array* need_array(std::string_view name, std::size_t items_max);

  // Integers in [min, max].
  template <typename Integer>
  void integer(std::string_view name, Integer& out, std::uint64_t min, std::uint64_t max) {
    if (const auto* value = need(name))
      if (const auto number = whole(name, *value, min, max)) out = static_cast<Integer>(*number);
  }
  template <typename Integer>
  void maybe_integer(std::string_view name, Integer& out, std::uint64_t min, std::uint64_t max) {
    if (find(name) != nullptr) integer(name, out, min, max);
  }
  template <typename Integer>
  void maybe_integer(std::string_view name, std::optional<Integer>& out, std::uint64_t min,
                     std::uint64_t max) {
    if (const auto* value = find(name))
      if (const auto number = whole(name, *value, min, max)) out = static_cast<Integer>(*number);
  }
  // Finite numbers in [min, max].
  void number(std::string_view name, double& out, double min, double max);
  void maybe_number(std::string_view name, std::optional<double>& out, double min, double max);
  void boolean(std::string_view name, bool& out);
  // Valid UTF-8 of at most `bytes_max` bytes without control characters; may be empty.
  void string(std::string_view name, std::string& out, std::size_t bytes_max);
  void maybe_string(std::string_view name, std::string& out, std::size_t bytes_max);

  void fail(std::string_view name, std::string_view problem);
  void fail(Error error);
  bool ok() const { return !error_; }

  // The first mistake.
  Result<void> finish();
  // A field that nobody asked for is one, too.
  Result<void> finish_strictly();

 private:
  std::optional<std::uint64_t> whole(std::string_view name, const boost::json::value& value,
                                     std::uint64_t min, std::uint64_t max);

  const boost::json::object* object_ = nullptr;
  const std::string what_;
  std::set<std::string, std::less<>> known_;
  std::optional<Error> error_;
};

// Text that JsonFields::string() takes: without control characters, at most `bytes_max`, cut
// between characters.
std::string one_line(std::string_view text, std::size_t bytes_max);

// JSON from foreign bytes: at most `bytes_max`, 32 levels deep, nothing behind it.
// Errors: limit, corrupt.
Result<boost::json::value> parse_json(std::string_view text, std::size_t bytes_max,
                                      std::string_view what);

}  // namespace drystone
