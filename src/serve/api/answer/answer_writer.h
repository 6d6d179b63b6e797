#pragma once

#include <fmt/format.h>

#include <span>
#include <string>
#include <string_view>

#include "serve/api/answer/choice_answer.h"
#include "serve/http/api_error.h"
#include "serve/http/sse.h"

namespace drystone {

// How far an answer is: it waits, its prompt is computed, or its text is written.
struct AnswerProgress {
  enum class Stage { waiting, reading, writing };
  Stage stage = Stage::waiting;
  std::size_t position = 1;                          // waiting: 1 is next
  std::uint32_t prompt_held = 0, prompt_tokens = 0;  // reading
};

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
  // While there is no text, as it changes.
  virtual std::string progress(const AnswerProgress& progress) {
    switch (progress.stage) {
      case AnswerProgress::Stage::waiting:
        return sse_comment(fmt::format("waiting, position {}", progress.position));
      case AnswerProgress::Stage::reading:
        return sse_comment(
            fmt::format("prompt {} of {}", progress.prompt_held, progress.prompt_tokens));
      case AnswerProgress::Stage::writing:
        break;
    }
    return sse_comment("working");
  }
  // When nothing was sent for long.
  virtual std::string keep_alive(const AnswerProgress& now) { return progress(now); }
};

}  // namespace drystone
