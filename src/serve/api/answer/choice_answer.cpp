#include "serve/api/answer/choice_answer.h"

#include <algorithm>

#include "base/check.h"

namespace drystone {

ChoiceAnswer::ChoiceAnswer(const Options& options) : options_(options) {
  if (options.splitter) splitter_.emplace(*options.splitter);
}

std::vector<ReplyPart> ChoiceAnswer::push(const Delta& delta) {
  if (options_.keep_tokens) tokens.insert(tokens.end(), delta.tokens.begin(), delta.tokens.end());
  if (splitter_) return take(splitter_->push(delta.text));
  return delta.text.empty() ? std::vector<ReplyPart>{} : take({{.text = delta.text}});
}

std::vector<ReplyPart> ChoiceAnswer::finish(const GenerateResult& last) {
  CHECK(!done);
  done = true;
  result = last;
  return splitter_ ? take(splitter_->finish()) : std::vector<ReplyPart>{};
}

std::vector<ReplyPart> ChoiceAnswer::take(std::vector<ReplyPart> parts) {
  std::erase_if(parts, [&](const ReplyPart& part) {
    switch (part.kind) {
      case ReplyPart::Kind::content:
        return part.text.empty();
      case ReplyPart::Kind::reasoning:
        return part.text.empty() || !options_.reasoning;
      default:
        return options_.one_call && part.call > 0;
    }
  });
  for (const ReplyPart& part : parts) {
    if (part.kind == ReplyPart::Kind::content) content += part.text;
    if (part.kind == ReplyPart::Kind::reasoning) reasoning += part.text;
    if (part.kind == ReplyPart::Kind::tool_call) calls.push_back({part.id, part.name, ""});
    if (part.kind == ReplyPart::Kind::tool_arguments) calls.at(part.call).arguments += part.text;
  }
  return parts;
}

AnswerEnd ChoiceAnswer::end() const {
  if (result.finish == FinishReason::length) return AnswerEnd::length;
  return calls.empty() ? AnswerEnd::stop : AnswerEnd::tool_calls;
}

AnswerUsage sum_usage(std::span<const ChoiceAnswer> choices, std::size_t per_prompt) {
  AnswerUsage sum;
  for (std::size_t i = 0; i < choices.size(); ++i) {
    const GenerateResult& result = choices[i].result;
    sum.completion_tokens += result.completion_tokens;
    sum.queue_s += result.queue_s;
    sum.prefill_s += result.prefill_s;
    sum.decode_s += result.decode_s;
    if (i % per_prompt != 0) continue;
    sum.prompt_tokens += result.prompt_tokens;
    sum.cached_tokens += result.cached_tokens;
  }
  return sum;
}

}  // namespace drystone
