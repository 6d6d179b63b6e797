#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

// Strict reading of JSON that came from outside.
namespace drystone {

constexpr std::uint64_t kJsonNumberMax = (std::uint64_t{1} << 53) - 1;  // exact everywhere

// Reads the fields of a JSON object one by one, and keeps the first mistake. `out` is left alone
// where a field is absent or wrong. The names of fields are literals.
class JsonFields {
 public:
  // Borrows `value`. `what`: for messages, "placement". Anything but an object is a mistake.
  JsonFields(const boost::json::value& value, std::string what);

  // Null when absent; each name that was asked for is known.
  const boost::json::value* find(std::string_view name);
  bool has(std::string_view name) { return find(name) != nullptr; }
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
  void maybe_boolean(std::string_view name, bool& out);
  // Valid UTF-8 of at most `bytes_max` bytes; may be empty.
  void text(std::string_view name, std::string& out, std::size_t bytes_max);
  // ... without control characters.
  void string(std::string_view name, std::string& out, std::size_t bytes_max);
  void maybe_string(std::string_view name, std::string& out, std::size_t bytes_max);
  // Base32 in lower case; its length is that of `out`, which holds anything after a mistake.
  void bytes(std::string_view name, std::span<std::uint8_t> out);
  void hex64(std::string_view name, std::uint64_t& out);

  // Appends what `parse` makes of each element of an array: Result<T>(const boost::json::value&).
  template <typename T, typename Parse>
  void elements(std::string_view name, std::vector<T>& out, std::size_t items_max,
                const Parse& parse) {
    const boost::json::array* items = need_array(name, items_max);
    if (items == nullptr) return;
    out.reserve(items->size());
    for (std::size_t i = 0; i < items->size() && ok(); ++i) {
      auto element = parse((*items)[i]);
      if (!element) return fail_element(name, i, std::move(element).error());
      out.push_back(*std::move(element));
    }
  }
  template <typename T, typename Parse>
  void maybe_elements(std::string_view name, std::vector<T>& out, std::size_t items_max,
                      const Parse& parse) {
    if (has(name)) elements(name, out, items_max, parse);
  }

  void fail(std::string_view name, std::string_view problem);
  void fail(Error error);
  bool ok() const { return !error_; }

  // The first mistake so far.
  Result<void> finish();
  // A field that nobody asked for is one, too.
  Result<void> finish_strictly();

 private:
  std::optional<std::uint64_t> whole(std::string_view name, const boost::json::value& value,
                                     std::uint64_t min, std::uint64_t max);
  const boost::json::string* need_text(std::string_view name, std::size_t bytes_max);
  void fail_element(std::string_view name, std::size_t index, Error error);

  const boost::json::object* object_ = nullptr;
  const std::string what_;
  std::vector<std::string_view> known_;
  std::optional<Error> error_;
};

// A whole number from 0 to `max`. Errors: corrupt.
Result<std::uint64_t> json_number(const boost::json::value& value,
                                  std::uint64_t max = kJsonNumberMax);

// Text that JsonFields::string() takes: without control characters, at most `bytes_max`, cut
// between characters.
std::string one_line(std::string_view text, std::size_t bytes_max);

// JSON from foreign bytes, nothing behind it, in UTF-8; nested at most `depth_max` deep.
// `what`: for messages. Errors: limit, corrupt.
struct JsonLimits {
  std::size_t bytes_max = 0;
  std::size_t depth_max = 32;
};
Result<boost::json::value> parse_json(std::string_view text, const JsonLimits& limits,
                                      std::string_view what = "JSON");

// 16 hex digits, lower case.
std::string to_hex64(std::uint64_t value);
Result<std::uint64_t> from_hex64(std::string_view text);

}  // namespace drystone
