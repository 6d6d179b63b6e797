#include "serve/api/anthropic/anthropic_parse.h"

#include <fmt/format.h>

#include "serve/api/answer/request_body.h"
#include "serve/api/answer/tool_request.h"
#include "serve/http/limits.h"

namespace drystone {
namespace json = boost::json;

namespace {

void read_tool(RequestFields& fields, const json::value& value, std::size_t index, json::array& out,
               std::vector<std::string>& ignored) {
  const std::string path = fmt::format("tools[{}]", index);
  if (!value.is_object()) return fields.wrong_kind(path, "an object", value);
  RequestFields tool(value.get_object(), path + ".");
  std::string type = "custom", name, description;
  tool.string("type", type);
  tool.string("name", name);
  tool.string("description", description);
  if (tool.ok() && type != "custom")
    tool.fail("type",
              fmt::format("'{}' is a tool that Anthropic's machines run or define; this server "
                          "knows tools with an 'input_schema' only.",
                          path),
              "unsupported_parameter");
  const json::object* schema = tool.object("input_schema");
  if (tool.ok() && (name.empty() || schema == nullptr))
    tool.fail(name.empty() ? "name" : "input_schema",
              fmt::format("'{}' needs 'name' and 'input_schema'.", path));
  tool.accept({"cache_control", "strict"});
  if (tool.error()) return fields.fail(*tool.error());
  note_unknown(tool, path + ".", "tools", ignored);
  out.push_back(function_tool(name, description, *schema));
}

void read_tools(RequestFields& fields, ChatRequest& request) {
  if (const json::array* tools = fields.array("tools")) {
    if (tools->size() > kToolsMax)
      return fields.fail("tools", fmt::format("'tools' has {} entries; at most {} are accepted.",
                                              tools->size(), kToolsMax));
    for (std::size_t i = 0; i < tools->size() && fields.ok(); ++i)
      read_tool(fields, (*tools)[i], i, request.tools, request.options.ignored);
  }
  const json::object* choice = fields.object("tool_choice");
  if (choice == nullptr) return;
  RequestFields inner(*choice, "tool_choice.");
  std::string type, name;
  bool one = false;
  inner.string("type", type);
  if (type == "tool") inner.string("name", name);
  if (type != "none") inner.boolean("disable_parallel_tool_use", one);
  request.parallel_tool_calls = !one;
  if (type == "none")
    request.tool_choice.kind = ToolChoice::Kind::none;
  else if (type == "any")
    request.tool_choice.kind = ToolChoice::Kind::required;
  else if (type == "tool")
    request.tool_choice = {.kind = ToolChoice::Kind::named, .name = std::move(name)};
  else if (type != "auto")
    inner.fail("type", "'tool_choice.type' must be \"auto\", \"any\", \"tool\" or \"none\".",
               "invalid_value");
  refuse_unknown(inner);
  if (inner.error()) return fields.fail(*inner.error());
  if (fields.ok()) check_tool_choice(fields, request);
}

// Absent is off, as in this API; a template without a switch thinks as it likes, and what it
// thinks is left out then.
void read_thinking(RequestFields& fields, ChatRequest& request) {
  std::string type = "disabled", display = "summarized";
  if (const json::object* thinking = fields.object("thinking")) {
    RequestFields inner(*thinking, "thinking.");
    inner.string("type", type);
    inner.integer("budget_tokens", 1, kTokensMax);
    if (inner.ok() && type != "enabled" && type != "disabled" && type != "adaptive")
      inner.fail("type", "'thinking.type' must be \"enabled\", \"disabled\" or \"adaptive\".",
                 "invalid_value");
    inner.string("display", display);
    if (inner.ok() && display != "summarized" && display != "omitted")
      inner.fail("display", "'thinking.display' must be \"summarized\" or \"omitted\".",
                 "invalid_value");
    refuse_unknown(inner);
    if (inner.error()) return fields.fail(*inner.error());
  }
  request.include_reasoning = type != "disabled" && display != "omitted";
  if (type != "adaptive") request.template_variables["enable_thinking"] = type == "enabled";
}

// `full`: the name with its path.
void read_format(RequestFields& fields, std::string_view name, const std::string& full,
                 Constraint& out) {
  const json::object* found = fields.object(name);
  if (found == nullptr) return;
  RequestFields format(*found, full + ".");
  const json::value* type = format.find("type");
  const json::value* schema = format.find("schema");
  refuse_unknown(format);
  if (format.error()) return fields.fail(*format.error());
  if (type == nullptr || *type != json::value("json_schema") || schema == nullptr ||
      json::serialize(*schema).size() > kConstraintBytesMax)
    return fields.fail(name,
                       fmt::format("'{}' must be {{\"type\": \"json_schema\", \"schema\": ...}}, "
                                   "with at most {} bytes of schema.",
                                   full, kConstraintBytesMax),
                       "invalid_value");
  if (out.kind != Constraint::Kind::none)
    return fields.fail(name,
                       fmt::format("'{}' and '{}' both say what the answer has to be; send one of "
                                   "them.",
                                   out.field, full));
  out = {.kind = Constraint::Kind::json_schema, .schema = *schema, .field = full};
}

void read_output(RequestFields& fields, ChatRequest& request) {
  Constraint& constraint = request.options.constraint;
  read_format(fields, "output_format", "output_format", constraint);
  const json::object* config = fields.object("output_config");
  if (config == nullptr) return;
  RequestFields inner(*config, "output_config.");
  const std::string effort = read_effort(inner, "output_config.", "effort");
  if (!effort.empty()) request.template_variables["reasoning_effort"] = effort;
  read_format(inner, "format", "output_config.format", constraint);
  refuse_unknown(inner);
  if (inner.error()) fields.fail(*inner.error());
}

void read_sampling(RequestFields& fields, GenerationOptions& options) {
  fields.number("temperature", 0, 2, options.sampling.temperature);
  fields.number("top_p", 0, 1, options.sampling.top_p);
  if (const auto top_k = fields.integer("top_k", 0, kTokensMax))
    options.sampling.top_k = static_cast<std::uint32_t>(*top_k);
  read_stop(fields, "stop_sequences", options.stop);
  fields.boolean("stream", options.stream);
}

void refuse_others(RequestFields& fields) {
  fields.refuse("container", "this server runs no code");
  fields.refuse("mcp_servers", "this server reaches nothing outside; the client must call them");
  fields.accept({"metadata", "service_tier", "context_management", "inference_geo", "speed",
                 "cache_control"});
}

}  // namespace

ApiResult<ChatRequest> parse_messages_request(std::string_view body, bool counting) {
  const ApiResult<json::object> object = parse_object(body);
  if (!object) return object.error();
  RequestFields fields(*object);
  ChatRequest request;
  fields.string("model", request.model);
  request.messages = read_anthropic_messages(fields, request.options.ignored);
  const auto tokens = fields.integer("max_tokens", 1, kTokensMax);
  if (!tokens && !counting && fields.ok())
    fields.fail("max_tokens", "'max_tokens' is missing: how long may the answer be?");
  request.options.tokens_max = static_cast<std::uint32_t>(tokens.value_or(0));
  read_sampling(fields, request.options);
  read_tools(fields, request);
  read_thinking(fields, request);
  read_output(fields, request);
  refuse_others(fields);
  if (fields.error()) return *fields.error();
  if (!counting && request.messages.back().at("role") == json::value("assistant"))
    return invalid_request(
        "messages",
        "The last message is the assistant's, but an answer here is always a new "
        "message and goes on with no other; end with a message of the user.",
        "unsupported_parameter");
  for (std::string& name : fields.unknown()) request.options.ignored.push_back(std::move(name));
  return request;
}

}  // namespace drystone
