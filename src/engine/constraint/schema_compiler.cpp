#include "engine/constraint/schema_compiler.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "engine/constraint/limits.h"

namespace drystone::constraint {

namespace {

constexpr std::array<std::string_view, 27> kKeywords = {"type",
                                                        "nullable",
                                                        "enum",
                                                        "const",
                                                        "anyOf",
                                                        "oneOf",
                                                        "allOf",
                                                        "$ref",
                                                        "properties",
                                                        "required",
                                                        "additionalProperties",
                                                        "items",
                                                        "prefixItems",
                                                        "minItems",
                                                        "maxItems",
                                                        "minLength",
                                                        "maxLength",
                                                        "pattern",
                                                        "format",
                                                        "minimum",
                                                        "maximum",
                                                        "exclusiveMinimum",
                                                        "exclusiveMaximum",
                                                        "$defs",
                                                        "definitions",
                                                        "title",
                                                        "description"};

// Keywords that say something about values of one type only.
struct TypeKeyword {
  std::string_view keyword, type;
};
constexpr TypeKeyword kTypeKeywords[] = {
    {"properties", "object"}, {"required", "object"},         {"additionalProperties", "object"},
    {"items", "array"},       {"prefixItems", "array"},       {"minItems", "array"},
    {"maxItems", "array"},    {"minLength", "string"},        {"maxLength", "string"},
    {"pattern", "string"},    {"format", "string"},           {"minimum", "number"},
    {"maximum", "number"},    {"exclusiveMinimum", "number"}, {"exclusiveMaximum", "number"}};
constexpr std::array<std::string_view, 7> kTypes = {"object",  "array",   "string", "number",
                                                    "integer", "boolean", "null"};

bool is_keyword(std::string_view word) {
  return std::find(kKeywords.begin(), kKeywords.end(), word) != kKeywords.end();
}

}  // namespace

Result<std::optional<std::uint32_t>> count_of(const json::object& schema, std::string_view keyword,
                                              const std::string& path) {
  const json::value* value = schema.if_contains(keyword);
  if (!value) return std::optional<std::uint32_t>();
  const bool number = value->is_number();
  const double count = number ? value->to_number<double>() : -1;
  if (count < 0 ||
      count != static_cast<double>(static_cast<std::uint64_t>(std::min(count, 1e15)))) {
    if (!(count > 1e15))
      return schema_error(Errc::invalid_argument, path,
                          fmt::format("{} must be a whole number, 0 or more", keyword));
  }
  if (count > kRepeatMax) {
    return schema_error(Errc::limit, path,
                        fmt::format("{} is {:.0f}, at most {}", keyword, count, kRepeatMax));
  }
  return std::optional(static_cast<std::uint32_t>(count));
}

Result<Grammar> SchemaCompiler::compile() {
  references_["#"] = grammar_.root = TRY(new_rule("the schema at #", "#"));
  pending_.push_back({&source_.root(), "#", grammar_.root});
  while (!pending_.empty()) {
    const Pending next = std::move(pending_.front());
    pending_.pop_front();
    const RuleId inner = TRY(schema_rule(*next.schema, next.path, 0));
    grammar_.rule(next.rule).add_call(Rule::kStart, inner, Rule::kEnd);
  }
  return std::move(grammar_);
}

Result<RuleId> SchemaCompiler::new_rule(std::string name, const std::string& path) {
  if (grammar_.size() >= kRulesMax) {
    return schema_error(Errc::limit, path,
                        fmt::format("the schema needs more than {} rules", kRulesMax));
  }
  if (grammar_.size() % 64 == 0 && grammar_.edges() > kNfaEdgesMax) {
    return schema_error(Errc::limit, path,
                        fmt::format("the schema is too large: {} steps so far, at most {}",
                                    grammar_.edges(), kNfaEdgesMax));
  }
  return grammar_.add_rule(std::move(name));
}

RuleId SchemaCompiler::nothing_rule() { return grammar_.add_rule("what nothing satisfies"); }

Result<void> SchemaCompiler::check_keywords(const json::object& schema,
                                            const std::string& path) const {
  for (const auto& member : schema) {
    const std::string_view key = member.key();
    if (is_keyword(key) || is_annotation(key)) continue;
    return schema_error(Errc::unsupported, path,
                        fmt::format("the keyword \"{}\" is not supported; supported are {}, and "
                                    "annotations such as title, description, default and examples",
                                    key, fmt::join(kKeywords.begin(), kKeywords.end() - 2, ", ")));
  }
  return {};
}

Result<RuleId> SchemaCompiler::schema_rule(const json::value& schema, const std::string& path,
                                           int depth) {
  if (depth > kDepthMax)
    return schema_error(Errc::limit, path, fmt::format("schemas nest deeper than {}", kDepthMax));
  if (const json::object* object = schema.if_object()) {
    TRY(check_keywords(*object, path));
    const json::value* reference = object->if_contains("$ref");
    const bool alone = std::all_of(object->begin(), object->end(), [](const auto& member) {
      return member.key() == "$ref" || is_annotation(member.key());
    });
    if (reference && reference->is_string() && alone)
      return reference_rule(std::string_view(reference->get_string()), path);
  }
  const json::object resolved = TRY(source_.resolve(schema, path, depth));
  return resolved_rule(resolved, path, depth);
}

Result<RuleId> SchemaCompiler::reference_rule(std::string_view reference, const std::string& path) {
  const auto known = references_.find(reference);
  if (known != references_.end()) return known->second;
  const json::value* target = TRY(source_.find(reference, path));
  const RuleId rule = TRY(new_rule(fmt::format("the schema at {}", reference), path));
  references_.emplace(reference, rule);
  pending_.push_back({target, std::string(reference), rule});
  return rule;
}

Result<RuleId> SchemaCompiler::resolved_rule(const json::object& schema, const std::string& path,
                                             int depth) {
  if (depth > kDepthMax)
    return schema_error(Errc::limit, path, fmt::format("schemas nest deeper than {}", kDepthMax));
  TRY(check_keywords(schema, path));
  for (const char* keyword : {"anyOf", "oneOf"})
    if (schema.contains(keyword)) return alternatives_rule(schema, keyword, path, depth);
  if (schema.contains("enum") || schema.contains("const")) return constants_rule(schema, path);

  const std::vector<std::string> types = TRY(types_of(schema, path));
  if (types.size() == kTypes.size()) return json_.value();
  const RuleId rule = TRY(new_rule(fmt::format("the schema at {}", path), path));
  for (const std::string& type : types) {
    const RuleId inner = TRY(type_rule(type, schema, path, depth));
    grammar_.rule(rule).add_call(Rule::kStart, inner, Rule::kEnd);
  }
  return rule;
}

// A schema of its own for each alternative, with everything that stands beside it.
Result<RuleId> SchemaCompiler::alternatives_rule(const json::object& schema,
                                                 const std::string& keyword,
                                                 const std::string& path, int depth) {
  json::object beside = schema;
  const json::value& parts = schema.at(keyword);
  beside.erase(keyword);
  const bool alone = std::all_of(beside.begin(), beside.end(),
                                 [](const auto& member) { return is_annotation(member.key()); });
  if (!parts.is_array() || parts.get_array().empty())
    return schema_error(Errc::invalid_argument, path,
                        fmt::format("{} must be a list of schemas, not empty", keyword));
  const RuleId rule = TRY(new_rule(fmt::format("the schema at {}", path), path));
  for (std::size_t i = 0; i < parts.get_array().size(); ++i) {
    const json::value& part = parts.get_array()[i];
    const std::string place = fmt::format("{}/{}/{}", path, keyword, i);
    RuleId inner = 0;
    if (alone) {
      inner = TRY(schema_rule(part, place, depth + 1));
    } else {
      const json::object resolved = TRY(source_.resolve(part, place, depth + 1));
      const json::object merged = TRY(source_.merge(resolved, beside, place));
      inner = TRY(resolved_rule(merged, place, depth + 1));
    }
    grammar_.rule(rule).add_call(Rule::kStart, inner, Rule::kEnd);
  }
  return rule;
}

Result<std::vector<std::string>> SchemaCompiler::types_of(const json::object& schema,
                                                          const std::string& path) const {
  std::vector<std::string> types;
  const auto add = [&](std::string_view type) {
    if (std::find(types.begin(), types.end(), type) == types.end()) types.emplace_back(type);
  };
  if (const json::value* type = schema.if_contains("type")) {
    const json::array list = type->is_array() ? type->get_array() : json::array{*type};
    for (const json::value& name : list) {
      if (!name.is_string() || std::find(kTypes.begin(), kTypes.end(),
                                         std::string_view(name.get_string())) == kTypes.end()) {
        return schema_error(Errc::invalid_argument, path,
                            fmt::format("type {} is not one of {}", json::serialize(name),
                                        fmt::join(kTypes, ", ")));
      }
      add(name.get_string());
    }
  } else {
    for (const TypeKeyword& known : kTypeKeywords)
      if (schema.contains(known.keyword)) add(known.type);
    if (types.empty()) types.assign(kTypes.begin(), kTypes.end());
  }
  if (const json::value* nullable = schema.if_contains("nullable");
      nullable && nullable->is_bool() && nullable->get_bool())
    add("null");
  if (types.size() < kTypes.size() &&
      std::find(types.begin(), types.end(), "number") != types.end())
    std::erase(types, "integer");  // every integer is a number: no need to read it in two ways
  return types;
}

Result<RuleId> SchemaCompiler::type_rule(std::string_view type, const json::object& schema,
                                         const std::string& path, int depth) {
  if (type == "object") return object_rule(schema, path, depth);
  if (type == "array") return array_rule(schema, path, depth);
  if (type == "string") return string_rule(schema, path);
  if (type == "number" || type == "integer") return number_rule(schema, type == "integer", path);
  if (type == "null") return json_.literal("null");
  const RuleId rule = json_.literal("true");
  grammar_.rule(rule).add_nothing(grammar_.rule(rule).add_literal(Rule::kStart, "false"),
                                  Rule::kEnd);
  return rule;
}

}  // namespace drystone::constraint
