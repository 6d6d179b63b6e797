#include "cluster/wire/json_fields.h"

#include <fmt/format.h>

#include <algorithm>

#include "cluster/wire/base32.h"

namespace drystone::cluster {
namespace {

namespace json = boost::json;

std::string_view view(json::string_view text) { return {text.data(), text.size()}; }

Error wrong(std::string_view name, std::string_view what) {
  return Error(Errc::corrupt, fmt::format("field {} {}", name, what));
}

}  // namespace

Result<json::value> parse_json(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.bytes_max)
    return Error(Errc::limit, fmt::format("{} bytes of JSON, at most {} are read", text.size(),
                                          limits.bytes_max));
  json::error_code failed;
  json::parse_options options;
  options.max_depth = limits.depth_max;
  json::value value = json::parse({text.data(), text.size()}, failed, {}, options);
  if (failed) return Error(Errc::corrupt, "no valid JSON: " + failed.message());
  return value;
}

Result<JsonFields> JsonFields::of(const json::value& value) {
  const json::object* object = value.if_object();
  if (!object) return Error(Errc::corrupt, "not a JSON object");
  return JsonFields(*object);
}

Result<const json::value*> JsonFields::field(std::string_view name) const {
  const json::value* found = object_->if_contains({name.data(), name.size()});
  if (!found) return wrong(name, "is missing");
  return found;
}

Result<std::string_view> JsonFields::text(std::string_view name, std::size_t bytes_max) const {
  const json::string* text = TRY(field(name))->if_string();
  if (!text) return wrong(name, "is no string");
  if (text->size() > bytes_max)
    return wrong(name, fmt::format("has {} bytes, at most {}", text->size(), bytes_max));
  return view(*text);
}

Result<std::uint64_t> json_number(const json::value& value, std::uint64_t max) {
  std::uint64_t number = 0;
  if (const auto* positive = value.if_uint64())
    number = *positive;
  else if (const auto* plain = value.if_int64(); plain && *plain >= 0)
    number = static_cast<std::uint64_t>(*plain);
  else
    return Error(Errc::corrupt, "is no whole number from 0");
  if (number > max) return Error(Errc::corrupt, fmt::format("is {}, at most {}", number, max));
  return number;
}

Result<std::uint64_t> JsonFields::number(std::string_view name, std::uint64_t max) const {
  auto number = json_number(*TRY(field(name)), max);
  if (!number) return wrong(name, number.error().message());
  return number;
}

Result<bool> JsonFields::flag(std::string_view name) const {
  const bool* flag = TRY(field(name))->if_bool();
  if (!flag) return wrong(name, "is neither true nor false");
  return *flag;
}

Result<void> JsonFields::bytes(std::string_view name, std::span<std::uint8_t> bytes) const {
  const std::string_view letters = TRY(text(name, bytes.size() * 2));
  // One form only, so that equal things have equal texts.
  if (std::ranges::any_of(letters, [](char c) { return c >= 'A' && c <= 'Z'; }))
    return wrong(name, "is in upper case");
  if (auto read = from_base32(letters, bytes); !read) return wrong(name, read.error().message());
  return {};
}

Result<std::uint64_t> JsonFields::hex64(std::string_view name) const {
  auto number = from_hex64(TRY(text(name, 16)));
  if (!number) return wrong(name, number.error().message());
  return number;
}

Result<const json::array*> JsonFields::array(std::string_view name, std::size_t size_max) const {
  const json::array* array = TRY(field(name))->if_array();
  if (!array) return wrong(name, "is no array");
  if (array->size() > size_max)
    return wrong(name, fmt::format("has {} elements, at most {}", array->size(), size_max));
  return array;
}

Result<const json::array*> JsonFields::array_or_none(std::string_view name,
                                                     std::size_t size_max) const {
  static const json::array none;
  if (!has(name)) return &none;
  return array(name, size_max);
}

Result<void> JsonFields::only(std::initializer_list<std::string_view> names) const {
  for (const auto& field : *object_)
    if (std::ranges::find(names, view(field.key())) == names.end())
      return wrong(view(field.key()).substr(0, 40), "is not known");
  return {};
}

std::string to_hex64(std::uint64_t value) { return fmt::format("{:016x}", value); }

Result<std::uint64_t> from_hex64(std::string_view text) {
  if (text.size() != 16) return Error(Errc::corrupt, "is not 16 hex digits");
  std::uint64_t value = 0;
  for (const char c : text) {
    const bool digit = c >= '0' && c <= '9';
    if (!digit && (c < 'a' || c > 'f')) return Error(Errc::corrupt, "is not 16 hex digits");
    value = value << 4 | static_cast<std::uint64_t>(digit ? c - '0' : c - 'a' + 10);
  }
  return value;
}

}  // namespace drystone::cluster
