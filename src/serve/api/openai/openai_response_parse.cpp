#include <fmt/format.h>

#include <algorithm>

#include "serve/api/answer/conversation_builder.h"
#include "serve/api/answer/request_body.h"
#include "serve/api/answer/tool_request.h"
#include "serve/api/openai/openai_options.h"
#include "serve/api/openai/openai_response_items.h"
#include "serve/api/openai/openai_responses.h"
#include "serve/http/limits.h"

namespace drystone {
namespace json = boost::json;

namespace {

// Functions; tools that only OpenAI's own machines run are left out, so that agents which always
// offer them work. The header of ignored parameters names them.
void read_tools(RequestFields& fields, ResponseRequest& request) {
  ChatRequest& chat = request.chat;
  if (const json::array* tools = fields.array("tools")) {
    if (tools->size() > kToolsMax)
      return fields.fail("tools", fmt::format("'tools' has {} entries; at most {} are accepted.",
                                              tools->size(), kToolsMax));
    for (std::size_t i = 0; i < tools->size() && fields.ok(); ++i) {
      const std::string path = fmt::format("tools[{}]", i);
      if (!(*tools)[i].is_object()) return fields.wrong_kind(path, "an object", (*tools)[i]);
      RequestFields tool((*tools)[i].get_object(), path + ".");
      std::string type, name, description;
      tool.string("type", type);
      if (type == "function") {
        tool.string("name", name);
        tool.string("description", description);
        const json::value* parameters = tool.find("parameters");
        if (tool.ok() && name.empty())
          tool.fail("name", fmt::format("'{}.name' is missing.", path));
        chat.tools.push_back(
            function_tool(name, description, parameters == nullptr ? json::value() : *parameters));
        tool.accept({"strict"});
        note_unknown(tool, path + ".", "tools", chat.options.ignored);
      } else {
        note_ignored("tools." + type, chat.options.ignored);
      }
      if (tool.error()) return fields.fail(*tool.error());
    }
    request.echo["tools"] = *tools;
  }
  fields.boolean("parallel_tool_calls", chat.parallel_tool_calls);
  const json::value* choice = fields.find("tool_choice");
  if (choice == nullptr) return;
  request.echo["tool_choice"] = *choice;
  std::string name;
  if (const json::object* named = choice->if_object()) {
    RequestFields inner(*named, "tool_choice.");
    std::string type;
    inner.string("type", type);
    inner.string("name", name);
    if (inner.ok() && type != "function")
      inner.fail("type", "'tool_choice.type' must be \"function\".", "unsupported_parameter");
    refuse_unknown(inner);
    if (inner.error()) return fields.fail(*inner.error());
  }
  if (*choice == json::value("none"))
    chat.tool_choice.kind = ToolChoice::Kind::none;
  else if (*choice == json::value("required"))
    chat.tool_choice.kind = ToolChoice::Kind::required;
  else if (!name.empty())
    chat.tool_choice = {.kind = ToolChoice::Kind::named, .name = name};
  else if (*choice != json::value("auto"))
    return fields.fail("tool_choice",
                       "'tool_choice' must be \"auto\", \"none\", \"required\" or a function.",
                       "invalid_value");
  if (fields.ok()) check_tool_choice(fields, chat);
}

void read_inner(RequestFields& fields, ResponseRequest& request) {
  if (const json::object* reasoning = fields.object("reasoning")) {
    RequestFields inner(*reasoning, "reasoning.");
    const std::string effort = read_effort(inner, "reasoning.", "effort");
    inner.accept({"summary", "generate_summary"});
    refuse_unknown(inner);
    if (!effort.empty()) request.chat.template_variables["reasoning_effort"] = effort;
    if (effort == "none") request.chat.template_variables["enable_thinking"] = false;
    if (inner.error()) fields.fail(*inner.error());
    request.echo["reasoning"] = *reasoning;
  }
  if (const json::object* text = fields.object("text")) {
    RequestFields inner(*text, "text.");
    read_format(inner, {.path = "text.", .name = "format"}, request.chat.options.constraint);
    inner.accept({"verbosity"});
    refuse_unknown(inner);
    if (inner.error()) fields.fail(*inner.error());
    request.echo["text"] = *text;
  }
}

void refuse_others(RequestFields& fields, const ResponseRequest& request) {
  fields.refuse("background", "an answer is given while the client waits");
  fields.refuse("conversation", "send 'previous_response_id' or the whole conversation");
  fields.refuse("prompt", "templates of prompts are kept by OpenAI only");
  for (const std::string_view name : {"logprobs", "top_logprobs"})
    fields.refuse(name, "responses carry no logprobs here; use /v1/chat/completions");
  for (const std::string_view name : {"max_tokens", "max_completion_tokens"})
    fields.refuse(name, "use 'max_output_tokens'");
  if (request.chat.options.choices > 1)
    fields.fail("n", "'n' is not supported: a response has one answer.", "unsupported_parameter");
  fields.accept({"truncation", "max_tool_calls", "client_metadata"});
}

// What OpenAI's own tools would add, or what clients sent themselves: there is none of it.
constexpr std::string_view kForeignIncludes[] = {
    "web_search_call.action.sources", "web_search_call.results",
    "code_interpreter_call.outputs",  "computer_call_output.output.image_url",
    "file_search_call.results",       "message.input_image.image_url"};

void read_include(RequestFields& fields, ResponseRequest& request) {
  const json::array* names = fields.array("include");
  if (names == nullptr) return;
  for (std::size_t i = 0; i < names->size(); ++i) {
    const std::string path = fmt::format("include[{}]", i);
    if (!(*names)[i].is_string()) return fields.wrong_kind(path, "a string", (*names)[i]);
    const std::string_view name = (*names)[i].get_string();
    if (name == "reasoning.encrypted_content")
      request.seal_reasoning = true;
    else if (std::ranges::find(kForeignIncludes, name) == std::end(kForeignIncludes))
      return fields.fail(path,
                         fmt::format("'{}' must be \"reasoning.encrypted_content\"; there is "
                                     "nothing else to include here.",
                                     path),
                         "unsupported_parameter");
  }
}

}  // namespace

ApiResult<ResponseRequest> parse_response_request(std::string_view body,
                                                  const ResponseStore& store) {
  const ApiResult<json::object> object = parse_object(body);
  if (!object) return object.error();
  RequestFields fields(*object);
  ResponseRequest request;
  ChatRequest& chat = request.chat;
  fields.string("model", chat.model);
  read_options(fields, chat.options);
  if (const auto tokens = fields.integer("max_output_tokens", 1, kTokensMax))
    chat.options.tokens_max = static_cast<std::uint32_t>(*tokens);
  fields.boolean("store", request.store);
  read_tools(fields, request);
  read_inner(fields, request);
  read_include(fields, request);
  refuse_others(fields, request);
  std::string instructions, previous;
  fields.string("instructions", instructions);
  fields.string("previous_response_id", previous);
  ConversationBuilder input;
  if (fields.ok()) read_response_input(fields, input, chat.options.ignored);
  if (fields.error()) return *fields.error();
  if (!previous.empty()) {
    auto history = store.history(previous);
    if (!history) return history.error();
    request.history = *std::move(history);
  }
  for (json::value& message : input.take()) request.history.push_back(std::move(message));
  ConversationBuilder head;
  if (!instructions.empty()) head.add_system(instructions);
  chat.messages = head.take();
  if (request.history.empty())
    return invalid_request("input", "'input' has nothing in it that could be answered.");
  for (const json::value& message : request.history) {
    const bool joins = chat.messages.size() == 1 && !instructions.empty() &&
                       message.at("role") == json::value("system");
    if (!joins) {
      chat.messages.push_back(message);
      continue;
    }
    json::value& first = chat.messages[0].at("content");
    first =
        std::string(first.get_string()) + "\n\n" + std::string(message.at("content").get_string());
  }
  for (const char* key : {"instructions", "previous_response_id", "max_output_tokens",
                          "temperature", "top_p", "metadata", "user", "truncation"})
    if (const json::value* value = object->if_contains(key)) request.echo[key] = *value;
  for (std::string& name : fields.unknown()) chat.options.ignored.push_back(std::move(name));
  return request;
}

}  // namespace drystone
