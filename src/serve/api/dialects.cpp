#include "serve/api/dialects.h"

#include "serve/api/anthropic/anthropic_endpoints.h"
#include "serve/api/ollama/ollama_endpoints.h"
#include "serve/api/openai/openai_endpoints.h"

namespace drystone {

std::vector<EndpointsFactory> all_dialects() {
  return {openai_endpoints, anthropic_endpoints, ollama_endpoints};
}

}  // namespace drystone
