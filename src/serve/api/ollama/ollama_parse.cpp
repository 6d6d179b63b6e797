#include "serve/api/ollama/ollama_parse.h"

#include <fmt/format.h>

#include "serve/api/answer/conversation_builder.h"
#include "serve/api/answer/request_body.h"
#include "serve/api/answer/tool_request.h"
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

void read_sampling(RequestFields& options, GenerationOptions& out) {
  SamplingOptions& sampling = out.sampling;
  options.number("temperature", 0, 2, sampling.temperature);
  options.number("top_p", 0, 1, sampling.top_p);
  options.number("min_p", 0, 1, sampling.min_p);
  options.number("typical_p", 0, 1, sampling.typical_p);
  options.number("frequency_penalty", -2, 2, sampling.frequency_penalty);
  options.number("presence_penalty", -2, 2, sampling.presence_penalty);
  options.number("repeat_penalty", 0.01, 100, sampling.repetition_penalty);
  if (const auto top_k = options.integer("top_k", -1, kTokensMax))
    sampling.top_k = static_cast<std::uint32_t>(std::max<std::int64_t>(*top_k, 0));
  if (const auto window = options.integer("repeat_last_n", -1, kTokensMax))
    sampling.penalty_window = static_cast<std::uint32_t>(*window < 0 ? kTokensMax : *window);
  if (const auto seed = options.integer("seed", std::numeric_limits<std::int64_t>::min(),
                                        std::numeric_limits<std::int64_t>::max()))
    out.seed = static_cast<std::uint64_t>(*seed);
}

// How the server's machine computes is not the client's to choose.
void accept_machine_options(RequestFields& options) {
  options.accept({"num_keep", "num_batch", "num_gpu", "main_gpu", "num_thread", "use_mmap",
                  "use_mlock", "numa", "low_vram", "f16_kv", "logits_all", "vocab_only",
                  "embedding_only"});
}

void read_options(RequestFields& fields, OllamaRequest& request, GenerationOptions& out) {
  const json::object* found = fields.object("options");
  if (found == nullptr) return;
  RequestFields options(*found, "options.");
  read_sampling(options, out);
  read_stop(options, "stop", out.stop);
  // -1 and -2 are as many as there is room for.
  if (const auto tokens = options.integer("num_predict", -2, kTokensMax))
    out.tokens_max = static_cast<std::uint32_t>(std::max<std::int64_t>(*tokens, 0));
  if (const auto context = options.integer("num_ctx", 0, kTokensMax))
    request.context_min = static_cast<std::uint32_t>(*context);
  options.refuse("mirostat", "use 'top_p' or 'min_p'");
  float tail_free = 1;
  options.number("tfs_z", 0, 100, tail_free);
  if (tail_free != 1) options.fail("tfs_z", "'options.tfs_z' is not supported: use 'min_p'.");
  options.accept({"mirostat_eta", "mirostat_tau", "penalize_newline"});
  accept_machine_options(options);
  if (options.error()) fields.fail(*options.error());
  for (std::string& name : options.unknown()) out.ignored.push_back(std::move(name));
}

void read_format(RequestFields& fields, Constraint& out) {
  const json::value* format = fields.find("format");
  if (format == nullptr || *format == json::value("")) return;
  if (*format == json::value("json")) {
    out = {.kind = Constraint::Kind::json_object, .field = "format"};
  } else if (format->is_object() && json::serialize(*format).size() <= kConstraintBytesMax) {
    out = {.kind = Constraint::Kind::json_schema, .schema = *format, .field = "format"};
  } else {
    fields.fail("format",
                fmt::format("'format' must be \"json\" or a JSON schema of at most {} bytes.",
                            kConstraintBytesMax),
                "invalid_value");
  }
}

// true, false, or how hard.
void read_think(RequestFields& fields, ChatRequest& chat) {
  const json::value* think = fields.find("think");
  if (think == nullptr) return;
  if (think->is_bool()) {
    chat.template_variables["enable_thinking"] = think->get_bool();
    chat.include_reasoning = think->get_bool();
  } else if (think->is_string()) {
    chat.template_variables["enable_thinking"] = true;
    chat.template_variables["reasoning_effort"] = think->get_string();
  } else {
    fields.wrong_kind("think", "a boolean, \"low\", \"medium\" or \"high\"", *think);
  }
}

void read_keep_alive(RequestFields& fields, OllamaRequest& request) {
  const json::value* keep = fields.find("keep_alive");
  if (keep == nullptr) return;
  if (!keep->is_number() && !keep->is_string())
    return fields.wrong_kind("keep_alive", "a number of seconds or a duration", *keep);
  request.unload = keep->is_number() && keep->to_number<double>() == 0;
}

void read_common(RequestFields& fields, OllamaRequest& request, GenerationOptions& options) {
  options.stream = true;
  fields.boolean("stream", options.stream);
  read_options(fields, request, options);
  read_format(fields, options.constraint);
  read_keep_alive(fields, request);
  fields.refuse("logprobs", "use /v1/chat/completions");
  fields.refuse("top_logprobs", "use /v1/chat/completions");
  fields.accept({"truncate", "shift", "debug_render_only"});
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
                  RequestFields& errors) {
  if (!value.is_object()) return errors.wrong_kind(path, "an object with 'role'", value);
  RequestFields message(value.get_object(), path + ".");
  std::string role, content, thinking, tool, id;
  message.string("role", role);
  message.string("content", content);
  message.string("thinking", thinking);
  message.string("tool_name", tool);
  message.string("tool_call_id", id);
  message.refuse("images", "this server reads text only");
  const json::array* calls = message.array("tool_calls");
  if (!message.ok()) return errors.fail(*message.error());
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
  for (std::size_t i = 0; i < tools->size(); ++i)
    if (tool_name((*tools)[i]).empty())
      return fields.fail("tools", fmt::format("'tools[{}].function.name' is missing.", i));
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
    read_message((*messages)[i], fmt::format("messages[{}]", i), conversation, fields);
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
  fields.accept({"keep_alive"});
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
  if (fields.error()) return *fields.error();
  return without_latest(std::move(model));
}

}  // namespace drystone
