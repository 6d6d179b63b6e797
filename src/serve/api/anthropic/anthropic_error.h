#pragma once

#include <string>

#include "serve/http/api_error.h"

namespace drystone {

// {"type": "error", "error": {"type": ..., "message": ...}}: a refusal as Anthropic's clients read
// it. The field at fault stands in the message.
std::string anthropic_error(const ApiError& error);

}  // namespace drystone
