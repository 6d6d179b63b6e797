#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "serve/http/reply_writer.h"

namespace drystone {

struct ReplyInfo {
  std::string id;     // "chatcmpl-..."
  std::string model;  // as served
  std::int64_t created_unix_s = 0;
  bool logprobs = false;       // tokens carry them
  bool include_usage = false;  // chunks but the last say "usage": null
  std::string echo;            // completions: the prompt, repeated before the answer
  std::function<std::string(TokenId)> piece;
};

std::unique_ptr<ReplyWriter> chat_reply(ReplyInfo info);        // chat.completion(.chunk)
std::unique_ptr<ReplyWriter> completion_reply(ReplyInfo info);  // text_completion

}  // namespace drystone
