#pragma once

#include <memory>

#include "serve/http/endpoints.h"

namespace drystone {

// OpenAI's dialect: chats, completions, responses, models, and what other servers add to it
// (tokenize, detokenize). docs/formats/openai-api.md.
std::unique_ptr<Endpoints> openai_endpoints(const EndpointsContext& context);

}  // namespace drystone
