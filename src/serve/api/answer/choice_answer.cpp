#include "serve/api/answer/choice_answer.h"

#include <algorithm>

#include "base/check.h"

namespace drystone {

ChoiceAnswer::ChoiceAnswer(const Options& options) : options_(options) {
  if (options.splitter) splitter_.emplace(*options.splitter);
}

std::vector<ReplyPart> ChoiceAnswer::push(const Delta& delta) {
  started = true;
  if (options_.keep_tokens) tokens.insert(tokens.end(), delta.tokens.begin(), delta.tokens.end());
  if (splitter_) {
    const bool was_reasoning = splitter_->in_reasoning();
    std::vector<ReplyPart> parts = splitter_->push(delta.text);
    count_reasoning(parts, delta.tokens.size(), was_reasoning);
    return take(std::move(parts));
  }
  return delta.text.empty() ? std::vector<ReplyPart>{} : take({{.text = delta.text}});
}

std::vector<ReplyPart> ChoiceAnswer::finish(const GenerateResult& last) {
  CHECK(!done);
  done = true;
  result = last;
  if (!splitter_) return {};
  const bool cut = last.finish == FinishReason::length || !last.stop.empty();
  std::vector<ReplyPart> parts = splitter_->finish(cut ? ReplyEnd::cut : ReplyEnd::whole);
  count_reasoning(parts, 0, /*was_reasoning=*/true);
  return take(std::move(parts));
}

// Tokens belong to the part that their text comes out in; where they come out in several, they are
// shared out by the length of the text. Marks belong to no reasoning.
void ChoiceAnswer::count_reasoning(std::span<const ReplyPart> parts, std::size_t tokens,
                                   bool was_reasoning) {
  held_tokens_ += tokens;
  std::size_t reasoning_bytes = 0, bytes = 0;
  for (const ReplyPart& part : parts) {
    const std::size_t size = part.text.size() + part.name.size();
    bytes += size;
    if (part.kind == ReplyPart::Kind::reasoning) reasoning_bytes += size;
  }
  const bool opened = !was_reasoning && splitter_->in_reasoning();
  if (bytes == 0 && !opened) return;
  if (bytes > 0)
    reasoning_tokens +=
        static_cast<std::uint32_t>((held_tokens_ * reasoning_bytes + bytes / 2) / bytes);
  held_tokens_ = 0;
}

std::vector<ReplyPart> ChoiceAnswer::take(std::vector<ReplyPart> parts) {
  std::erase_if(parts, [&](const ReplyPart& part) {
    switch (part.kind) {
      case ReplyPart::Kind::content:
        return part.text.empty() || options_.calls_only;
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
    sum.reasoning_tokens += choices[i].reasoning_tokens;
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
