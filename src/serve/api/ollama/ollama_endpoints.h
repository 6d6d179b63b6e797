#pragma once

#include <memory>

#include "serve/http/endpoints.h"

namespace drystone {

// Ollama's dialect: /api/chat, /api/generate, and what clients ask about models.
// docs/formats/ollama-api.md.
std::unique_ptr<Endpoints> ollama_endpoints(const EndpointsContext& context);

}  // namespace drystone
