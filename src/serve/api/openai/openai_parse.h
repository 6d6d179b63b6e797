#pragma once

#include <string>
#include <string_view>

#include "serve/http/api_error.h"
#include "serve/http/chat_request.h"

namespace drystone {

// The body of POST /v1/chat/completions and of POST /v1/completions. Foreign bytes: bounded in
// depth and counts, and every refusal names the field, what was found and what is accepted
// (docs/formats/openai-api.md). Pure functions.
ApiResult<ChatRequest> parse_chat_request(std::string_view body);
ApiResult<CompletionRequest> parse_completion_request(std::string_view body);

}  // namespace drystone
