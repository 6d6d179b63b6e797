#include "serve/api/ollama/ollama_embed.h"

#include <fmt/format.h>

#include "serve/api/answer/generation.h"
#include "serve/http/limits.h"

namespace drystone {

namespace {

// The first `tokens_max` tokens, the last of which stays the one with which the model ends texts.
std::vector<TokenId> cut(std::vector<TokenId> ids, std::size_t tokens_max,
                         const ServedModel& model) {
  if (ids.size() <= tokens_max) return ids;
  const std::vector<TokenId> marks = model.text_prompt("");
  const bool ends = !marks.empty() && marks.back() == ids.back();
  ids.resize(tokens_max);
  if (ends) ids.back() = marks.back();
  return ids;
}

std::string write_embed(const std::vector<GenerateResult>& results, const std::string& model,
                        std::size_t dimensions, std::int64_t total_ns) {
  std::string vectors;
  std::uint64_t tokens = 0;
  for (const GenerateResult& result : results) {
    tokens += result.prompt_tokens;
    if (!vectors.empty()) vectors += ',';
    append_json(vectors, unit_vector(result.hidden, dimensions));
  }
  return fmt::format(
      R"({{"model":{},"embeddings":[{}],"total_duration":{},"load_duration":0,"prompt_eval_count":{}}})",
      boost::json::serialize(boost::json::value(model)), vectors, total_ns, tokens);
}

std::string write_embeddings(const std::vector<GenerateResult>& results, std::size_t dimensions) {
  std::string vector = "[]";
  if (!results.empty()) {
    vector.clear();
    append_json(vector, std::span(results[0].hidden).first(dimensions));
  }
  return fmt::format(R"({{"embedding":{}}})", vector);
}

std::optional<ApiError> check(const OllamaEmbedRequest& request, const ServedModel& model) {
  if (request.context > model.context())
    return invalid_request(
        "options.num_ctx",
        fmt::format("'options.num_ctx' is {}, but the server was started with a context of {} "
                    "tokens; start it with a larger --context.",
                    request.context, model.context()),
        "unsupported_parameter");
  if (request.dimensions > model.width())
    return invalid_request("dimensions",
                           fmt::format("'dimensions' is {}; the vectors of this model have {}.",
                                       request.dimensions, model.width()));
  if (request.inputs.size() * model.width() > kVectorValuesMax)
    return invalid_request(
        "input",
        fmt::format("'input' has {} texts; with the {} values of this model's vectors at "
                    "most {} are accepted. Send fewer at once.",
                    request.inputs.size(), model.width(), kVectorValuesMax / model.width()));
  return std::nullopt;
}

ApiResult<std::vector<GenerateRequest>> embed_jobs(const OllamaEmbedRequest& request,
                                                   Pooling pooling, const ServedModel& model) {
  const std::size_t tokens_max = request.context == 0 ? model.context() : request.context;
  std::vector<GenerateRequest> jobs;
  for (std::size_t i = 0; i < request.inputs.size(); ++i) {
    std::vector<TokenId> ids = model.text_prompt(request.inputs[i]);
    if (!request.truncate && ids.size() > tokens_max)
      return invalid_request(
          "input",
          fmt::format("the input length exceeds the context length: text {} has {} tokens, "
                      "the context holds {}; without 'truncate': false it would be cut",
                      i, ids.size(), tokens_max),
          "context_length_exceeded");
    auto job = to_vector_job(
        cut(std::move(ids), tokens_max, model), fmt::format("input[{}]", i),
        {.pooling = pooling, .priority = default_priority(request.inputs.size())}, model);
    if (!job) return job.error();
    jobs.push_back(*std::move(job));
  }
  return jobs;
}

}  // namespace

ApiResult<VectorRequest> ollama_embed(ApiResult<OllamaEmbedRequest> request, OllamaEmbedForm form,
                                      const EndpointsContext& context) {
  if (!request) return request.error();
  const auto held = context.host.find(request->model);
  if (!held) return held.error();
  const ServedModel& model = held->model();
  const auto pooling = choose_pooling(std::nullopt, model);
  if (!pooling) return pooling.error();
  if (const auto error = check(*request, model)) return *error;
  auto jobs = embed_jobs(*request, *pooling, model);
  if (!jobs) return jobs.error();
  VectorRequest out{.held = *held,
                    .jobs = *std::move(jobs),
                    .id = random_id("ollama-"),
                    .ignored = request->ignored};
  const std::size_t dimensions = request->dimensions == 0 ? model.width() : request->dimensions;
  if (form == OllamaEmbedForm::embeddings) {
    out.write = [dimensions](const auto& results) { return write_embeddings(results, dimensions); };
    return out;
  }
  out.write = [dimensions, name = request->model.empty() ? held->name() : request->model,
               &clock = context.clock, begin = context.clock.monotonic()](const auto& results) {
    return write_embed(results, name, dimensions, (clock.monotonic() - begin).count());
  };
  return out;
}

}  // namespace drystone
