#pragma once

#include <string>
#include <string_view>

#include "serve/http/http_message.h"

namespace drystone {

// Answers as they go over the wire.

struct ReplyFraming {
  bool keep_alive = true;
  bool http_1_0 = false;
};

// Status line and header, with the length of reply.body.
std::string reply_head(const HttpReply& reply, const ReplyFraming& framing);

// The head of a stream, of events unless `headers` have another Content-Type; chunked but for
// HTTP/1.0.
std::string events_head(const HttpHeaders& headers, const ReplyFraming& framing);

std::string chunk_text(std::string_view data);  // one chunk of a chunked body; `data` is not empty
constexpr std::string_view kLastChunk = "0\r\n\r\n";

}  // namespace drystone
