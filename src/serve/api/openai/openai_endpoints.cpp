#include "serve/api/openai/openai_endpoints.h"

#include <fmt/format.h>

#include "serve/api/answer/dialect_endpoints.h"
#include "serve/api/answer/generation.h"
#include "serve/api/openai/openai_embeddings.h"
#include "serve/api/openai/openai_frame.h"
#include "serve/api/openai/openai_models.h"
#include "serve/api/openai/openai_parse.h"
#include "serve/api/openai/openai_rerank.h"
#include "serve/api/openai/openai_responses.h"
#include "serve/api/openai/openai_tokens.h"
#include "serve/http/utf8.h"

namespace drystone {
namespace json = boost::json;

namespace {

class OpenAiEndpoints final : public DialectEndpoints {
 public:
  explicit OpenAiEndpoints(const EndpointsContext& lent)
      : DialectEndpoints(lent, to_json), responses_(lent.clock) {}

  void add_to(Router& router) override {
    add_answer(router, "/v1/chat/completions",
               [this](const HttpRequest& request) { return chat(request); });
    add_answer(router, "/v1/completions",
               [this](const HttpRequest& request) { return completion(request); });
    add_responses(router);
    add_models(router);
    add_tokens(router);
    add_embeddings(router);
  }

 private:
  ApiResult<PreparedAnswer> chat(const HttpRequest& request) const;
  ApiResult<PreparedAnswer> completion(const HttpRequest& request) const;
  ApiResult<PreparedAnswer> response(const HttpRequest& request);
  void add_responses(Router& router);
  void add_models(Router& router);
  void add_tokens(Router& router);
  void add_embeddings(Router& router);
  OpenAiAnswerInfo info(const GenerationOptions& options, std::string id,
                        const HeldModel& held) const;

  ResponseStore responses_;
};

OpenAiAnswerInfo OpenAiEndpoints::info(const GenerationOptions& options, std::string id,
                                       const HeldModel& held) const {
  return {.id = std::move(id),
          .model = held.name(),
          .created_unix_s = unix_seconds(context().clock),
          .choices = options.choices,
          .choices_per_prompt = options.choices,
          .logprobs = options.top_logprobs.has_value(),
          .include_usage = options.include_usage,
          .piece = [held](TokenId id) { return held.model().piece(id); }};
}

ApiResult<PreparedAnswer> OpenAiEndpoints::chat(const HttpRequest& http) const {
  auto request = parse_chat_request(http.body);
  if (!request) return request.error();
  const auto held = context().host.find(request->model);
  if (!held) return held.error();
  const ServedModel& model = held->model();
  auto generation = chat_generation(*request, model);
  if (!generation) return generation.error();
  const GenerationOptions& options = request->options;
  PreparedAnswer out{.held = *held,
                     .jobs = std::move(generation->jobs),
                     .answer = std::move(generation->answer),
                     .id = random_id("chatcmpl-"),
                     .stream = options.stream,
                     .ignored = options.ignored};
  out.writer = chat_writer(info(options, out.id, *held));
  return out;
}

ApiResult<std::vector<TokenId>> prompt_ids(const PromptInput& prompt,
                                           const CompletionRequest& request,
                                           const ServedModel& model) {
  const auto* text = std::get_if<std::string>(&prompt);
  if (text == nullptr) return std::get<std::vector<TokenId>>(prompt);
  if (!request.suffix) return model.text_prompt(*text);
  auto ids = model.fill_in_prompt(*text, *request.suffix);
  if (ids) return *std::move(ids);
  return invalid_request("suffix",
                         fmt::format("'suffix' is not supported: {}.", ids.error().message()),
                         "unsupported_parameter");
}

ApiResult<PreparedAnswer> OpenAiEndpoints::completion(const HttpRequest& http) const {
  auto request = parse_completion_request(http.body);
  if (!request) return request.error();
  const auto held = context().host.find(request->model);
  if (!held) return held.error();
  const ServedModel& model = held->model();
  const GenerationOptions& options = request->options;
  PreparedAnswer out{.held = *held,
                     .id = random_id("cmpl-"),
                     .stream = options.stream,
                     .ignored = options.ignored};
  out.answer.keep_tokens = options.top_logprobs.has_value();
  OpenAiAnswerInfo about = info(options, out.id, *held);
  for (const PromptInput& prompt : request->prompts) {
    auto ids = prompt_ids(prompt, *request, model);
    if (!ids) return ids.error();
    auto jobs = to_jobs(options, *std::move(ids), model);
    if (!jobs) return jobs.error();
    std::move(jobs->begin(), jobs->end(), std::back_inserter(out.jobs));
    if (!request->echo) continue;
    if (const auto* text = std::get_if<std::string>(&prompt)) {
      about.echo.push_back(*text);
      continue;
    }
    std::string text;
    for (const TokenId id : std::get<std::vector<TokenId>>(prompt)) text += model.piece(id);
    about.echo.push_back(valid_utf8(text));
  }
  about.choices = out.jobs.size();
  out.writer = completion_writer(std::move(about));
  return out;
}

ApiResult<PreparedAnswer> OpenAiEndpoints::response(const HttpRequest& http) {
  auto request = parse_response_request(http.body, responses_);
  if (!request) return request.error();
  const auto held = context().host.find(request->chat.model);
  if (!held) return held.error();
  const ServedModel& model = held->model();
  auto generation = chat_generation(request->chat, model);
  if (!generation) return generation.error();
  PreparedAnswer out{.held = *held,
                     .jobs = std::move(generation->jobs),
                     .answer = std::move(generation->answer),
                     .id = random_id("resp_"),
                     .stream = request->chat.options.stream,
                     .ignored = request->chat.options.ignored};
  out.writer = response_writer(
      {.id = out.id, .model = held->name(), .created_unix_s = unix_seconds(context().clock)},
      *std::move(request), responses_);
  return out;
}

void OpenAiEndpoints::add_responses(Router& router) {
  add_answer(router, "/v1/responses",
             [this](const HttpRequest& request) { return response(request); });
  add_work(router, "GET", "/v1/responses/*", [this](const HttpRequest& request) {
    return responses_.show(request.path.substr(std::string("/v1/responses/").size()));
  });
  add_work(router, "DELETE", "/v1/responses/*", [this](const HttpRequest& request) {
    return responses_.erase(request.path.substr(std::string("/v1/responses/").size()));
  });
}

void OpenAiEndpoints::add_models(Router& router) {
  add_work(router, "GET", "/v1/models",
           [this](const HttpRequest& request) -> ApiResult<json::value> {
             json::object out = list_models(context().host, unix_seconds(context().clock));
             // Codex asks so, and reads this alone: nothing of a model of its own list is known
             // here.
             if (request.query.starts_with("client_version=")) out["models"] = json::array{};
             return json::value(std::move(out));
           });
  add_work(router, "GET", "/v1/models/*",
           [this](const HttpRequest& request) -> ApiResult<json::value> {
             const std::string name = request.path.substr(std::string("/v1/models/").size());
             const auto held = context().host.find(name);
             if (!held) return held.error();
             return json::value(show_model(name, *held));
           });
}

void OpenAiEndpoints::add_tokens(Router& router) {
  for (const char* path : {"/v1/tokenize", "/tokenize"})
    add_work(router, "POST", path,
             [this](const HttpRequest& request) { return tokenize(request.body, context().host); });
  for (const char* path : {"/v1/detokenize", "/detokenize"})
    add_work(router, "POST", path, [this](const HttpRequest& request) {
      return detokenize(request.body, context().host);
    });
}

void OpenAiEndpoints::add_embeddings(Router& router) {
  add_vectors(router, "/v1/embeddings", [this](const HttpRequest& request) {
    return embedding_request(request.body, context().host);
  });
  for (const char* path : {"/v1/rerank", "/rerank", "/v2/rerank"})
    add_vectors(router, path, [this](const HttpRequest& request) {
      return rerank_request(request.body, context().host);
    });
}

}  // namespace

std::unique_ptr<Endpoints> openai_endpoints(const EndpointsContext& context) {
  return std::make_unique<OpenAiEndpoints>(context);
}

}  // namespace drystone
