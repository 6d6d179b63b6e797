#pragma once

#include <fmt/format.h>

#include <span>
#include <string>
#include <string_view>

#include "serve/api/answer/choice_answer.h"
#include "serve/http/api_error.h"
#include "serve/http/sse.h"

namespace drystone {

// Writes one answer in a dialect: whole, as one JSON text, or as a stream, in bytes as they go out
// (server-sent events, or lines of JSON). A stream is begin(), any number of parts(), end_choice()
// once for each choice, and end(); or error() in the place of any of them, which ends it too.
class AnswerWriter {
 public:
  virtual ~AnswerWriter() = default;

  virtual std::string whole(std::span<const ChoiceAnswer> choices) = 0;

  virtual std::string content_type() const { return "text/event-stream"; }
  virtual std::string begin() { return {}; }
  // `parts` are new in `choice`, the one of index `index`; `tokens` made them, or are still held
  // back.
  virtual std::string parts(std::size_t index, const ChoiceAnswer& choice,
                            std::span<const ReplyPart> parts, std::span<const Sampled> tokens) = 0;
  virtual std::string end_choice(std::size_t index, const ChoiceAnswer& choice) = 0;
  virtual std::string end(std::span<const ChoiceAnswer> choices) = 0;
  virtual std::string error(const ApiError& error) = 0;
  // When nothing came for a while; `before`: requests that go first.
  virtual std::string keep_alive(std::size_t before) {
    return sse_comment(before > 0 ? fmt::format("waiting, {} before this", before) : "working");
  }
};

}  // namespace drystone
