#include "serve/http/request_fields.h"

#include <fmt/format.h>

#include <cmath>

namespace drystone {
namespace json = boost::json;

std::string_view kind_name(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null:
      return "null";
    case json::kind::bool_:
      return "a boolean";
    case json::kind::int64:
    case json::kind::uint64:
    case json::kind::double_:
      return "a number";
    case json::kind::string:
      return "a string";
    case json::kind::array:
      return "an array";
    case json::kind::object:
      return "an object";
  }
  return "something else";
}

const json::value* RequestFields::find(std::string_view name) {
  known_.emplace(name);
  const json::value* value = object_.if_contains(name);
  return value == nullptr || value->is_null() ? nullptr : value;
}

void RequestFields::fail(ApiError error) {
  if (!error_) error_ = std::move(error);
}

void RequestFields::fail(std::string_view name, std::string message, std::string code) {
  fail(invalid_request(full(name), std::move(message), std::move(code)));
}

void RequestFields::wrong_kind(std::string_view name, std::string_view expected,
                               const json::value& found) {
  fail(name, fmt::format("'{}' must be {}, but is {}.", full(name), expected, kind_name(found)),
       "invalid_type");
}

void RequestFields::boolean(std::string_view name, bool& out) {
  const json::value* value = find(name);
  if (value == nullptr) return;
  if (!value->is_bool()) return wrong_kind(name, "a boolean", *value);
  out = value->get_bool();
}

void RequestFields::number(std::string_view name, double min, double max, float& out) {
  const json::value* value = find(name);
  if (value == nullptr) return;
  if (!value->is_number()) return wrong_kind(name, "a number", *value);
  const double number = value->to_number<double>();
  if (!(number >= min && number <= max))
    return fail(
        name,
        fmt::format("'{}' must be between {} and {}, but is {}.", full(name), min, max, number),
        "invalid_value");
  out = static_cast<float>(number);
}

std::optional<std::int64_t> RequestFields::integer(std::string_view name, std::int64_t min,
                                                   std::int64_t max) {
  const json::value* value = find(name);
  if (value == nullptr) return std::nullopt;
  std::optional<std::int64_t> number;
  if (value->is_int64()) number = value->get_int64();
  // Clients in languages with one number type send 5.0 for 5.
  if (value->is_double() && std::floor(value->get_double()) == value->get_double() &&
      std::abs(value->get_double()) < 9e15)
    number = static_cast<std::int64_t>(value->get_double());
  if (!number) {
    wrong_kind(name, "an integer", *value);
    return std::nullopt;
  }
  if (*number < min || *number > max) {
    fail(name,
         max == std::numeric_limits<std::int64_t>::max()
             ? fmt::format("'{}' must be at least {}, but is {}.", full(name), min, *number)
             : fmt::format("'{}' must be between {} and {}, but is {}.", full(name), min, max,
                           *number),
         "invalid_value");
    return std::nullopt;
  }
  return number;
}

void RequestFields::string(std::string_view name, std::string& out) {
  const json::value* value = find(name);
  if (value == nullptr) return;
  if (!value->is_string()) return wrong_kind(name, "a string", *value);
  out = value->get_string();
}

const json::array* RequestFields::array(std::string_view name) {
  const json::value* value = find(name);
  if (value == nullptr) return nullptr;
  if (!value->is_array()) return wrong_kind(name, "an array", *value), nullptr;
  return &value->get_array();
}

const json::object* RequestFields::object(std::string_view name) {
  const json::value* value = find(name);
  if (value == nullptr) return nullptr;
  if (!value->is_object()) return wrong_kind(name, "an object", *value), nullptr;
  return &value->get_object();
}

void RequestFields::accept(std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) known_.emplace(name);
}

namespace {
bool says_nothing(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null:
      return true;
    case json::kind::bool_:
      return !value.get_bool();
    case json::kind::int64:
      return value.get_int64() == 0;
    case json::kind::double_:
      return value.get_double() == 0;
    case json::kind::string:
      return value.get_string().empty();
    case json::kind::array:
      return value.get_array().empty();
    case json::kind::object:
      return value.get_object().empty();
    default:
      return false;
  }
}
}  // namespace

void RequestFields::refuse(std::string_view name, std::string_view why) {
  const json::value* value = find(name);
  if (value == nullptr || says_nothing(*value)) return;
  fail(name, fmt::format("'{}' is not supported: {}.", full(name), why), "unsupported_parameter");
}

std::vector<std::string> RequestFields::unknown() const {
  std::vector<std::string> names;
  for (const auto& field : object_)
    if (!known_.contains(std::string_view(field.key()))) names.push_back(full(field.key()));
  return names;
}

}  // namespace drystone
