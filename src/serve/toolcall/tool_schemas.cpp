#include "serve/toolcall/tool_schemas.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace drystone::reply {
namespace json = boost::json;

namespace {

constexpr unsigned kString = 1, kInteger = 2, kNumber = 4, kBoolean = 8, kNull = 16, kObject = 32,
                   kArray = 64, kAny = 127;
constexpr int kStepsMax = 200;  // schemas come from strangers, and may refer to themselves

unsigned type_named(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, unsigned>, 7> kTypes = {{
      {"string", kString},
      {"integer", kInteger},
      {"number", kNumber | kInteger},
      {"boolean", kBoolean},
      {"null", kNull},
      {"object", kObject},
      {"array", kArray},
  }};
  for (const auto& [type, bits] : kTypes)
    if (type == name) return bits;
  return kAny;
}

unsigned type_of(const json::value& value) {
  if (value.is_string()) return kString;
  if (value.is_int64() || value.is_uint64()) return kInteger;
  if (value.is_double()) return kNumber;
  if (value.is_bool()) return kBoolean;
  if (value.is_null()) return kNull;
  return value.is_object() ? kObject : kArray;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t first = std::min(text.find_first_not_of(kSpace), text.size());
  text.remove_prefix(first);
  return text.substr(0, text.find_last_not_of(kSpace) + 1);  // npos + 1 is 0: nothing is left
}

// Templates that print values as Python does.
std::string_view json_word(std::string_view text) {
  if (text == "True") return "true";
  if (text == "False") return "false";
  if (text == "None") return "null";
  return text;
}

std::string quoted(std::string_view text) { return '"' + json_escaped(text) + '"'; }

// What "#/$defs/x" points to within `root`; null: nothing.
const json::value* referred(const json::value& root, std::string_view reference) {
  if (!reference.starts_with('#')) return nullptr;
  boost::system::error_code failed;
  return root.find_pointer(reference.substr(1), failed);
}

}  // namespace

const json::object* function_of(const json::value& tool) {
  const json::object* object = tool.if_object();
  if (object == nullptr) return nullptr;
  if (const json::value* inner = object->if_contains("function")) object = inner->if_object();
  if (object == nullptr) return nullptr;
  const json::value* name = object->if_contains("name");
  return name != nullptr && name->is_string() && !name->get_string().empty() ? object : nullptr;
}

ToolSchemas::ToolSchemas(const json::array& tools) {
  for (const json::value& tool : tools) {
    const json::object* function = function_of(tool);
    if (function == nullptr) continue;
    const json::value* parameters = function->if_contains("parameters");
    parameters_[std::string(function->at("name").get_string())] =
        parameters == nullptr ? json::value(json::object()) : *parameters;
  }
}

unsigned ToolSchemas::types_of(const json::value& schema, const json::value& root,
                               int& steps) const {
  const json::object* object = schema.if_object();
  if (object == nullptr || --steps < 0) return kAny;
  unsigned types = kAny;
  const auto either = [&](const json::array& alternatives) {
    unsigned any = 0;
    for (const json::value& one : alternatives) any |= types_of(one, root, steps);
    return any == 0 ? kAny : any;
  };
  for (const auto& [key, value] : *object) {
    const json::array* list = value.if_array();
    if (key == "type" && value.is_string()) {
      types &= type_named(value.get_string());
    } else if (key == "type" && list != nullptr) {
      unsigned any = 0;
      for (const json::value& type : *list)
        any |= type.is_string() ? type_named(type.get_string()) : 0;
      types &= any;
    } else if (key == "enum" && list != nullptr) {
      unsigned any = 0;
      for (const json::value& one : *list) any |= type_of(one);
      types &= any;
    } else if (key == "const") {
      types &= type_of(value);
    } else if ((key == "anyOf" || key == "oneOf") && list != nullptr) {
      types &= either(*list);
    } else if (key == "allOf" && list != nullptr) {
      for (const json::value& one : *list) types &= types_of(one, root, steps);
    } else if (key == "$ref" && value.is_string()) {
      const json::value* target = referred(root, value.get_string());
      if (target != nullptr) types &= types_of(*target, root, steps);
    }
  }
  return types == 0 ? kAny : types;
}

unsigned ToolSchemas::types_of(std::string_view tool, std::string_view parameter) const {
  const auto found = parameters_.find(tool);
  if (found == parameters_.end()) return kAny;
  const json::object* schema = found->second.if_object();
  const json::value* properties = schema == nullptr ? nullptr : schema->if_contains("properties");
  if (properties == nullptr || !properties->is_object()) return kAny;
  const json::value* property = properties->get_object().if_contains(parameter);
  int steps = kStepsMax;
  return property == nullptr ? kAny : types_of(*property, found->second, steps);
}

bool ToolSchemas::may_be_text(std::string_view tool, std::string_view parameter) const {
  return (types_of(tool, parameter) & kString) != 0;
}

bool ToolSchemas::is_text(std::string_view tool, std::string_view parameter) const {
  return types_of(tool, parameter) == kString;
}

std::string ToolSchemas::json_of(std::string_view tool, std::string_view parameter,
                                 std::string_view text) const {
  const unsigned types = types_of(tool, parameter);
  const std::string_view word = json_word(trimmed(text));
  boost::system::error_code failed;
  const json::value value = json::parse(word, failed, {}, {.max_depth = 64});
  if (failed) return quoted(text);
  const unsigned type = type_of(value);
  if (type == kString) return (types & kString) != 0 ? quoted(text) : std::string(word);
  // 3.0 is an integer, too; and where the schema has no string, what fits best is the value.
  const bool fits = (types & type) != 0 || (type == kNumber && (types & kInteger) != 0);
  return fits || (types & kString) == 0 ? std::string(word) : quoted(text);
}

std::string json_escaped(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\r') {
      out += "\\r";
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace drystone::reply
