#include "serve/api/ollama/ollama_endpoints.h"

#include <fmt/format.h>

#include "serve/api/answer/dialect_endpoints.h"
#include "serve/api/answer/generation.h"
#include "serve/api/answer/timestamp.h"
#include "serve/api/ollama/ollama_embed.h"
#include "serve/api/ollama/ollama_models.h"
#include "serve/api/ollama/ollama_parse.h"
#include "serve/api/ollama/ollama_writer.h"

namespace drystone {
namespace json = boost::json;

namespace {

// Of Ollama's own program: the one whose API this is. Clients refuse to talk to older ones.
constexpr std::string_view kApiVersion = "0.12.0";

class OllamaEndpoints final : public DialectEndpoints {
 public:
  explicit OllamaEndpoints(const EndpointsContext& lent) : DialectEndpoints(lent, ollama_error) {}

  void add_to(Router& router) override {
    add_answer(router, "/api/chat", [this](const HttpRequest& request) {
      return answer(parse_ollama_chat(request.body), true);
    });
    add_answer(router, "/api/generate", [this](const HttpRequest& request) {
      return answer(parse_ollama_generate(request.body), false);
    });
    add_models(router);
    add_embed(router);
  }

 private:
  ApiResult<PreparedAnswer> answer(ApiResult<OllamaRequest> request, bool chat) const;
  static ApiResult<Generation> generation(const OllamaRequest& request, const ServedModel& model);
  void add_models(Router& router);
  void add_embed(Router& router);
};

ApiResult<Generation> OllamaEndpoints::generation(const OllamaRequest& request,
                                                  const ServedModel& model) {
  if (!request.completion) return chat_generation(request.chat, model);
  const auto& text = std::get<std::string>(request.completion->prompts[0]);
  std::vector<TokenId> prompt;
  if (request.completion->suffix) {
    auto ids = model.fill_in_prompt(text, *request.completion->suffix);
    if (!ids)
      return invalid_request("suffix",
                             fmt::format("'suffix' is not supported: {}.", ids.error().message()),
                             "unsupported_parameter");
    prompt = *std::move(ids);
  } else {
    prompt = model.text_prompt(text);
  }
  auto jobs = to_jobs(request.completion->options, std::move(prompt), model);
  if (!jobs) return jobs.error();
  return Generation{.jobs = *std::move(jobs), .answer = {}};
}

ApiResult<PreparedAnswer> OllamaEndpoints::answer(ApiResult<OllamaRequest> request,
                                                  bool chat) const {
  if (!request) return request.error();
  const std::string& name = request->chat.model;
  const auto held = context().host.find(name);
  if (!held) return held.error();
  const ServedModel& model = held->model();
  if (request->context_min > model.context())
    return invalid_request(
        "options.num_ctx",
        fmt::format("'options.num_ctx' is {}, but the server was started with a context of {} "
                    "tokens; start it with a larger --context.",
                    request->context_min, model.context()),
        "unsupported_parameter");
  const GenerationOptions& options = request->options();
  PreparedAnswer out{.held = *held,
                     .id = random_id("ollama-"),
                     .stream = options.stream,
                     .ignored = options.ignored};
  if (!request->load_only) {
    auto jobs = generation(*request, model);
    if (!jobs) return jobs.error();
    out.jobs = std::move(jobs->jobs);
    out.answer = std::move(jobs->answer);
  }
  out.writer = ollama_writer({.model = name.empty() ? held->name() : name,
                              .chat = chat,
                              .unload = request->unload,
                              .now = [this] { return utc_text(unix_seconds(context().clock)); }});
  return out;
}

void OllamaEndpoints::add_models(Router& router) {
  add_work(router, "GET", "/api/tags", [this](const HttpRequest&) {
    return ApiResult<json::value>(ollama_tags(context().host));
  });
  add_work(router, "GET", "/api/ps", [this](const HttpRequest&) {
    return ApiResult<json::value>(ollama_running(context().host));
  });
  add_work(router, "GET", "/api/version", [](const HttpRequest&) {
    return ApiResult<json::value>(json::value{{"version", kApiVersion}});
  });
  add_work(router, "POST", "/api/show",
           [this](const HttpRequest& request) -> ApiResult<json::value> {
             const auto name = parse_ollama_model(request.body);
             if (!name) return name.error();
             const auto held = context().host.find(*name);
             if (!held) return held.error();
             return json::value(ollama_show(held->model()));
           });
}

void OllamaEndpoints::add_embed(Router& router) {
  add_vectors(router, "/api/embed", [this](const HttpRequest& request) {
    return ollama_embed(parse_ollama_embed(request.body), OllamaEmbedForm::embed, context());
  });
  add_vectors(router, "/api/embeddings", [this](const HttpRequest& request) {
    return ollama_embed(parse_ollama_embeddings(request.body), OllamaEmbedForm::embeddings,
                        context());
  });
}

}  // namespace

std::unique_ptr<Endpoints> ollama_endpoints(const EndpointsContext& context) {
  return std::make_unique<OllamaEndpoints>(context);
}

}  // namespace drystone
