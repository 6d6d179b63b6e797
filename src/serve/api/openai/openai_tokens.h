#pragma once

#include <boost/json.hpp>
#include <string_view>

#include "serve/http/api_error.h"
#include "serve/http/model_host.h"

namespace drystone {

// POST /v1/tokenize: {"prompt" | "content": text} or {"messages": [...]} as in a chat, to
// {"tokens", "count", "max_model_len"}; with "return_token_strs" (or llama.cpp's "with_pieces")
// their texts too.
ApiResult<boost::json::value> tokenize(std::string_view body, const ModelHost& host);

// POST /v1/detokenize: {"tokens": [...]} to {"prompt", "content"}, both the text.
ApiResult<boost::json::value> detokenize(std::string_view body, const ModelHost& host);

}  // namespace drystone
