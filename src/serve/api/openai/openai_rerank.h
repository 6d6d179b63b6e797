#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "serve/api/answer/vector_request.h"
#include "serve/http/model_host.h"

namespace drystone {

// The body of POST /v1/rerank, in the form that Jina's and Cohere's clients send.
struct RerankRequest {
  std::string model, query;
  std::vector<std::string> documents;  // at least one
  std::size_t results_max = 0;         // `top_n`; 0: all
  bool return_documents = false;
  std::int32_t priority = 0;
  std::string cache_salt;
  std::vector<std::string> ignored;
};

// Foreign bytes: bounded in depth and counts (docs/formats/openai-api.md). Pure.
ApiResult<RerankRequest> parse_rerank_request(std::string_view body);

// Such a request, ready for the queue. Errors: 400 (also a model that is not made for it), 404.
ApiResult<VectorRequest> rerank_request(std::string_view body, const ModelHost& host);

}  // namespace drystone
