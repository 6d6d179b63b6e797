#include "serve/api/answer/generation.h"

#include <fmt/format.h>

#include <random>

namespace drystone {

namespace {

std::uint64_t random_seed() {
  std::random_device random;
  return (std::uint64_t{random()} << 32) | random();
}

// How many tokens an answer to a prompt of so many may have: the rest of the context.
std::size_t room_for_answer(const GenerationOptions& options, std::size_t prompt_tokens,
                            const ServedModel& model) {
  const std::size_t left = model.context() - prompt_tokens;
  return options.tokens_max == 0 ? left : std::min<std::size_t>(left, options.tokens_max);
}

ApiError cannot(std::string field, std::string_view why) {
  std::string message =
      fmt::format("'{}' cannot be honoured: {}{}", field, why, why.ends_with('.') ? "" : ".");
  return invalid_request(std::move(field), std::move(message), "unsupported_parameter");
}

std::optional<ApiError> check_ids(std::string field, std::span<const TokenId> ids,
                                  const ServedModel& model) {
  for (const TokenId id : ids)
    if (id < 0 || static_cast<std::uint32_t>(id) >= model.vocab())
      return invalid_request(
          field, fmt::format("'{}' has the token id {}; this model has ids 0 to {}.", field, id,
                             model.vocab() - 1));
  return std::nullopt;
}

std::optional<ApiError> check_length(std::size_t prompt_tokens, const ServedModel& model) {
  if (prompt_tokens == 0)
    return invalid_request("prompt",
                           "The prompt is empty: the model needs at least one token to continue.");
  if (prompt_tokens < model.context()) return std::nullopt;
  return invalid_request(
      {},
      fmt::format("This model's maximum context length is {} tokens, but the prompt has {}; one "
                  "must be left for the answer. Shorten the prompt, or start the server with a "
                  "larger --context.",
                  model.context(), prompt_tokens),
      "context_length_exceeded");
}

}  // namespace

ApiResult<std::vector<GenerateRequest>> to_jobs(const GenerationOptions& options,
                                                std::vector<TokenId> prompt,
                                                const ServedModel& model) {
  if (!model.writes())
    return invalid_request(
        "model",
        "This model is made for ranking documents; it writes no text. Send a query "
        "and documents to /v1/rerank.",
        "unsupported_model");
  if (const auto error = check_length(prompt.size(), model)) return *error;
  if (const auto error = check_ids("prompt", prompt, model)) return *error;
  if (const auto error = check_ids("stop_token_ids", options.stop_tokens, model)) return *error;
  for (const auto& [id, bias] : options.sampling.logit_bias)
    if (const auto error = check_ids("logit_bias", {&id, 1}, model)) return *error;
  if (const auto room = room_for_answer(options, prompt.size(), model); options.tokens_min > room)
    return invalid_request(
        "min_tokens",
        fmt::format(
            "'min_tokens' is {}, but the answer can have at most {} tokens{}.", options.tokens_min,
            room,
            options.tokens_max == room ? ", as the request says" : ": more do not fit the context"),
        "invalid_value");
  GenerateRequest job;
  job.prompt = std::move(prompt);
  job.tokens_max = options.tokens_max;
  job.sampling = options.sampling;
  job.sampling.seed = options.seed ? *options.seed : random_seed();
  job.stop = options.stop;
  job.stop_tokens = options.stop_tokens;
  job.tokens_min = options.tokens_min;
  job.ignore_eos = options.ignore_eos;
  job.priority = options.priority;
  job.cache_salt = options.cache_salt;
  job.top_logprobs = options.top_logprobs;
  if (options.constraint.kind != Constraint::Kind::none) {
    auto constraint = model.compile(options.constraint);
    if (!constraint) return cannot(options.constraint.field, constraint.error().message());
    job.constraint = *std::move(constraint);
  }
  std::vector<GenerateRequest> jobs(options.choices, job);
  for (std::size_t i = 0; i < jobs.size(); ++i) jobs[i].sampling.seed += i;
  return jobs;
}

ApiResult<std::vector<TokenId>> chat_prompt(const ChatRequest& request, const ServedModel& model) {
  auto prompt = model.chat_prompt(request);
  if (prompt) return *std::move(prompt);
  ApiError error = to_api_error(prompt.error());
  if (error.status == 400) error.param = "messages";
  return error;
}

namespace {

// Enough of it to see whether it opens the model's reasoning.
std::string end_of_prompt(std::span<const TokenId> prompt, const ServedModel& model) {
  constexpr std::size_t kBytes = 64;
  std::string end;
  while (!prompt.empty() && end.size() < kBytes) {
    end = model.piece(prompt.back()) + end;
    prompt = prompt.first(prompt.size() - 1);
  }
  return end;
}

// How the answer to `prompt` is cut into its parts. A constrained one is content as a whole.
std::optional<SplitterOptions> splitter_of(const ChatRequest& request,
                                           std::span<const TokenId> prompt,
                                           const ServedModel& model) {
  if (request.options.constraint.kind != Constraint::Kind::none) return std::nullopt;
  SplitterOptions out{.format = model.reply_format(), .tools = request.tools};
  out.reasoning_open = prompt_opens_reasoning(out.format, end_of_prompt(prompt, model));
  out.id_seed = random_seed();
  return out;
}

// Whether the model can learn of tools at all.
bool shows_tools(const ServedModel& model) {
  return model.reply_format().tools != ToolFormat::none ||
         model.facts().chat_template.find("tools") != std::string::npos;
}

// Thinking has no place in a constrained answer, so templates that can are asked to leave it out.
ChatRequest without_thinking(const ChatRequest& request) {
  ChatRequest out = request;
  out.template_variables.emplace("enable_thinking", false);
  return out;
}

}  // namespace

ApiResult<Generation> chat_generation(const ChatRequest& request, const ServedModel& model) {
  const bool forced = request.tool_choice.kind == ToolChoice::Kind::required ||
                      request.tool_choice.kind == ToolChoice::Kind::named;
  const bool constrained = request.options.constraint.kind != Constraint::Kind::none;
  if (forced && constrained)
    return cannot("tool_choice", "an answer cannot be a call and of another form at once");
  if (constrained && !request.tools.empty())
    return cannot(
        request.options.constraint.field,
        "an answer that is held to a form can call none of the 'tools'; send one of both");
  if (!request.tools.empty() && !forced && !shows_tools(model))
    return cannot("tools", "this model's chat template knows no tools and would not show them");
  auto prompt = chat_prompt(constrained ? without_thinking(request) : request, model);
  if (!prompt) return prompt.error();
  Generation out;
  out.answer = {.splitter = splitter_of(request, *prompt, model),
                .one_call = !request.parallel_tool_calls,
                .calls_only = forced,
                .reasoning = request.include_reasoning,
                .keep_tokens = request.options.top_logprobs.has_value()};
  auto jobs = to_jobs(request.options, *std::move(prompt), model);
  if (!jobs) return jobs.error();
  out.jobs = *std::move(jobs);
  if (!out.answer.splitter) return out;
  std::shared_ptr<const CompiledConstraint> calls;
  if (forced) {
    auto made = model.compile_calls(request, out.answer.splitter->reasoning_open);
    if (!made) return cannot("tool_choice", made.error().message());
    calls = *std::move(made);
  }
  for (GenerateRequest& job : out.jobs) {
    job.visible_tokens = model.mark_tokens();
    if (forced) job.constraint = calls;
  }
  return out;
}

std::string random_id(std::string_view prefix) {
  static constexpr std::string_view kDigits =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  std::random_device random;
  std::uniform_int_distribution<std::size_t> digit(0, kDigits.size() - 1);
  std::string id(prefix);
  for (int i = 0; i < 24; ++i) id += kDigits[digit(random)];
  return id;
}

}  // namespace drystone
