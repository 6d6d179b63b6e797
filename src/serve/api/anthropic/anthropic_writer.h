#pragma once

#include <memory>
#include <string>

#include "serve/api/answer/answer_writer.h"

namespace drystone {

struct AnthropicAnswerInfo {
  std::string id;     // "msg_..."
  std::string model;  // as served
  std::size_t prompt_tokens = 0;
};

// A message, or its events: message_start, content_block_start, _delta and _stop for each block,
// message_delta, message_stop; ping while nothing comes.
std::unique_ptr<AnswerWriter> anthropic_writer(AnthropicAnswerInfo info);

}  // namespace drystone
