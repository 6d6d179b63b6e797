#include "serve/api/openai/openai_rerank.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "serve/api/answer/generation.h"
#include "serve/api/openai/openai_options.h"
#include "serve/http/limits.h"

namespace drystone {
namespace json = boost::json;

namespace {

// A string, or an object with its text, as Cohere's older clients send it.
void read_document(RequestFields& fields, const std::string& name, const json::value& document,
                   RerankRequest& request) {
  if (document.is_string())
    return static_cast<void>(request.documents.emplace_back(document.get_string()));
  if (!document.is_object())
    return fields.wrong_kind(name, "a string or an object with 'text'", document);
  RequestFields inner(document.get_object(), name + ".");
  std::string text;
  inner.string("text", text);
  if (inner.ok() && inner.find("text") == nullptr)
    inner.fail("text", fmt::format("'{}.text' is missing.", name));
  refuse_unknown(inner);
  if (inner.error()) return fields.fail(*inner.error());
  request.documents.push_back(std::move(text));
}

void read_documents(RequestFields& fields, RerankRequest& request) {
  const json::array* documents = fields.array("documents");
  if (!fields.ok()) return;
  if (documents == nullptr || documents->empty())
    return fields.fail("documents", "'documents' is missing or empty.");
  if (documents->size() > kVectorTextsMax)
    return fields.fail("documents",
                       fmt::format("'documents' has {} texts; at most {} are accepted.",
                                   documents->size(), kVectorTextsMax));
  for (std::size_t i = 0; i < documents->size() && fields.ok(); ++i)
    read_document(fields, fmt::format("documents[{}]", i), (*documents)[i], request);
}

std::string write_ranking(const RerankRequest& request, const std::string& id,
                          const std::string& model, const std::vector<float>& scores,
                          std::uint64_t tokens) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, std::greater<>(), [&](std::size_t i) { return scores[i]; });
  if (request.results_max > 0) order.resize(std::min(order.size(), request.results_max));
  json::array results;
  for (const std::size_t index : order) {
    json::object one = {{"index", index}, {"relevance_score", scores[index]}};
    if (request.return_documents) one["document"] = {{"text", request.documents[index]}};
    results.push_back(std::move(one));
  }
  return json::serialize(
      json::value{{"id", id},
                  {"object", "list"},
                  {"model", model},
                  {"results", std::move(results)},
                  {"usage", {{"prompt_tokens", tokens}, {"total_tokens", tokens}}}});
}

}  // namespace

ApiResult<RerankRequest> parse_rerank_request(std::string_view body) {
  const ApiResult<json::object> object = parse_object(body);
  if (!object) return object.error();
  RequestFields fields(*object);
  RerankRequest request;
  fields.string("model", request.model);
  fields.string("query", request.query);
  if (fields.ok() && request.query.empty()) fields.fail("query", "'query' is missing or empty.");
  read_documents(fields, request);
  if (const auto top = fields.integer("top_n", 1, std::numeric_limits<std::int64_t>::max()))
    request.results_max = static_cast<std::size_t>(*top);
  fields.boolean("return_documents", request.return_documents);
  read_queue_options(fields, request.priority, request.cache_salt);
  for (const std::string_view name :
       {"max_tokens_per_doc", "max_chunks_per_doc", "truncate_prompt_tokens", "truncation"})
    fields.refuse(name, "cut the documents");
  fields.refuse("rank_fields", "send each document as one text");
  fields.accept({"user"});
  if (fields.error()) return *fields.error();
  request.ignored = fields.unknown();
  return request;
}

ApiResult<VectorRequest> rerank_request(std::string_view body, const ModelHost& host) {
  auto parsed = parse_rerank_request(body);
  if (!parsed) return parsed.error();
  RerankRequest& request = *parsed;
  const auto held = host.find(request.model);
  if (!held) return held.error();
  const ServedModel& model = held->model();
  const VectorOptions options{
      .pooling = Pooling::last, .priority = request.priority, .cache_salt = request.cache_salt};
  VectorRequest out{.held = *held, .id = random_id("rerank-"), .ignored = request.ignored};
  for (std::size_t i = 0; i < request.documents.size(); ++i) {
    auto prompt = model.rank_prompt(request.query, request.documents[i]);
    if (!prompt) return invalid_request("model", prompt.error().message(), "unsupported_model");
    auto job = to_vector_job(*std::move(prompt), fmt::format("documents[{}]", i), options, model);
    if (!job) return job.error();
    out.jobs.push_back(*std::move(job));
  }
  out.write = [request = std::move(request), id = out.id, name = held->name(),
               held = *held](const std::vector<GenerateResult>& results) {
    std::vector<float> scores;
    std::uint64_t tokens = 0;
    for (const GenerateResult& result : results) {
      scores.push_back(held.model().relevance(result.hidden));
      tokens += result.prompt_tokens;
    }
    return write_ranking(request, id, name, scores, tokens);
  };
  return out;
}

}  // namespace drystone
