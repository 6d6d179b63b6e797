// Values with parts: objects and arrays.
#include <fmt/format.h>

#include <algorithm>

#include "engine/constraint/limits.h"
#include "engine/constraint/schema_compiler.h"

namespace drystone::constraint {

Result<std::vector<SchemaCompiler::Property>> SchemaCompiler::properties_of(
    const json::object& schema, const std::string& path, int depth) {
  const json::value* listed = schema.if_contains("properties");
  const json::value* required = schema.if_contains("required");
  const json::value* other = schema.if_contains("additionalProperties");
  if ((listed && !listed->is_object()) || (required && !required->is_array()))
    return schema_error(Errc::invalid_argument, path,
                        "properties must be an object, and required a list of names");
  std::vector<Property> properties;
  if (listed) {
    for (const auto& member : listed->get_object()) {
      const std::string name(member.key());
      const RuleId value =
          TRY(schema_rule(member.value(), fmt::format("{}/properties/{}", path, name), depth + 1));
      properties.push_back({name, value, false});
    }
  }
  if (!required) return properties;
  for (const json::value& name : required->get_array()) {
    if (!name.is_string())
      return schema_error(Errc::invalid_argument, path, "required must be a list of names");
    const auto at =
        std::find_if(properties.begin(), properties.end(), [&](const Property& property) {
          return property.name == std::string_view(name.get_string());
        });
    if (at != properties.end()) {
      at->required = true;
      continue;
    }
    // Required, but described by additionalProperties alone.
    const RuleId value =
        other ? TRY(schema_rule(*other, path + "/additionalProperties", depth + 1)) : json_.value();
    properties.push_back({std::string(name.get_string()), value, true});
  }
  return properties;
}

Result<RuleId> SchemaCompiler::object_rule(const json::object& schema, const std::string& path,
                                           int depth) {
  const std::vector<Property> properties = TRY(properties_of(schema, path, depth));
  const json::value* other = schema.if_contains("additionalProperties");
  const bool open = other ? !(other->is_bool() && !other->get_bool()) : properties.empty();
  if (properties.empty() && (!other || (other->is_bool() && other->get_bool())) &&
      !schema.contains("properties"))
    return json_.object();
  if (!open || (!other && schema.contains("properties")))
    return members_rule(properties, std::nullopt, 0);
  std::vector<std::string> names;
  for (const Property& property : properties) names.push_back(property.name);
  const RuleId value = TRY(schema_rule(*other, path + "/additionalProperties", depth + 1));
  const RuleId name = names.empty() ? json_.string() : json_.string_except(names);
  return members_rule(properties, name, value);
}

// Members in the order of the schema; first[i]: none was written before the i-th; more: some were,
// so that a comma comes first.
RuleId SchemaCompiler::members_rule(const std::vector<Property>& properties,
                                    std::optional<RuleId> other_name, RuleId other_value) {
  const RuleId id = grammar_.add_rule("an object of the schema");
  Rule& rule = grammar_.rule(id);
  NfaState first = json_.add_space(rule, rule.add_literal(Rule::kStart, "{"));
  NfaState more = rule.add_state();
  for (const Property& property : properties) {
    const NfaState name = rule.add_state();
    const NfaState next_first = rule.add_state(), next_more = rule.add_state();
    rule.add_nothing(first, name);
    rule.add_nothing(json_.add_space(rule, rule.add_literal(more, ",")), name);
    const NfaState value = json_.add_colon(rule, json_.add_quoted(rule, name, property.name));
    rule.add_call(value, property.value, next_more);
    if (!property.required) {
      rule.add_nothing(first, next_first);
      rule.add_nothing(more, next_more);
    }
    first = next_first;
    more = next_more;
  }
  if (other_name) {
    const NfaState name = rule.add_state(), named = rule.add_state();
    rule.add_nothing(first, name);
    rule.add_nothing(json_.add_space(rule, rule.add_literal(more, ",")), name);
    rule.add_call(name, *other_name, named);
    rule.add_call(json_.add_colon(rule, named), other_value, more);
  }
  rule.add_bytes(first, '}', '}', Rule::kEnd);
  rule.add_bytes(json_.add_space(rule, more), '}', '}', Rule::kEnd);
  return id;
}

Result<RuleId> SchemaCompiler::array_rule(const json::object& schema, const std::string& path,
                                          int depth) {
  const std::uint32_t min = TRY(count_of(schema, "minItems", path)).value_or(0);
  std::uint32_t max = TRY(count_of(schema, "maxItems", path)).value_or(kUnbounded);
  std::vector<RuleId> first;
  if (const json::value* prefix = schema.if_contains("prefixItems")) {
    if (!prefix->is_array())
      return schema_error(Errc::invalid_argument, path, "prefixItems must be a list of schemas");
    for (const json::value& item : prefix->get_array()) {
      const std::string place = fmt::format("{}/prefixItems/{}", path, first.size());
      first.push_back(TRY(schema_rule(item, place, depth + 1)));
    }
  }
  std::optional<RuleId> rest;
  const json::value* items = schema.if_contains("items");
  if (items && items->is_array())
    return schema_error(Errc::unsupported, path,
                        "items as a list is of older drafts; write prefixItems");
  if (items && !(items->is_bool() && !items->get_bool())) {
    rest = TRY(schema_rule(*items, path + "/items", depth + 1));
  } else if (!items && (first.empty() || min > first.size())) {
    rest = json_.value();
  }
  if (!rest) max = std::min(max, static_cast<std::uint32_t>(first.size()));
  if (min > max) return nothing_rule();
  return items_rule(first, rest, min, max);
}

RuleId SchemaCompiler::items_rule(const std::vector<RuleId>& first, std::optional<RuleId> rest,
                                  std::uint32_t min, std::uint32_t max) {
  const RuleId id = grammar_.add_rule("an array of the schema");
  Rule& rule = grammar_.rule(id);
  const NfaState open = json_.add_space(rule, rule.add_literal(Rule::kStart, "["));
  if (min == 0) rule.add_bytes(open, ']', ']', Rule::kEnd);
  if (max == 0) return id;
  const NfaState closing = rule.add_state();
  rule.add_bytes(json_.add_space(rule, closing), ']', ']', Rule::kEnd);

  const auto written = std::min<std::uint32_t>(
      max, std::max<std::uint32_t>(1, static_cast<std::uint32_t>(first.size())));
  NfaState at = open;
  for (std::uint32_t i = 0; i < written; ++i) {
    const NfaState next = rule.add_state();
    rule.add_call(i == 0 ? at : json_.add_space(rule, rule.add_literal(at, ",")),
                  i < first.size() ? first[i] : *rest, next);
    at = next;
    if (i + 1 >= min && i + 1 < written) rule.add_nothing(at, closing);
  }
  const std::uint32_t more_min = min > written ? min - written : 0;
  const std::uint32_t more_max = max == kUnbounded ? kUnbounded : max - written;
  if (!rest || more_max == 0) {
    rule.add_nothing(at, closing);
    return id;
  }
  if (more_min == 0 && more_max == kUnbounded) {
    rule.add_call(json_.add_space(rule, rule.add_literal(at, ",")), *rest, at);
    rule.add_nothing(at, closing);
    return id;
  }
  const NfaState body = rule.add_state(), again = rule.add_state();
  rule.add_call(json_.add_space(rule, rule.add_literal(body, ",")), *rest, again);
  rule.counter = {at, again, body, closing, more_min, more_max};
  return id;
}

}  // namespace drystone::constraint
