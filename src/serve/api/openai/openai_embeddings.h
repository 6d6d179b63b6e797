#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "serve/api/answer/vector_request.h"
#include "serve/http/chat_request.h"
#include "serve/http/model_host.h"

namespace drystone {

// The body of POST /v1/embeddings.
struct EmbeddingRequest {
  std::string model;
  std::vector<PromptInput> inputs;  // at least one
  std::uint32_t dimensions = 0;     // 0: as many as the model has
  bool base64 = false;
  std::optional<Pooling> pooling;  // absent: the model's own
  bool normalize = true;
  std::int32_t priority = 0;
  std::string cache_salt;
  std::vector<std::string> ignored;
};

// Foreign bytes: bounded in depth and counts (docs/formats/openai-api.md). Pure.
ApiResult<EmbeddingRequest> parse_embedding_request(std::string_view body);

// Such a request, ready for the queue. Errors: 400, 404 (another model).
ApiResult<VectorRequest> embedding_request(std::string_view body, const ModelHost& host);

}  // namespace drystone
