#include <algorithm>

#include "engine/batcher.h"

// Who runs: admission, preemption, and pages for both.

namespace drystone {

void Batcher::admit() {
  while (make_room() && admit_one()) {
  }
}

// A place among the running, if need be that of one that matters less than the first in line.
bool Batcher::make_room() {
  if (running_.size() < options_.sequences_max) return true;
  const auto matters_more = [&] {
    const std::int32_t least = least_important()->priority();
    return first_priority().value_or(least) < least;
  };
  if (!matters_more()) return false;
  if (drain()) return make_room();
  preempt(*least_important());
  return true;
}

// A page to write on beside the tokens, for those that write.
std::uint32_t Batcher::wanted_positions(const RunningRequest& request) const {
  const auto tokens = static_cast<std::uint32_t>(request.tokens().size());
  return request.pool() ? tokens : std::min(tokens + pool_.page_tokens(), sequence_max_);
}

// The first in line comes in when what it wants can be held beside the others, if need be in place
// of those that matter less; else all wait.
bool Batcher::admit_one() {
  std::unique_ptr<RunningRequest> request = next_waiting();
  if (request == nullptr) return false;
  if (const auto over = request->over(); over && !request->pool()) {  // with what it came with
    request->admitted = clock_.monotonic();
    request->flush();
    finish(*request, request->result(*over));
    return true;
  }
  const std::uint32_t cached =
      request->needs_all_rows() ? 0 : request->sequence().reuse(request->tokens());
  const std::uint32_t wanted = wanted_positions(*request);
  while (!request->sequence().reserve(wanted)) {
    CHECK(!running_.empty(), wanted);  // alone, everything fits
    if (least_important()->priority() > request->priority()) {
      if (!drain()) preempt(*least_important());
      continue;
    }
    request->give_back();
    wait_again(std::move(request));
    return false;
  }
  count_cached(*request, cached);
  if (request->admitted.count() == 0) {
    request->admitted = clock_.monotonic();
    const std::lock_guard lock(mutex_);
    counts_.prompt_tokens += request->tokens().size();
  }
  request->report_prompt();
  running_.push_back(std::move(request));
  return true;
}

void Batcher::count_cached(RunningRequest& request, std::uint32_t tokens) {
  if (tokens == 0 || request.preemptions > 0) return;  // its own work, done before
  request.cached_tokens += tokens;
  const std::lock_guard lock(mutex_);
  counts_.cached_tokens += tokens;
}

// Ahead of those who have never run, if it matters as much.
void Batcher::wait_again(std::unique_ptr<RunningRequest> request) {
  const auto order = [](const auto& one) { return std::pair(one->priority(), one->id()); };
  interrupted_.insert(std::ranges::upper_bound(interrupted_, order(request), {}, order),
                      std::move(request));
}

std::optional<std::int32_t> Batcher::first_priority() const {
  auto first = intake_.first_priority();
  if (!interrupted_.empty())
    first = std::min(first.value_or(interrupted_.front()->priority()),
                     interrupted_.front()->priority());
  return first;
}

std::unique_ptr<RunningRequest> Batcher::next_waiting() {
  if (!interrupted_.empty() && interrupted_.front()->priority() <= *first_priority()) {
    auto request = std::move(interrupted_.front());
    interrupted_.pop_front();
    return request;
  }
  auto taken = intake_.take();
  if (!taken) return nullptr;
  const auto on_done = taken->job.on_done;
  auto request = RunningRequest::create({.pool = pool_,
                                         .kinds_agree = kinds_agree_,
                                         .tokenizer = tokenizer_,
                                         .vocab = options_.vocab,
                                         .width = options_.width,
                                         .context = sequence_max_,
                                         .end_tokens = end_tokens_},
                                        taken->id, std::move(taken->job));
  if (!request) {
    intake_.over(taken->id);
    on_done(std::move(request).error());
    return next_waiting();
  }
  (*request)->submitted = taken->since;
  return *std::move(request);
}

RunningRequest* Batcher::least_important() const {
  RunningRequest* least = nullptr;
  for (const auto& request : running_)  // the youngest of the highest number
    if (least == nullptr || request->priority() >= least->priority()) least = request.get();
  return least;
}

void Batcher::preempt(RunningRequest& request) {
  request.give_back();
  ++request.preemptions;
  const auto at = std::ranges::find(running_, &request, &std::unique_ptr<RunningRequest>::get);
  CHECK(at != running_.end());
  std::erase_if(planned_.parts, [&](const Step::Part& part) { return part.request == &request; });
  auto interrupted = std::move(*at);
  running_.erase(at);
  wait_again(std::move(interrupted));
  const std::lock_guard lock(mutex_);
  ++counts_.preemptions;
}

// False: look again at who runs; `request` may have given way, or be over.
bool Batcher::reserve(RunningRequest& request, std::uint32_t positions) {
  while (!request.sequence().reserve(positions)) {
    if (drain()) return false;
    RunningRequest* const victim = least_important();
    CHECK(running_.size() > 1, positions);  // submit() lets in only what fits alone
    preempt(*victim);
    if (victim == &request) return false;
  }
  return true;
}

}  // namespace drystone
