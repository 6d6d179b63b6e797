#pragma once

// For tests: says whether a value satisfies a schema, straight from the specification and without
// any of the library's own code. oneOf counts as anyOf.

#define PCRE2_CODE_UNIT_WIDTH 8
#include <fmt/format.h>
#include <pcre2.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <string>

namespace drystone {

class SchemaValidator {
 public:
  explicit SchemaValidator(const boost::json::object& root) : root_(root) {}

  // Empty: valid.
  std::string why_invalid(const boost::json::value& value) const { return check(root_, value); }

 private:
  using Value = boost::json::value;
  using Object = boost::json::object;

  static bool is_integer(const Value& v) {
    return v.is_int64() || v.is_uint64() ||
           (v.is_double() && std::floor(v.get_double()) == v.get_double());
  }
  static bool is_type(const Value& v, std::string_view type) {
    return type == "null"      ? v.is_null()
           : type == "boolean" ? v.is_bool()
           : type == "string"  ? v.is_string()
           : type == "array"   ? v.is_array()
           : type == "object"  ? v.is_object()
           : type == "integer" ? is_integer(v)
                               : v.is_number();
  }
  static bool is_equal(const Value& a, const Value& b) {
    if (a.is_number() && b.is_number()) return a.to_number<double>() == b.to_number<double>();
    return a == b;
  }
  static std::size_t length(std::string_view text) {
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
  }
  static bool is_found(std::string_view pattern, std::string_view text) {
    int error = 0;
    PCRE2_SIZE at = 0;
    pcre2_code* code =
        pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                      PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_DOTALL, &error, &at, nullptr);
    pcre2_match_data* data = pcre2_match_data_create(8, nullptr);
    const bool found = pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), 0,
                                   0, data, nullptr) >= 0;
    pcre2_match_data_free(data);
    pcre2_code_free(code);
    return found;
  }

  std::string check(const Value& schema, const Value& value) const {
    if (schema.is_bool())
      return schema.get_bool() ? "" : "nothing is allowed here: " + boost::json::serialize(value);
    const Object& s = schema.as_object();
    if (s.contains("nullable") && s.at("nullable") == true && value.is_null()) return "";
    if (const Value* ref = s.if_contains("$ref")) {
      const std::string name =
          std::string(ref->as_string()).substr(std::string_view("#/$defs/").size());
      if (std::string wrong = check(root_.at("$defs").as_object().at(name), value); !wrong.empty())
        return wrong;
    }
    if (const Value* type = s.if_contains("type")) {
      const boost::json::array types =
          type->is_array() ? type->get_array() : boost::json::array{*type};
      if (std::none_of(types.begin(), types.end(), [&](const Value& t) {
            return is_type(value, std::string_view(t.as_string()));
          }))
        return "type of " + boost::json::serialize(value);
    }
    if (const Value* list = s.if_contains("enum")) {
      const auto& values = list->as_array();
      if (std::none_of(values.begin(), values.end(),
                       [&](const Value& v) { return is_equal(v, value); }))
        return "enum";
    }
    if (s.contains("const") && !is_equal(s.at("const"), value)) return "const";
    for (const char* keyword : {"anyOf", "oneOf"}) {
      if (!s.contains(keyword)) continue;
      const auto& parts = s.at(keyword).as_array();
      if (std::none_of(parts.begin(), parts.end(),
                       [&](const Value& part) { return check(part, value).empty(); }))
        return keyword;
    }
    if (s.contains("allOf")) {
      for (const Value& part : s.at("allOf").as_array())
        if (std::string wrong = check(part, value); !wrong.empty()) return wrong;
    }
    if (value.is_string()) return check_string(s, std::string_view(value.get_string()));
    if (value.is_number()) return check_number(s, value.to_number<double>());
    if (value.is_array()) return check_array(s, value.get_array());
    if (value.is_object()) return check_object(s, value.get_object());
    return "";
  }

  static std::string check_string(const Object& s, std::string_view text) {
    if (s.contains("minLength") && length(text) < s.at("minLength").to_number<std::size_t>())
      return "minLength";
    if (s.contains("maxLength") && length(text) > s.at("maxLength").to_number<std::size_t>())
      return "maxLength";
    if (s.contains("pattern") && !is_found(std::string_view(s.at("pattern").as_string()), text))
      return "pattern";
    return "";
  }

  static std::string check_number(const Object& s, double number) {
    const auto bound = [&](const char* keyword) { return s.at(keyword).to_number<double>(); };
    if (s.contains("minimum") && !(number >= bound("minimum"))) return "minimum";
    if (s.contains("maximum") && !(number <= bound("maximum"))) return "maximum";
    if (s.contains("exclusiveMinimum") && !(number > bound("exclusiveMinimum")))
      return "exclusiveMinimum";
    if (s.contains("exclusiveMaximum") && !(number < bound("exclusiveMaximum")))
      return "exclusiveMaximum";
    return "";
  }

  std::string check_array(const Object& s, const boost::json::array& items) const {
    if (s.contains("minItems") && items.size() < s.at("minItems").to_number<std::size_t>())
      return "minItems";
    if (s.contains("maxItems") && items.size() > s.at("maxItems").to_number<std::size_t>())
      return "maxItems";
    const std::size_t prefix =
        s.contains("prefixItems") ? s.at("prefixItems").as_array().size() : 0;
    for (std::size_t i = 0; i < items.size(); ++i) {
      const Value* schema =
          i < prefix ? &s.at("prefixItems").as_array()[i] : s.if_contains("items");
      if (!schema) continue;
      if (std::string wrong = check(*schema, items[i]); !wrong.empty())
        return fmt::format("[{}] ", i) + wrong;
    }
    return "";
  }

  std::string check_object(const Object& s, const Object& value) const {
    if (s.contains("required")) {
      for (const Value& name : s.at("required").as_array())
        if (!value.contains(std::string_view(name.as_string())))
          return "required " + boost::json::serialize(name);
    }
    for (const auto& member : value) {
      const Value* schema = s.contains("properties")
                                ? s.at("properties").as_object().if_contains(member.key())
                                : nullptr;
      if (!schema) schema = s.if_contains("additionalProperties");
      if (!schema) continue;
      if (std::string wrong = check(*schema, member.value()); !wrong.empty())
        return std::string(member.key()) + ": " + wrong;
    }
    return "";
  }

  const Object& root_;
};

}  // namespace drystone
