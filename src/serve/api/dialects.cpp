#include "serve/api/dialects.h"

#include "serve/api/openai/openai_endpoints.h"

namespace drystone {

std::vector<EndpointsFactory> all_dialects() { return {openai_endpoints}; }

}  // namespace drystone
