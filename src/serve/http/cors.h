#pragma once

#include <string>

#include "serve/http/http_message.h"

namespace drystone {

// What web pages of other origins are told. `origin`: of a page that may use the server; "" for all
// others, who are told nothing.

// The answer to OPTIONS at a path that takes the methods `allowed`.
HttpReply options_reply(const std::string& allowed, const std::string& origin);

// Lets the page read the answer.
void add_cors(HttpHeaders& headers, const std::string& origin);

}  // namespace drystone
