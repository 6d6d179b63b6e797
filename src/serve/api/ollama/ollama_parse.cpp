#include "serve/api/ollama/ollama_parse.h"

#include <fmt/format.h>

#include "serve/api/answer/conversation_builder.h"
#include "serve/api/answer/request_body.h"
#include "serve/api/answer/tool_request.h"
#include "serve/api/ollama/ollama_options.h"
#include "serve/http/limits.h"
#include "serve/http/request_fields.h"

namespace drystone {
namespace json = boost::json;

std::string ollama_error(const ApiError& error) {
  return json::serialize(json::value{{"error", error.message}});
}

namespace {

// "latest" is what clients add to a name without a tag.
std::string without_latest(std::string name) {
  constexpr std::string_view kTag = ":latest";
  if (name.ends_with(kTag)) name.resize(name.size() - kTag.size());
  return name;
}

void read_call(const json::value& value, const std::string& path, ConversationBuilder& out,
               RequestFields& errors) {
  if (!value.is_object()) return errors.wrong_kind(path, "an object", value);
  RequestFields call(value.get_object(), path + ".");
  std::string id, name;
  call.string("id", id);
  const json::object* function = call.object("function");
  json::value arguments = json::object{};
  if (function != nullptr) {
    RequestFields inner(*function, path + ".function.");
    inner.string("name", name);
    if (const json::value* found = inner.find("arguments"))
      arguments = found->is_string() ? arguments_value(found->get_string()) : *found;
    if (inner.error()) call.fail(*inner.error());
  }
  if (call.ok() && name.empty())
    call.fail("function", fmt::format("'{}.function.name' is missing.", path));
  if (call.error()) return errors.fail(*call.error());
  out.add_call(id, name, std::move(arguments));
}

void read_message(const json::value& value, const std::string& path, ConversationBuilder& out,
                  RequestFields& errors, std::vector<std::string>& ignored) {
  if (!value.is_object()) return errors.wrong_kind(path, "an object with 'role'", value);
  RequestFields message(value.get_object(), path + ".");
  std::string role, content, thinking, tool, id;
  message.string("role", role);
  message.string("content", content);
  message.string("thinking", thinking);
  if (role == "tool") message.string("name", tool);  // an older name
  message.string("tool_name", tool);
  message.string("tool_call_id", id);
  message.refuse("images", "this server reads text only");
  const json::array* calls = message.array("tool_calls");
  if (!message.ok()) return errors.fail(*message.error());
  note_unknown(message, path + ".", "messages", ignored);
  if (role == "system") {
    out.add_system(content);
  } else if (role == "user") {
    out.add_user(content);
  } else if (role == "tool") {
    out.add_result(id, tool, content);
  } else if (role == "assistant") {
    if (!thinking.empty()) out.add_reasoning(thinking);
    out.add_assistant_text(content);
    for (std::size_t i = 0; calls != nullptr && i < calls->size() && errors.ok(); ++i)
      read_call((*calls)[i], fmt::format("{}.tool_calls[{}]", path, i), out, errors);
  } else {
    errors.fail(path + ".role",
                fmt::format("'{}.role' must be 'system', 'user', 'assistant' or 'tool'.", path),
                "invalid_value");
  }
}

void read_tools(RequestFields& fields, ChatRequest& chat) {
  const json::array* tools = fields.array("tools");
  if (tools == nullptr) return;
  if (tools->size() > kToolsMax)
    return fields.fail("tools", fmt::format("'tools' has {} entries; at most {} are accepted.",
                                            tools->size(), kToolsMax));
  for (std::size_t i = 0; i < tools->size(); ++i) {
    if (tool_name((*tools)[i]).empty())
      return fields.fail("tools", fmt::format("'tools[{}].function.name' is missing.", i));
    const json::value* type = (*tools)[i].get_object().if_contains("type");
    if (type != nullptr && *type != json::value("function"))
      return fields.fail("tools", fmt::format("'tools[{}].type' must be \"function\".", i),
                         "unsupported_parameter");
  }
  chat.tools = *tools;
}

}  // namespace

ApiResult<OllamaRequest> parse_ollama_chat(std::string_view body) {
  const ApiResult<json::object> object = parse_object(body);
  if (!object) return object.error();
  RequestFields fields(*object);
  OllamaRequest request;
  ChatRequest& chat = request.chat;
  fields.string("model", chat.model);
  chat.model = without_latest(std::move(chat.model));
  read_common(fields, request, chat.options);
  read_tools(fields, chat);
  read_think(fields, chat);
  const json::array* messages = fields.array("messages");
  if (messages != nullptr && messages->size() > kMessagesMax)
    fields.fail("messages", fmt::format("'messages' has {} messages; at most {} are read.",
                                        messages->size(), kMessagesMax));
  ConversationBuilder conversation;
  for (std::size_t i = 0; messages != nullptr && i < messages->size() && fields.ok(); ++i)
    read_message((*messages)[i], fmt::format("messages[{}]", i), conversation, fields,
                 chat.options.ignored);
  if (fields.error()) return *fields.error();
  request.load_only = conversation.empty();
  chat.messages = conversation.take();
  for (std::string& name : fields.unknown()) chat.options.ignored.push_back(std::move(name));
  return request;
}

ApiResult<OllamaRequest> parse_ollama_generate(std::string_view body) {
  const ApiResult<json::object> object = parse_object(body);
  if (!object) return object.error();
  RequestFields fields(*object);
  OllamaRequest request;
  ChatRequest& chat = request.chat;
  std::string prompt, system, suffix;
  bool raw = false;
  fields.string("model", chat.model);
  chat.model = without_latest(std::move(chat.model));
  fields.string("prompt", prompt);
  fields.string("system", system);
  fields.string("suffix", suffix);
  fields.boolean("raw", raw);
  read_common(fields, request, chat.options);
  read_think(fields, chat);
  // Without the template nothing says where these would stand.
  if (raw) {
    fields.refuse("system", "with 'raw' the prompt goes to the model as it is");
    fields.refuse("suffix", "with 'raw' the prompt goes to the model as it is");
    fields.refuse("think", "with 'raw' the prompt goes to the model as it is");
  } else if (!suffix.empty()) {
    fields.refuse("system", "what stands between 'prompt' and 'suffix' is no conversation");
    fields.refuse("think", "what stands between 'prompt' and 'suffix' is no conversation");
  }
  fields.refuse("images", "this server reads text only");
  fields.refuse("template", "the model's own template is used; send 'raw' with a finished prompt");
  fields.refuse("context", "send the conversation to /api/chat");
  if (fields.error()) return *fields.error();
  for (std::string& name : fields.unknown()) chat.options.ignored.push_back(std::move(name));
  request.load_only = prompt.empty() && suffix.empty();
  if (raw || !suffix.empty()) {
    request.completion = {.model = chat.model, .options = chat.options};
    request.completion->prompts.emplace_back(std::move(prompt));
    if (!suffix.empty()) request.completion->suffix = std::move(suffix);
    return request;
  }
  ConversationBuilder conversation;
  if (!system.empty()) conversation.add_system(system);
  conversation.add_user(prompt);
  chat.messages = conversation.take();
  return request;
}

namespace {

void read_embed_inputs(RequestFields& fields, std::vector<std::string>& out) {
  const json::value* input = fields.find("input");
  if (input == nullptr) return;
  if (input->is_string() && !input->get_string().empty()) out.emplace_back(input->get_string());
  if (input->is_string()) return;
  if (!input->is_array())
    return fields.wrong_kind("input", "a string or an array of strings", *input);
  const json::array& texts = input->get_array();
  if (texts.size() > kVectorTextsMax)
    return fields.fail("input", fmt::format("'input' has {} texts; at most {} are accepted.",
                                            texts.size(), kVectorTextsMax));
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (!texts[i].is_string())
      return fields.wrong_kind(fmt::format("input[{}]", i), "a string", texts[i]);
    out.emplace_back(texts[i].get_string());
  }
}

// What both ask beside their texts. Sampling has no part in a vector.
ApiResult<OllamaEmbedRequest> read_embed(RequestFields& fields, OllamaEmbedRequest request) {
  fields.string("model", request.model);
  request.model = without_latest(std::move(request.model));
  fields.boolean("truncate", request.truncate);
  if (const auto dimensions = fields.integer("dimensions", 0, kTokensMax))
    request.dimensions = static_cast<std::uint32_t>(*dimensions);
  if (const json::object* found = fields.object("options")) {
    RequestFields options(*found, "options.");
    if (const auto context = options.integer("num_ctx", 0, kTokensMax))
      request.context = static_cast<std::uint32_t>(*context);
    accept_machine_options(options);
    if (options.error()) fields.fail(*options.error());
    request.ignored = options.unknown();
  }
  read_keep_alive_s(fields);
  if (fields.error()) return *fields.error();
  for (std::string& name : fields.unknown()) request.ignored.push_back(std::move(name));
  return request;
}

}  // namespace

ApiResult<OllamaEmbedRequest> parse_ollama_embed(std::string_view body) {
  const ApiResult<json::object> object = parse_object(body);
  if (!object) return object.error();
  RequestFields fields(*object);
  OllamaEmbedRequest request;
  read_embed_inputs(fields, request.inputs);
  return read_embed(fields, std::move(request));
}

ApiResult<OllamaEmbedRequest> parse_ollama_embeddings(std::string_view body) {
  const ApiResult<json::object> object = parse_object(body);
  if (!object) return object.error();
  RequestFields fields(*object);
  OllamaEmbedRequest request;
  std::string prompt;
  fields.string("prompt", prompt);
  if (!prompt.empty()) request.inputs.push_back(std::move(prompt));
  return read_embed(fields, std::move(request));
}

ApiResult<std::string> parse_ollama_model(std::string_view body) {
  const ApiResult<json::object> object = parse_object(body);
  if (!object) return object.error();
  RequestFields fields(*object);
  std::string model;
  fields.string("name", model);  // the older name
  fields.string("model", model);
  fields.refuse("verbose", "neither tensors nor tokens are listed");
  for (const std::string_view name : {"system", "template", "options"})
    fields.refuse(name, "the model is shown as it is");
  refuse_unknown(fields);
  if (fields.error()) return *fields.error();
  return without_latest(std::move(model));
}

}  // namespace drystone
