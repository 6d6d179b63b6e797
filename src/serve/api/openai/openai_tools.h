#pragma once

#include "serve/http/chat_request.h"
#include "serve/http/request_fields.h"

namespace drystone {

// `tools`, `tool_choice` and `parallel_tool_calls` of a chat.
void read_tools(RequestFields& fields, ChatRequest& request);

}  // namespace drystone
