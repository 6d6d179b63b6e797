#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "serve/toolcall/reply_splitter.h"

namespace drystone {

struct ToolCall {
  std::string id, name;
  std::string arguments;  // JSON
};

enum class AnswerEnd { stop, length, tool_calls };

// What one choice of an answer has become so far. The same for every dialect.
class ChoiceAnswer {
 public:
  struct Options {
    std::optional<SplitterOptions> splitter;  // absent: all text is content
    bool one_call = false;                    // calls after the first are dropped
    bool calls_only = false;                  // a call is forced: other text is its markup
    bool reasoning = true;                    // else it is dropped
    bool keep_tokens = false;                 // for logprobs
  };
  explicit ChoiceAnswer(const Options& options);

  // The parts that are new, in order.
  std::vector<ReplyPart> push(const Delta& delta);
  std::vector<ReplyPart> finish(const GenerateResult& result);

  std::string content, reasoning;
  std::vector<ToolCall> calls;
  std::vector<Sampled> tokens;
  std::uint32_t reasoning_tokens = 0;  // those of `reasoning`, also where it is dropped
  GenerateResult result;
  bool started = false;  // a token has come
  bool done = false;

  AnswerEnd end() const;

 private:
  std::vector<ReplyPart> take(std::vector<ReplyPart> parts);
  void count_reasoning(std::span<const ReplyPart> parts, std::size_t tokens, bool was_reasoning);

  Options options_;
  std::optional<ReplySplitter> splitter_;
  std::size_t held_tokens_ = 0;  // whose text is in no part yet
};

struct AnswerUsage {
  std::uint32_t prompt_tokens = 0, cached_tokens = 0, completion_tokens = 0;
  std::uint32_t reasoning_tokens = 0;  // of the completion's
  double queue_s = 0, prefill_s = 0, decode_s = 0;
};

// Of choices of which `per_prompt` neighbours share each prompt, which counts once.
AnswerUsage sum_usage(std::span<const ChoiceAnswer> choices, std::size_t per_prompt = 1);

}  // namespace drystone
