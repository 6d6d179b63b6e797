#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "serve/http/api_error.h"
#include "serve/http/chat_request.h"
#include "serve/http/request_fields.h"

namespace drystone {

// The body of POST /v1/messages, or with `counting` of /v1/messages/count_tokens, which needs no
// max_tokens. Foreign bytes: bounded in depth and counts (docs/formats/anthropic-api.md).
ApiResult<ChatRequest> parse_messages_request(std::string_view body, bool counting = false);

// `system` and `messages`, as a chat template reads them. Names of members that are dropped go to
// `ignored`.
boost::json::array read_anthropic_messages(RequestFields& fields,
                                           std::vector<std::string>& ignored);

// Without the lines at its head that some agents change from request to request
// ("x-anthropic-billing-header: ..."): they are for the biller, and would make each prompt a new
// one to the prefix cache.
std::string_view without_billing_lines(std::string_view system);

}  // namespace drystone
