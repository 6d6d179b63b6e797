#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "engine/generation_job.h"

namespace drystone {

// What a client has of an answer, and so what of a replay it must not see again. Not thread-safe.
class ReplayedJob {
 public:
  explicit ReplayedJob(GenerateRequest request, Clock::Nanoseconds now);

  // The request that makes an engine go on behind what was delivered. The first time it is the
  // client's own.
  GenerateRequest next_attempt();
  // A replay is refused as too long: the answer had reached its end. Without its last token it
  // fits, and that token comes again; so do further replays. False: this was tried, or there is
  // none.
  bool shorten();

  // What of `delta` the client does not have yet; it counts as delivered. nullopt: nothing. Errors:
  // corrupt (a replayed token is another than the one delivered).
  Result<std::optional<Delta>> take(const Delta& delta, Clock::Nanoseconds now);
  // How much of the prompt is in the cache, if that is more than was told.
  std::optional<std::uint32_t> take_prompt(std::uint32_t held, Clock::Nanoseconds now);
  // The figures of the whole answer, from those of the last attempt.
  GenerateResult whole(GenerateResult last, Clock::Nanoseconds now) const;

  // Of a job that ends here.
  GenerateResult cancelled() const;

  std::size_t tokens() const { return delivered_.size(); }
  int attempts() const { return attempts_; }
  // Tokens came since the last call, or at all.
  bool take_progress() { return std::exchange(progress_, false); }

 private:
  GenerateRequest request_;
  std::vector<TokenId> delivered_;
  std::size_t delivered_bytes_ = 0;
  std::size_t at_token_ = 0, at_byte_ = 0;  // of the present attempt
  int attempts_ = 0;
  bool progress_ = false;
  std::optional<std::size_t> full_at_;  // tokens behind which there is no room for one more
  std::optional<std::uint32_t> cached_, held_;
  Clock::Nanoseconds submitted_;
  std::optional<Clock::Nanoseconds> admitted_, first_token_;
};

}  // namespace drystone
