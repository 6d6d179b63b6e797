// Values without parts: constants, strings and numbers.
#include <fmt/format.h>

#include <cmath>

#include "engine/constraint/expression.h"
#include "engine/constraint/limits.h"
#include "engine/constraint/regex_parser.h"
#include "engine/constraint/schema_compiler.h"
#include "engine/constraint/string_formats.h"

namespace drystone::constraint {

namespace {

bool has_type(const json::value& value, std::string_view type) {
  switch (value.kind()) {
    case json::kind::null:
      return type == "null";
    case json::kind::bool_:
      return type == "boolean";
    case json::kind::string:
      return type == "string";
    case json::kind::array:
      return type == "array";
    case json::kind::object:
      return type == "object";
    case json::kind::double_:
      return type == "number" ||
             (type == "integer" && std::floor(value.get_double()) == value.get_double());
    default:
      return type == "number" || type == "integer";
  }
}

// Compact, numbers as people write them.
std::string write_json(const json::value& value) {
  if (value.is_double()) {
    const double number = value.get_double();
    if (std::abs(number) < 1e15 && std::floor(number) == number)
      return fmt::format("{:.0f}", number);
    return fmt::format("{}", number);
  }
  std::string text;
  if (const json::array* array = value.if_array()) {
    for (const json::value& item : *array) text += (text.empty() ? "" : ",") + write_json(item);
    return "[" + text + "]";
  }
  if (const json::object* object = value.if_object()) {
    for (const auto& member : *object) {
      text += (text.empty() ? "" : ",") + json::serialize(json::value(member.key())) + ":" +
              write_json(member.value());
    }
    return "{" + text + "}";
  }
  return json::serialize(value);
}

Result<std::optional<DecimalBound>> bound_of(const json::object& schema, std::string_view keyword,
                                             bool inclusive, const std::string& path) {
  const json::value* value = schema.if_contains(keyword);
  if (!value) return std::optional<DecimalBound>();
  if (!value->is_number())
    return schema_error(Errc::invalid_argument, path, fmt::format("{} must be a number", keyword));
  const Decimal decimal =
      value->is_int64() ? to_decimal(value->get_int64()) : to_decimal(value->to_number<double>());
  return std::optional(DecimalBound{decimal, inclusive});
}

// The next integer that keeps the bound.
DecimalBound to_integer_bound(const DecimalBound& bound, bool lower) {
  const std::int64_t magnitude = std::stoll(bound.value.integer);
  std::int64_t value = bound.value.negative ? -magnitude : magnitude;
  const bool whole = bound.value.fraction.empty();
  if (lower && ((whole && !bound.inclusive) || (!whole && !bound.value.negative))) ++value;
  if (!lower && ((whole && !bound.inclusive) || (!whole && bound.value.negative))) --value;
  return {to_decimal(value), true};
}

// The tighter of two bounds.
std::optional<DecimalBound> tighter(const std::optional<DecimalBound>& a,
                                    const std::optional<DecimalBound>& b, bool lower) {
  if (!a || !b) return a ? a : b;
  const int order = lower ? compare(a->value, b->value) : compare(b->value, a->value);
  if (order == 0) return a->inclusive ? b : a;
  return order > 0 ? a : b;
}

}  // namespace

Result<RuleId> SchemaCompiler::constants_rule(const json::object& schema, const std::string& path) {
  for (const auto& member : schema) {
    const std::string_view key = member.key();
    if (key == "enum" || key == "const" || key == "type" || key == "nullable" || is_annotation(key))
      continue;
    return schema_error(Errc::unsupported, path,
                        fmt::format("{} beside enum or const is not supported; leave the values "
                                    "that do not fit out of the list",
                                    key));
  }
  json::array values;
  if (const json::value* list = schema.if_contains("enum")) {
    if (!list->is_array())
      return schema_error(Errc::invalid_argument, path, "enum must be a list of values");
    values = list->get_array();
  }
  if (const json::value* only = schema.if_contains("const")) {
    const bool fits =
        !schema.contains("enum") || std::find(values.begin(), values.end(), *only) != values.end();
    values = fits ? json::array{*only} : json::array{};
  }
  if (values.size() > kChoicesMax) {
    return schema_error(Errc::limit, path,
                        fmt::format("enum has {} values, at most {}", values.size(), kChoicesMax));
  }
  const std::vector<std::string> types = TRY(types_of(schema, path));
  const bool typed = schema.contains("type");
  const RuleId id = TRY(new_rule(fmt::format("the values at {}", path), path));
  for (const json::value& value : values) {
    const bool fits =
        !typed || std::any_of(types.begin(), types.end(),
                              [&](const std::string& type) { return has_type(value, type); });
    Rule& rule = grammar_.rule(id);
    if (fits) rule.add_nothing(rule.add_literal(Rule::kStart, write_json(value)), Rule::kEnd);
  }
  return id;
}

Result<RuleId> SchemaCompiler::string_rule(const json::object& schema, const std::string& path) {
  const auto min = TRY(count_of(schema, "minLength", path));
  const auto max = TRY(count_of(schema, "maxLength", path));
  const json::value* pattern = schema.if_contains("pattern");
  const json::value* format = schema.if_contains("format");
  const bool length_matters = min.value_or(0) > 1 || max || (min.value_or(0) == 1 && pattern);
  if ((pattern != nullptr) + (format != nullptr) + length_matters > 1) {
    return schema_error(Errc::unsupported, path,
                        "of pattern, format and the lengths only one is supported at a time; write "
                        "the length into the pattern, as in ^[a-z]{1,20}$");
  }
  if (pattern) {
    if (!pattern->is_string())
      return schema_error(Errc::invalid_argument, path, "pattern must be a string");
    return pattern_rule(std::string_view(pattern->get_string()), false, path);
  }
  if (format) {
    if (!format->is_string())
      return schema_error(Errc::invalid_argument, path, "format must be a string");
    const std::string_view regex = format_regex(std::string_view(format->get_string()));
    if (regex.empty()) {
      return schema_error(Errc::unsupported, path,
                          fmt::format("format {} is not supported; supported are {}",
                                      json::serialize(*format), format_names()));
    }
    return pattern_rule(regex, true, path);
  }
  const std::uint32_t most = max.value_or(kUnbounded);
  if (min.value_or(0) > most) return nothing_rule();
  return json_.string(min.value_or(0), most);
}

Result<RuleId> SchemaCompiler::pattern_rule(std::string_view regex, bool whole,
                                            const std::string& path) {
  auto expression = parse_regex(regex, whole ? RegexMatch::whole : RegexMatch::search);
  if (!expression) return std::move(expression).error().with("JSON schema, at " + path);
  const RuleId id = TRY(new_rule(fmt::format("the pattern at {}", path), path));
  const NfaState begin = grammar_.rule(id).add_literal(Rule::kStart, "\"");
  const NfaState end = TRY(write(grammar_, id, *expression, begin, Encoding::json_string));
  grammar_.rule(id).add_bytes(end, '"', '"', Rule::kEnd);
  return id;
}

Result<RuleId> SchemaCompiler::number_rule(const json::object& schema, bool integer,
                                           const std::string& path) {
  auto low = tighter(TRY(bound_of(schema, "minimum", true, path)),
                     TRY(bound_of(schema, "exclusiveMinimum", false, path)), true);
  auto high = tighter(TRY(bound_of(schema, "maximum", true, path)),
                      TRY(bound_of(schema, "exclusiveMaximum", false, path)), false);
  if (!low && !high) return integer ? json_.integer() : json_.number();
  if (integer && low) low = to_integer_bound(*low, true);
  if (integer && high) high = to_integer_bound(*high, false);
  if (low && high) {
    const int order = compare(low->value, high->value);
    if (order > 0 || (order == 0 && !(low->inclusive && high->inclusive))) return nothing_rule();
  }
  const RuleId id = TRY(new_rule(fmt::format("the number at {}", path), path));
  add_decimals(grammar_.rule(id), Rule::kStart, Rule::kEnd, low, high, !integer);
  return id;
}

}  // namespace drystone::constraint
