#pragma once

#include <boost/json.hpp>
#include <string_view>

#include "serve/api/answer/request_body.h"
#include "serve/http/chat_request.h"
#include "serve/http/request_fields.h"

namespace drystone {

// What OpenAI's chats and completions share: sampling, stop, length bounds, streams, extensions.
void read_options(RequestFields& fields, GenerationOptions& options);

// `priority` and `cache_salt`: whose turn it is, and who shares cached prefixes.
void read_queue_options(RequestFields& fields, std::int32_t& priority, std::string& cache_salt);

// The token ids of an array; those of `name` that are none go to `fields`.
std::vector<TokenId> read_token_ids(RequestFields& fields, std::string_view name,
                                    const boost::json::array& ids);

// `response_format` and the names under which other servers know constraints.
void read_constraint(RequestFields& fields, Constraint& out);

// {"type": "json_schema", ...} and its like. `out` may have a constraint already, beside which
// another is refused.
struct FormatPlace {
  std::string_view path;  // of the fields that it is in: "text."
  std::string_view name;
  bool inner = false;  // schema and name stand in an object "json_schema", as in chats; else beside
                       // the type, as in responses
};
void read_format(RequestFields& fields, FormatPlace place, Constraint& out);

}  // namespace drystone
