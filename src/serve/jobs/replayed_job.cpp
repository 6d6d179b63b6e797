#include "serve/jobs/replayed_job.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace drystone {

ReplayedJob::ReplayedJob(GenerateRequest request, Clock::Nanoseconds now)
    : request_(std::move(request)), submitted_(now) {}

GenerateRequest ReplayedJob::next_attempt() {
  at_token_ = at_byte_ = 0;
  GenerateRequest next = request_;
  ++attempts_;
  if (delivered_.size() > next.written.size()) next.written = delivered_;
  if (full_at_ == delivered_.size() && !next.written.empty()) next.written.pop_back();
  return next;
}

bool ReplayedJob::shorten() {
  if (full_at_ || attempts_ < 2 || delivered_.empty()) return false;
  full_at_ = delivered_.size();
  return true;
}

Result<std::optional<Delta>> ReplayedJob::take(const Delta& delta, Clock::Nanoseconds now) {
  Delta fresh;
  for (const Sampled& token : delta.tokens) {
    const std::size_t at = at_token_++;
    if (at == delivered_.size()) {
      delivered_.push_back(token.id);
      fresh.tokens.push_back(token);
    } else if (delivered_[at] != token.id) {
      return Error(Errc::corrupt,
                   fmt::format("the model was lost while it wrote this answer, and the replay gave "
                               "another token at place {} ({}, not {}); ask again",
                               at, token.id, delivered_[at]));
    }
  }
  const std::size_t known =
      std::min(delta.text.size(), delivered_bytes_ - std::min(delivered_bytes_, at_byte_));
  fresh.text = delta.text.substr(known);
  at_byte_ += delta.text.size();
  delivered_bytes_ = std::max(delivered_bytes_, at_byte_);
  if (fresh.text.empty() && fresh.tokens.empty()) return std::optional<Delta>();
  progress_ = true;
  if (!first_token_) first_token_ = now;
  return std::optional(std::move(fresh));
}

std::optional<std::uint32_t> ReplayedJob::take_prompt(std::uint32_t held, Clock::Nanoseconds now) {
  if (!admitted_) {
    admitted_ = now;
    cached_ = held;
  }
  if (held_ && held <= *held_) return std::nullopt;
  return held_ = held;
}

GenerateResult ReplayedJob::whole(GenerateResult last, Clock::Nanoseconds now) const {
  if (attempts_ < 2) return last;
  last.cached_tokens = std::min(cached_.value_or(last.cached_tokens), last.prompt_tokens);
  const auto admitted = admitted_.value_or(now);
  const auto first = first_token_.value_or(now);
  last.queue_s = seconds(admitted - submitted_);
  last.prefill_s = seconds(first - admitted);
  last.decode_s = seconds(now - first);
  return last;
}

GenerateResult ReplayedJob::cancelled() const {
  return {.finish = FinishReason::cancelled,
          .prompt_tokens = static_cast<std::uint32_t>(request_.prompt.size()),
          .completion_tokens = static_cast<std::uint32_t>(delivered_.size())};
}

}  // namespace drystone
