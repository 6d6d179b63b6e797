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
// `shown`: the name with its path.
bool is_first(RequestFields& fields, std::string_view name, const Constraint& out,
              std::string_view shown) {
  if (out.kind == Kind::none) return true;
  fields.fail(name,
              fmt::format("'{}' and '{}' both say what the answer has to be; send one of them.",
                          out.field, shown));
  return false;
}

bool is_first(RequestFields& fields, std::string_view name, const Constraint& out) {
  return is_first(fields, name, out, name);
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

// {"name", "schema", ...}: in an object "json_schema" of `format`, or in `format` itself. `strict`
// changes nothing: a schema is always kept to. `path`: that of `format`.
void read_named_schema(RequestFields& format, const std::string& path, bool inner,
                       Constraint& out) {
  const json::object* object = inner ? format.object("json_schema") : nullptr;
  if (!format.ok()) return;
  static const json::object kNone;
  RequestFields separate(object == nullptr ? kNone : *object, path + "json_schema.");
  RequestFields& holder = inner ? separate : format;
  holder.accept({"name", "description", "strict"});
  if (const json::value* schema = holder.find("schema"))
    set_schema(holder, "schema", *schema, out);
  else
    holder.fail("schema",
                fmt::format("'{}{}schema' is missing.", path, inner ? "json_schema." : ""));
  if (!inner) return;
  refuse_unknown(holder);
  if (holder.error()) format.fail(*holder.error());
}

Constraint read_kind_of_format(RequestFields& format, const std::string& path, bool inner) {
  Constraint out;
  std::string type;
  format.string("type", type);
  if (type == "json_object") {
    out.kind = Kind::json_object;
    if (const json::value* schema = format.find("schema")) {  // llama.cpp's way to say json_schema
      out.kind = Kind::none;
      set_schema(format, "schema", *schema, out);
    }
  } else if (type == "json_schema") {
    read_named_schema(format, path, inner, out);
  } else if (type == "regex" || type == "grammar") {
    if (const json::value* text = format.find(type))
      set_text(format, type, *text, type == "regex" ? Kind::regex : Kind::grammar, out);
    else
      format.fail(type, fmt::format("'{}{}' is missing.", path, type));
  } else if (type != "text") {
    format.fail("type",
                fmt::format("'{}type' must be \"text\", \"json_object\", \"json_schema\", "
                            "\"regex\" or \"grammar\".",
                            path),
                "invalid_value");
  }
  refuse_unknown(format);
  return out;
}

}  // namespace

void read_format(RequestFields& fields, FormatPlace place, Constraint& out) {
  const json::object* format = fields.object(place.name);
  if (format == nullptr) return;
  const std::string full = fmt::format("{}{}", place.path, place.name);
  RequestFields own(*format, full + ".");
  Constraint constraint = read_kind_of_format(own, full + ".", place.inner);
  if (own.error()) return fields.fail(*own.error());
  constraint.field = full;
  if (constraint.kind == Kind::none || !is_first(fields, place.name, out, full)) return;
  out = std::move(constraint);
}

void read_constraint(RequestFields& fields, Constraint& out) {
  read_format(fields, {.name = "response_format", .inner = true}, out);
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
  refuse_unknown(own);
  if (own.error()) fields.fail(*own.error());
}

}  // namespace drystone
