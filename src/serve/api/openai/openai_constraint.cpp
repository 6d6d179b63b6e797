#include <fmt/format.h>

#include "serve/api/openai/openai_options.h"
#include "serve/http/limits.h"

namespace drystone {
namespace json = boost::json;

namespace {

using Kind = Constraint::Kind;

bool fits(RequestFields& fields, std::string_view name, std::size_t bytes) {
  if (bytes <= kConstraintBytesMax) return true;
  fields.fail(name, fmt::format("'{}' has {} bytes; at most {} are accepted.", name, bytes,
                                kConstraintBytesMax));
  return false;
}

// False, with an error, when there is a constraint already: two cannot both be honoured unseen.
bool is_first(RequestFields& fields, std::string_view name, const Constraint& out) {
  if (out.kind == Kind::none) return true;
  fields.fail(name,
              fmt::format("'{}' and '{}' both say what the answer has to be; send one of them.",
                          out.field, name));
  return false;
}

void set_schema(RequestFields& fields, std::string_view name, const json::value& schema,
                Constraint& out) {
  if (!schema.is_object() && !schema.is_bool())
    return fields.wrong_kind(name, "a JSON schema", schema);
  if (!is_first(fields, name, out) || !fits(fields, name, json::serialize(schema).size())) return;
  out = {.kind = Kind::json_schema, .schema = schema, .field = std::string(name)};
}

void set_text(RequestFields& fields, std::string_view name, const json::value& text, Kind kind,
              Constraint& out) {
  if (!text.is_string()) return fields.wrong_kind(name, "a string", text);
  if (!is_first(fields, name, out) || !fits(fields, name, text.get_string().size())) return;
  out = {.kind = kind, .text = std::string(text.get_string()), .field = std::string(name)};
}

void set_choices(RequestFields& fields, std::string_view name, const json::value& choices,
                 Constraint& out) {
  if (!choices.is_array() || choices.get_array().empty())
    return fields.wrong_kind(name, "an array of at least one string", choices);
  if (!is_first(fields, name, out) || !fits(fields, name, json::serialize(choices).size())) return;
  Constraint constraint{.kind = Kind::choice, .field = std::string(name)};
  for (const json::value& choice : choices.get_array()) {
    if (!choice.is_string()) return fields.wrong_kind(name, "an array of strings", choices);
    constraint.choices.emplace_back(choice.get_string());
  }
  out = std::move(constraint);
}

void set_kind(RequestFields& fields, std::string_view name, std::string_view kind,
              const json::value& value, Constraint& out) {
  if (kind == "json") set_schema(fields, name, value, out);
  if (kind == "regex") set_text(fields, name, value, Kind::regex, out);
  if (kind == "grammar") set_text(fields, name, value, Kind::grammar, out);
  if (kind == "choice") set_choices(fields, name, value, out);
  if (kind != "json_object") return;
  if (!value.is_bool()) return fields.wrong_kind(name, "a boolean for json_object", value);
  if (value.get_bool() && is_first(fields, name, out))
    out = {.kind = Kind::json_object, .field = std::string(name)};
}

constexpr std::string_view kKinds[] = {"json", "regex", "grammar", "choice", "json_object"};

}  // namespace

void read_format(RequestFields& fields, std::string_view name, bool inner, Constraint& out) {
  const json::object* format = fields.object(name);
  if (format == nullptr) return;
  RequestFields own(*format, std::string(name) + ".");
  std::string type;
  own.string("type", type);
  if (own.error()) return fields.fail(*own.error());
  const std::string schema_name = fmt::format("{}{}.schema", name, inner ? ".json_schema" : "");
  if (type == "text") return;
  if (type == "json_object") {
    out = {.kind = Kind::json_object, .field = std::string(name)};
  } else if (type == "json_schema") {
    const json::object* holder = inner ? own.object("json_schema") : format;
    if (own.error()) return fields.fail(*own.error());
    const json::value* schema = holder == nullptr ? nullptr : holder->if_contains("schema");
    if (schema == nullptr) return fields.fail(name, fmt::format("'{}' is missing.", schema_name));
    set_schema(fields, schema_name, *schema, out);
    out.field = name;
  } else if (type == "regex" || type == "grammar") {
    const json::value* text = own.find(type);
    if (text == nullptr) return fields.fail(name, fmt::format("'{}.{}' is missing.", name, type));
    set_text(fields, name, *text, type == "regex" ? Kind::regex : Kind::grammar, out);
  } else {
    fields.fail(name,
                fmt::format("'{}.type' must be \"text\", \"json_object\", \"json_schema\", "
                            "\"regex\" or \"grammar\".",
                            name),
                "invalid_value");
  }
}

void read_constraint(RequestFields& fields, Constraint& out) {
  read_format(fields, "response_format", /*inner=*/true, out);
  if (const json::value* schema = fields.find("json_schema"))  // llama.cpp's names
    set_schema(fields, "json_schema", *schema, out);
  if (const json::value* grammar = fields.find("grammar"))
    set_text(fields, "grammar", *grammar, Kind::grammar, out);
  for (const std::string_view kind : kKinds) {  // vLLM's names, old and new
    const std::string name = fmt::format("guided_{}", kind);
    if (const json::value* value = fields.find(name)) set_kind(fields, name, kind, *value, out);
  }
  const json::object* outputs = fields.object("structured_outputs");
  if (outputs == nullptr) return;
  RequestFields own(*outputs, "structured_outputs.");
  for (const std::string_view kind : kKinds)
    if (const json::value* value = own.find(kind))
      set_kind(fields, "structured_outputs", kind, *value, out);
  own.refuse("structural_tag", "use 'tools'");
  if (own.error()) fields.fail(*own.error());
}

}  // namespace drystone
