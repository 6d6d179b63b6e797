#pragma once

#include <memory>

#include "serve/http/endpoints.h"

namespace drystone {

// Anthropic's dialect: /v1/messages and /v1/messages/count_tokens. docs/formats/anthropic-api.md.
std::unique_ptr<Endpoints> anthropic_endpoints(const EndpointsContext& context);

}  // namespace drystone
