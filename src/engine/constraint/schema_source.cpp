#include "engine/constraint/schema_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "engine/constraint/limits.h"

namespace drystone::constraint {

namespace {

constexpr std::array<std::string_view, 16> kAnnotations = {
    "title",     "description",   "default",         "examples",        "example",    "$comment",
    "$schema",   "$id",           "$defs",           "definitions",     "deprecated", "readOnly",
    "writeOnly", "discriminator", "contentEncoding", "contentMediaType"};

std::string unescape_pointer(std::string_view token) {
  std::string text;
  for (std::size_t i = 0; i < token.size(); ++i) {
    if (token[i] == '~' && i + 1 < token.size() && (token[i + 1] == '0' || token[i + 1] == '1')) {
      text += token[++i] == '0' ? '~' : '/';
    } else {
      text += token[i];
    }
  }
  return text;
}

json::array as_list(const json::value& value) {
  return value.is_array() ? value.get_array() : json::array{value};
}

bool contains(const json::array& list, const json::value& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

// The types that both name; an integer is a number.
json::array common_types(const json::array& a, const json::array& b) {
  json::array common;
  const auto add = [&](const json::value& type) {
    if (!contains(common, type)) common.push_back(type);
  };
  for (const json::value& type : a) {
    if (contains(b, type) || (type == "integer" && contains(b, "number"))) add(type);
    if (type == "number" && contains(b, "integer")) add("integer");
  }
  return common;
}

bool is_any_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool is_less(const json::value& a, const json::value& b) {
  if (a.is_int64() && b.is_int64()) return a.get_int64() < b.get_int64();
  return a.to_number<double>() < b.to_number<double>();
}

json::object all_of(const json::value& a, const json::value& b) {
  return json::object{{"allOf", json::array{a, b}}};
}

std::size_t count_values(const json::value& value) {
  std::size_t count = 1;
  if (const json::array* array = value.if_array())
    for (const json::value& item : *array) count += count_values(item);
  if (const json::object* object = value.if_object())
    for (const auto& member : *object) count += count_values(member.value());
  return count;
}

// May the properties of `other` stand in an object that `closed` describes?
bool closes_over(const json::object& closed, const json::object& other) {
  const json::value* more = closed.if_contains("additionalProperties");
  if (!more || (more->is_bool() && more->get_bool())) return true;
  const json::value* theirs = other.if_contains("properties");
  if (!theirs || !theirs->is_object()) return true;
  const json::value* ours = closed.if_contains("properties");
  return std::all_of(
      theirs->get_object().begin(), theirs->get_object().end(), [&](const auto& property) {
        return ours && ours->is_object() && ours->get_object().contains(property.key());
      });
}

}  // namespace

bool is_annotation(std::string_view keyword) {
  return keyword.starts_with("x-") ||
         std::find(kAnnotations.begin(), kAnnotations.end(), keyword) != kAnnotations.end();
}

Error schema_error(Errc code, const std::string& path, std::string_view what) {
  return Error(code, fmt::format("JSON schema, at {}: {}", path, what));
}

Result<SchemaSource> SchemaSource::parse(std::string_view text) {
  if (text.size() > kSpecBytesMax) {
    return Error(Errc::limit,
                 fmt::format("a JSON schema of {} bytes, at most {}", text.size(), kSpecBytesMax));
  }
  boost::system::error_code code;
  json::parse_options options;
  options.max_depth = static_cast<std::size_t>(kDepthMax) * 4;
  SchemaSource source;
  source.root_ = json::parse(text, code, {}, options);
  if (code) {
    return Error(code == json::error::too_deep ? Errc::limit : Errc::invalid_argument,
                 fmt::format("the JSON schema cannot be read as JSON ({}; nesting is at most {})",
                             code.message(), options.max_depth));
  }
  return source;
}

Result<const json::value*> SchemaSource::find(std::string_view reference,
                                              const std::string& path) const {
  const auto missing = [&]() {
    return schema_error(Errc::invalid_argument, path,
                        fmt::format("$ref \"{}\" leads nowhere; a reference is a JSON pointer into "
                                    "the same document, as #/$defs/name",
                                    reference));
  };
  if (!reference.starts_with("#")) return missing();
  std::string_view rest = reference.substr(1);
  const json::value* at = &root_;
  while (!rest.empty()) {
    if (rest[0] != '/') return missing();
    const std::size_t end = std::min(rest.find('/', 1), rest.size());
    const std::string token = unescape_pointer(rest.substr(1, end - 1));
    rest.remove_prefix(end);
    if (const json::object* object = at->if_object()) {
      at = object->if_contains(token);
    } else if (const json::array* array = at->if_array()) {
      const bool number = !token.empty() && token.size() < 7 &&
                          token.find_first_not_of("0123456789") == std::string::npos;
      const std::size_t index = number ? std::stoul(token) : array->size();
      at = index < array->size() ? &(*array)[index] : nullptr;
    } else {
      at = nullptr;
    }
    if (!at) return missing();
  }
  return at;
}

Result<json::object> SchemaSource::resolve(const json::value& schema, const std::string& path,
                                           int depth) const {
  if (depth > kDepthMax) {
    return schema_error(Errc::limit, path,
                        fmt::format("references and allOf nest deeper than {}", kDepthMax));
  }
  if (schema.is_bool())
    return schema.get_bool() ? json::object() : json::object{{"enum", json::array()}};
  if (!schema.is_object())
    return schema_error(Errc::invalid_argument, path, "a schema is an object, true or false");
  values_copied_ += count_values(schema);
  if (values_copied_ > kMergedValuesMax) {
    return schema_error(
        Errc::limit, path,
        fmt::format("references and allOf copy more than {} values", kMergedValuesMax));
  }
  json::object merged = schema.get_object();
  merged.erase("$defs");
  merged.erase("definitions");
  const json::value* reference = schema.get_object().if_contains("$ref");
  if (reference) {
    if (!reference->is_string())
      return schema_error(Errc::invalid_argument, path, "$ref must be a string");
    const json::value* target = TRY(find(std::string_view(reference->get_string()), path));
    merged.erase("$ref");
    const json::object resolved = TRY(resolve(*target, path, depth + 1));
    merged = TRY(merge(std::move(merged), resolved, path));
  }
  if (const json::value* parts = schema.get_object().if_contains("allOf")) {
    if (!parts->is_array() || parts->get_array().empty())
      return schema_error(Errc::invalid_argument, path,
                          "allOf must be a list of schemas, not empty");
    if (reference && merged.contains("allOf") && merged.at("allOf") != *parts)
      return schema_error(Errc::unsupported, path, "allOf beside a $ref to a schema with allOf");
    merged.erase("allOf");
    for (const json::value& part : parts->get_array()) {
      const json::object resolved = TRY(resolve(part, path + "/allOf", depth + 1));
      merged = TRY(merge(std::move(merged), resolved, path));
    }
  }
  return merged;
}

Result<json::object> SchemaSource::merge(json::object a, const json::object& b,
                                         const std::string& path) const {
  if (!closes_over(a, b) || !closes_over(b, a)) {
    return schema_error(Errc::unsupported, path,
                        "additionalProperties in one part of allOf (or beside $ref, anyOf) forbids "
                        "properties of another; name all properties in the part that has it");
  }
  for (const auto& member : b) {
    const std::string_view key = member.key();
    const json::value& theirs = member.value();
    json::value* ours = a.if_contains(key);
    if (!ours) {
      a[key] = theirs;
      continue;
    }
    if (*ours == theirs || is_annotation(key)) continue;
    const bool numbers = ours->is_number() && theirs.is_number();
    if (key == "type") {
      *ours = common_types(as_list(*ours), as_list(theirs));
    } else if (key == "enum" && ours->is_array() && theirs.is_array()) {
      json::array common;
      for (const json::value& value : ours->get_array())
        if (contains(theirs.get_array(), value)) common.push_back(value);
      *ours = std::move(common);
    } else if (key == "required" && ours->is_array() && theirs.is_array()) {
      for (const json::value& name : theirs.get_array())
        if (!contains(ours->get_array(), name)) ours->get_array().push_back(name);
    } else if (key == "properties" && ours->is_object() && theirs.is_object()) {
      for (const auto& property : theirs.get_object()) {
        json::value* mine = ours->get_object().if_contains(property.key());
        ours->get_object()[property.key()] =
            mine ? all_of(*mine, property.value()) : property.value();
      }
    } else if (numbers &&
               is_any_of(key, {"minimum", "exclusiveMinimum", "minLength", "minItems"})) {
      if (is_less(*ours, theirs)) *ours = theirs;
    } else if (numbers &&
               is_any_of(key, {"maximum", "exclusiveMaximum", "maxLength", "maxItems"})) {
      if (is_less(theirs, *ours)) *ours = theirs;
    } else if (key == "items") {
      *ours = all_of(*ours, theirs);
    } else if (key == "additionalProperties" && ours->is_bool() && theirs.is_bool()) {
      *ours = false;
    } else if (key == "const") {
      a["enum"] = json::array();
    } else {
      return schema_error(Errc::unsupported, path,
                          fmt::format("two different values of {} hold together (allOf, or beside "
                                      "$ref or anyOf); that is not supported for this keyword",
                                      key));
    }
  }
  return a;
}

}  // namespace drystone::constraint
