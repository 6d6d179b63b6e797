#include "serve/api/openai/openai_parse.h"

#include <fmt/format.h>

#include <algorithm>

#include "serve/api/openai/openai_messages.h"
#include "serve/api/openai/openai_options.h"
#include "serve/api/openai/openai_tools.h"
#include "serve/http/limits.h"

namespace drystone {
namespace json = boost::json;

namespace {

constexpr std::uint32_t kCompletionTokensDefault = 16;

// The same under its old and its new name.
void read_chat_length(RequestFields& fields, GenerationOptions& options) {
  const auto old_name = fields.integer("max_tokens", 1, kTokensMax);
  const auto tokens = fields.integer("max_completion_tokens", 1, kTokensMax);
  if (old_name && tokens && *old_name != *tokens)
    return fields.fail(
        "max_tokens",
        fmt::format("'max_tokens' is {} and 'max_completion_tokens' {}; both say how "
                    "long the answer may be, so send one of them.",
                    *old_name, *tokens),
        "invalid_value");
  options.tokens_max = static_cast<std::uint32_t>(tokens.value_or(old_name.value_or(0)));
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
  if (const json::array* modalities = fields.array("modalities"))
    for (const json::value& modality : *modalities)
      if (modality != json::value("text"))
        fields.fail("modalities", "'modalities' other than \"text\" are not supported.",
                    "unsupported_parameter");
  fields.accept({"prediction", "verbosity"});
}

void read_switch(RequestFields& fields, std::string_view name, json::object& variables) {
  bool thinks = false;
  fields.boolean(name, thinks);
  if (fields.find(name) != nullptr) variables["enable_thinking"] = thinks;
}

void read_reasoning(RequestFields& fields, ChatRequest& request) {
  json::object& variables = request.template_variables;
  std::string effort;
  if (const json::object* reasoning = fields.object("reasoning")) {  // OpenRouter's form
    RequestFields inner(*reasoning, "reasoning.");
    effort = read_effort(inner, "reasoning.", "effort");
    read_switch(inner, "enabled", variables);
    bool exclude = !request.include_reasoning;
    inner.boolean("exclude", exclude);
    request.include_reasoning = !exclude;
    inner.accept({"max_tokens", "summary"});
    refuse_unknown(inner);
    if (inner.error()) return fields.fail(*inner.error());
  }
  if (std::string other = read_effort(fields, "", "reasoning_effort"); !other.empty())
    effort = std::move(other);
  if (!effort.empty()) variables.emplace("reasoning_effort", effort);  // some templates read it
  // Templates with a switch, and without levels, read this.
  if (effort == "none") variables.emplace("enable_thinking", false);
  read_switch(fields, "think", variables);  // Ollama's name
  read_switch(fields, "enable_thinking", variables);
  fields.boolean("include_reasoning", request.include_reasoning);
}

bool is_id(const json::value& value) { return value.is_number(); }

void read_one_prompt(RequestFields& fields, const std::string& name, const json::value& prompt,
                     CompletionRequest& request) {
  if (prompt.is_string()) {
    request.prompts.emplace_back(std::string(prompt.get_string()));
  } else if (prompt.is_array()) {
    request.prompts.emplace_back(read_token_ids(fields, name, prompt.get_array()));
  } else {
    fields.wrong_kind(name, "a string or an array of token ids", prompt);
  }
}

void read_prompts(RequestFields& fields, CompletionRequest& request) {
  const json::value* prompt = fields.find("prompt");
  if (prompt == nullptr) return fields.fail("prompt", "'prompt' is missing.");
  const json::array* entries = prompt->if_array();
  if (entries == nullptr || entries->empty() || is_id((*entries)[0]))
    return read_one_prompt(fields, "prompt", *prompt, request);
  if (entries->size() * request.options.choices > kPromptsMax)
    return fields.fail("prompt",
                       fmt::format("'prompt' has {} prompts for {} answers each; at most "
                                   "{} answers are given to one request.",
                                   entries->size(), request.options.choices, kPromptsMax));
  for (std::size_t i = 0; i < entries->size() && fields.ok(); ++i)
    read_one_prompt(fields, fmt::format("prompt[{}]", i), (*entries)[i], request);
}

}  // namespace

ApiResult<ChatRequest> parse_chat_request(std::string_view body) {
  const ApiResult<json::object> object = parse_object(body);
  if (!object) return object.error();
  RequestFields fields(*object);
  ChatRequest request;
  fields.string("model", request.model);
  read_options(fields, request.options);
  request.messages = read_messages(fields, request.options.ignored);
  read_chat_length(fields, request.options);
  read_chat_logprobs(fields, request.options);
  read_tools(fields, request);
  refuse_chat_only(fields);
  fields.boolean("add_generation_prompt", request.add_generation_prompt);
  if (const json::object* variables = fields.object("chat_template_kwargs"))
    request.template_variables = *variables;
  read_reasoning(fields, request);
  if (fields.error()) return *fields.error();
  for (std::string& name : fields.unknown()) request.options.ignored.push_back(std::move(name));
  return request;
}

ApiResult<CompletionRequest> parse_completion_request(std::string_view body) {
  const ApiResult<json::object> object = parse_object(body);
  if (!object) return object.error();
  RequestFields fields(*object);
  CompletionRequest request;
  fields.string("model", request.model);
  read_options(fields, request.options);
  read_prompts(fields, request);
  request.options.tokens_max = kCompletionTokensDefault;
  if (const auto tokens = fields.integer("max_tokens", 1, kTokensMax))
    request.options.tokens_max = static_cast<std::uint32_t>(*tokens);
  if (const auto top = fields.integer("logprobs", 0, kTopLogprobsMax))
    request.options.top_logprobs = static_cast<std::uint32_t>(*top);
  fields.boolean("echo", request.echo);
  if (request.echo && request.options.top_logprobs)
    fields.fail("echo",
                "'echo' together with 'logprobs' is not supported: the logprobs of a prompt's own "
                "tokens are not computed here, only those of the answer's. Leave out one of both.",
                "unsupported_parameter");
  if (std::string suffix; fields.find("suffix") != nullptr) {
    fields.string("suffix", suffix);
    if (!suffix.empty()) request.suffix = std::move(suffix);
  }
  const auto is_text = [](const PromptInput& prompt) {
    return std::holds_alternative<std::string>(prompt);
  };
  if (request.suffix && !std::ranges::all_of(request.prompts, is_text))
    fields.fail("suffix", "'suffix' needs prompts of text, but one is token ids.",
                "unsupported_parameter");
  fields.refuse("max_completion_tokens", "use 'max_tokens'");
  if (const auto best = fields.integer("best_of", 0, kChoicesMax);
      best && *best > std::int64_t{request.options.choices})
    fields.fail("best_of",
                fmt::format("'best_of' is {} with 'n' {}; all answers are returned here, so it "
                            "cannot be larger.",
                            *best, request.options.choices),
                "unsupported_parameter");
  if (fields.error()) return *fields.error();
  request.options.ignored = fields.unknown();
  return request;
}

}  // namespace drystone
