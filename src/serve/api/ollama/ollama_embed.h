#pragma once

#include "serve/api/answer/vector_request.h"
#include "serve/api/ollama/ollama_parse.h"
#include "serve/http/endpoints.h"

namespace drystone {

// /api/embed answers with the vectors of all texts, scaled to a length of 1; the older
// /api/embeddings with that of one, as it is.
enum class OllamaEmbedForm { embed, embeddings };

// Such a request, ready for the queue. Errors: 400, 404 (another model).
ApiResult<VectorRequest> ollama_embed(ApiResult<OllamaEmbedRequest> request, OllamaEmbedForm form,
                                      const EndpointsContext& context);

}  // namespace drystone
