#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "serve/api/answer/answer_writer.h"
#include "serve/api/openai/response_store.h"
#include "serve/http/chat_request.h"

namespace drystone {

// Agents that keep nothing on the server ask for `reasoning.encrypted_content` and send it back in
// the next turn. Ours is this and the reasoning itself, which is no secret of the server's.
constexpr std::string_view kSealPrefix = "drystone:";

// POST /v1/responses, understood.
struct ResponseRequest {
  ChatRequest chat;
  boost::json::array history;  // the conversation without instructions, as stored for the next turn
  boost::json::object echo;    // what the answer repeats of the request
  bool store = true;
  bool seal_reasoning = false;  // answer with encrypted_content
};

// Foreign bytes. A `previous_response_id` is looked up in `store`. Errors: 400, naming the field;
// 404 for a response that is not (or no longer) here.
ApiResult<ResponseRequest> parse_response_request(std::string_view body,
                                                  const ResponseStore& store);

struct ResponseInfo {
  std::string id;  // "resp_..."
  std::string model;
  std::int64_t created_unix_s = 0;
};

// Writes the response object, or its events in the order that OpenAI documents; puts the finished
// response into `store` when the request wants it. Borrows `store`.
std::unique_ptr<AnswerWriter> response_writer(ResponseInfo info, ResponseRequest request,
                                              ResponseStore& store);

}  // namespace drystone
