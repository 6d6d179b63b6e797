#include "serve/api/openai/openai_parse.h"

#include <fmt/format.h>

#include <charconv>

#include "serve/api/openai/openai_messages.h"
#include "serve/http/limits.h"

namespace drystone {
namespace json = boost::json;

namespace {

constexpr std::int64_t kInt64Max = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kTokensMax = 1 << 30;  // beyond any context
constexpr std::uint32_t kCompletionTokensDefault = 16;

ApiResult<json::object> parse_body(std::string_view body) {
  if (body.empty()) return invalid_request({}, "The request has no body; send a JSON object.");
  json::parse_options options;
  options.max_depth = kJsonDepthMax;
  json::stream_parser parser({}, options);
  json::error_code error;
  const std::size_t read = parser.write_some(body.data(), body.size(), error);
  if (!error) parser.finish(error);
  if (!error && read < body.size()) error = json::error::extra_data;
  if (error)
    return invalid_request(
        {}, fmt::format("The body is not valid JSON near byte {}: {}.", read, error.message()),
        "invalid_json");
  json::value value = parser.release();
  if (!value.is_object())
    return invalid_request(
        {}, fmt::format("The body must be a JSON object, but is {}.", kind_name(value)));
  return std::move(value.get_object());
}

void read_stop(RequestFields& fields, std::vector<std::string>& out) {
  const json::value* value = fields.find("stop");
  if (value == nullptr) return;
  const auto add = [&](std::string_view name, const json::value& text) {
    if (!text.is_string()) return fields.wrong_kind(name, "a string", text);
    const std::size_t bytes = text.get_string().size();
    if (bytes == 0 || bytes > kStopBytesMax)
      return fields.fail(name, fmt::format("'{}' has {} bytes; a stop string has 1 to {}.", name,
                                           bytes, kStopBytesMax));
    out.emplace_back(text.get_string());
  };
  if (value->is_string()) return add("stop", *value);
  if (!value->is_array())
    return fields.wrong_kind("stop", "a string or an array of strings", *value);
  const json::array& stops = value->get_array();
  if (stops.size() > kStopStringsMax)
    return fields.fail("stop", fmt::format("'stop' has {} strings; at most {} are accepted.",
                                           stops.size(), kStopStringsMax));
  for (std::size_t i = 0; i < stops.size(); ++i) add(fmt::format("stop[{}]", i), stops[i]);
}

void read_logit_bias(RequestFields& fields, SamplingOptions& sampling) {
  const json::object* biases = fields.object("logit_bias");
  if (biases == nullptr) return;
  if (biases->size() > kLogitBiasMax)
    return fields.fail("logit_bias",
                       fmt::format("'logit_bias' has {} entries; at most {} are accepted.",
                                   biases->size(), kLogitBiasMax));
  RequestFields entries(*biases, "logit_bias.");
  for (const auto& [key, value] : *biases) {
    TokenId id = 0;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
    if (error != std::errc{} || end != key.data() + key.size() || id < 0)
      return fields.fail(
          "logit_bias",
          "'logit_bias' must map token ids to numbers, but has a key that is no token id.");
    float bias = 0;
    entries.number(key, -100, 100, bias);
    if (entries.error()) return fields.fail(*entries.error());
    sampling.logit_bias.emplace_back(id, bias);
  }
}

void read_sampling(RequestFields& fields, GenerationOptions& options) {
  SamplingOptions& sampling = options.sampling;
  fields.number("temperature", 0, 2, sampling.temperature);
  fields.number("top_p", 0, 1, sampling.top_p);
  fields.number("min_p", 0, 1, sampling.min_p);
  fields.number("typical_p", 0, 1, sampling.typical_p);
  fields.number("frequency_penalty", -2, 2, sampling.frequency_penalty);
  fields.number("presence_penalty", -2, 2, sampling.presence_penalty);
  fields.number("repeat_penalty", 0.01, 100, sampling.repetition_penalty);  // llama.cpp's name
  fields.number("repetition_penalty", 0.01, 100, sampling.repetition_penalty);
  if (const auto top_k = fields.integer("top_k", -1, kTokensMax))
    sampling.top_k = static_cast<std::uint32_t>(*top_k < 0 ? 0 : *top_k);
  if (const auto window = fields.integer("repeat_last_n", 0, kTokensMax))
    sampling.penalty_window = static_cast<std::uint32_t>(*window);
  if (const auto seed = fields.integer("seed", std::numeric_limits<std::int64_t>::min(), kInt64Max))
    options.seed = static_cast<std::uint64_t>(*seed);
  read_logit_bias(fields, sampling);
}

void read_stream(RequestFields& fields, GenerationOptions& options) {
  fields.boolean("stream", options.stream);
  const json::object* stream_options = fields.object("stream_options");
  if (stream_options == nullptr) return;
  if (!options.stream && fields.ok())
    return fields.fail("stream_options", "'stream_options' is only allowed when 'stream' is true.");
  RequestFields inner(*stream_options, "stream_options.");
  inner.boolean("include_usage", options.include_usage);
  inner.accept({"include_obfuscation", "continuous_usage_stats"});
  if (inner.error()) fields.fail(*inner.error());
}

// What both endpoints refuse: each would change the answer.
void refuse_unsupported(RequestFields& fields) {
  if (const auto n = fields.integer("n", 1, 128); n && *n > 1)
    fields.fail(
        "n",
        fmt::format("'n' is {}; this server gives one answer per request, so only 1 is accepted.",
                    *n),
        "unsupported_parameter");
  for (const std::string_view name : {"structured_outputs", "guided_json", "guided_regex",
                                      "guided_choice", "guided_grammar", "json_schema", "grammar"})
    fields.refuse(name, "this server does not constrain the output");
  fields.refuse("stop_token_ids", "give the text in 'stop'");
  fields.refuse("min_tokens", "use 'ignore_eos' and 'max_tokens'");
  fields.refuse("bad_words", "use 'logit_bias'");
  fields.refuse("allowed_token_ids", "use 'logit_bias'");
  fields.refuse("prompt_logprobs", "only generated tokens carry logprobs");
  fields.refuse("use_beam_search", "answers are sampled");
  fields.refuse("truncate_prompt_tokens", "shorten the prompt");
  fields.accept(
      {"user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key"});
}

void read_common(RequestFields& fields, std::string& model, GenerationOptions& options) {
  fields.string("model", model);
  read_sampling(fields, options);
  read_stop(fields, options.stop);
  read_stream(fields, options);
  fields.boolean("ignore_eos", options.ignore_eos);
  refuse_unsupported(fields);
}

void read_chat_length(RequestFields& fields, GenerationOptions& options) {
  for (const std::string_view name :
       {"max_tokens", "max_completion_tokens"})  // the later name wins
    if (const auto tokens = fields.integer(name, 1, kTokensMax))
      options.tokens_max = static_cast<std::uint32_t>(*tokens);
}

void read_chat_logprobs(RequestFields& fields, GenerationOptions& options) {
  bool wanted = false;
  fields.boolean("logprobs", wanted);
  const auto top = fields.integer("top_logprobs", 0, kTopLogprobsMax);
  if (top && *top > 0 && !wanted)
    return fields.fail("top_logprobs", "'top_logprobs' needs 'logprobs' to be true.");
  if (wanted) options.top_logprobs = static_cast<std::uint32_t>(top.value_or(0));
}

void refuse_chat_only(RequestFields& fields) {
  fields.refuse("functions", "functions were replaced by tools; send 'tools'");
  fields.refuse("audio", "this server reads and writes text only");
  fields.refuse("web_search_options", "this server reaches nothing outside");
  fields.refuse("continue_final_message", "the answer is a new message");
  fields.refuse("echo", "it belongs to /v1/completions");
  if (const json::value* call = fields.find("function_call");
      call != nullptr && *call != json::value("none"))
    fields.refuse("function_call", "functions were replaced by tools; send 'tools'");
  if (const json::object* format = fields.object("response_format")) {
    const json::value* type = format->if_contains("type");
    if (type == nullptr || *type != json::value("text"))
      fields.fail("response_format",
                  "'response_format' other than {\"type\": \"text\"} is not supported: this server "
                  "does not constrain the output. Ask for the form in a message instead.",
                  "unsupported_parameter");
  }
  if (const json::array* modalities = fields.array("modalities"))
    for (const json::value& modality : *modalities)
      if (modality != json::value("text"))
        fields.fail("modalities", "'modalities' other than \"text\" are not supported.",
                    "unsupported_parameter");
  fields.accept({"parallel_tool_calls", "prediction", "verbosity"});
}

void read_tools(RequestFields& fields, ChatRequest& request) {
  if (const json::array* tools = fields.array("tools")) request.tools = *tools;
  for (std::size_t i = 0; i < request.tools.size(); ++i)
    if (!request.tools[i].is_object())
      fields.wrong_kind(fmt::format("tools[{}]", i), "an object", request.tools[i]);
  const json::value* choice = fields.find("tool_choice");
  if (choice == nullptr || *choice == json::value("auto")) return;
  if (*choice == json::value("none")) return request.tools.clear();
  fields.fail("tool_choice",
              "'tool_choice' must be \"auto\" or \"none\": this server does not constrain the "
              "output, so it cannot force a call.",
              "unsupported_parameter");
}

void read_prompt(RequestFields& fields, CompletionRequest& request) {
  const json::value* prompt = fields.find("prompt");
  if (prompt == nullptr) return fields.fail("prompt", "'prompt' is missing.");
  if (prompt->is_array() && !prompt->get_array().empty()) {
    const json::array& entries = prompt->get_array();
    if (!entries[0].is_number() && entries.size() > 1)
      return fields.fail(
          "prompt", fmt::format("'prompt' has {} prompts; send one per request.", entries.size()),
          "unsupported_parameter");
    if (!entries[0].is_number()) prompt = &entries[0];
  }
  if (prompt->is_string()) {
    request.prompt = std::string(prompt->get_string());
    return;
  }
  if (!prompt->is_array())
    return fields.wrong_kind("prompt", "a string or an array of token ids", *prompt);
  std::vector<TokenId> ids;
  for (const json::value& id : prompt->get_array()) {
    if (!id.is_int64() || id.get_int64() < 0 ||
        id.get_int64() > std::numeric_limits<TokenId>::max())
      return fields.fail("prompt", fmt::format("'prompt[{}]' is no token id.", ids.size()),
                         "invalid_type");
    ids.push_back(static_cast<TokenId>(id.get_int64()));
  }
  request.prompt = std::move(ids);
}

}  // namespace

ApiResult<ChatRequest> parse_chat_request(std::string_view body) {
  const ApiResult<json::object> object = parse_body(body);
  if (!object) return object.error();
  RequestFields fields(*object);
  ChatRequest request;
  read_common(fields, request.model, request.options);
  request.messages = read_messages(fields);
  read_chat_length(fields, request.options);
  read_chat_logprobs(fields, request.options);
  read_tools(fields, request);
  refuse_chat_only(fields);
  fields.boolean("add_generation_prompt", request.add_generation_prompt);
  if (const json::object* variables = fields.object("chat_template_kwargs"))
    request.template_variables = *variables;
  std::string effort;
  fields.string("reasoning_effort", effort);  // some templates read it
  if (!effort.empty()) request.template_variables.emplace("reasoning_effort", effort);
  if (fields.error()) return *fields.error();
  request.options.ignored = fields.unknown();
  return request;
}

ApiResult<CompletionRequest> parse_completion_request(std::string_view body) {
  const ApiResult<json::object> object = parse_body(body);
  if (!object) return object.error();
  RequestFields fields(*object);
  CompletionRequest request;
  read_common(fields, request.model, request.options);
  read_prompt(fields, request);
  request.options.tokens_max = kCompletionTokensDefault;
  if (const auto tokens = fields.integer("max_tokens", 1, kTokensMax))
    request.options.tokens_max = static_cast<std::uint32_t>(*tokens);
  if (const auto top = fields.integer("logprobs", 0, kTopLogprobsMax))
    request.options.top_logprobs = static_cast<std::uint32_t>(*top);
  fields.boolean("echo", request.echo);
  if (request.echo && request.options.top_logprobs)
    fields.fail(
        "echo",
        "'echo' together with 'logprobs' is not supported: only generated tokens carry logprobs.",
        "unsupported_parameter");
  fields.refuse("suffix", "this server does not fill in the middle");
  if (const auto best = fields.integer("best_of", 0, 128); best && *best > 1)
    fields.fail("best_of", fmt::format("'best_of' is {}; only 1 is accepted.", *best),
                "unsupported_parameter");
  if (fields.error()) return *fields.error();
  request.options.ignored = fields.unknown();
  return request;
}

}  // namespace drystone
