#include "app/node/figures/probe_schedule.h"

#include <algorithm>

namespace drystone {

Clock::Nanoseconds ProbeSchedule::jitter(Clock::Nanoseconds least, Clock::Nanoseconds most) {
  return least + Clock::Nanoseconds(static_cast<std::int64_t>(
                     rng_.below(static_cast<std::uint64_t>((most - least).count()) + 1)));
}

void ProbeSchedule::set_peers(const std::vector<Peer>& peers, Clock::Nanoseconds now) {
  std::map<std::string, State> next;
  for (const Peer& peer : peers) {
    const auto known = peers_.find(peer.node);
    if (known != peers_.end() && known->second.conditions == peer.conditions)
      next[peer.node] = known->second;
    else  // not all at once, when many have come
      next[peer.node] = {.conditions = peer.conditions,
                         .due = now + jitter(Clock::Nanoseconds{0}, kBusyMin)};
  }
  peers_ = std::move(next);
}

std::optional<std::string> ProbeSchedule::due(Clock::Nanoseconds now) const {
  const auto first =
      std::ranges::min_element(peers_, {}, [](const auto& peer) { return peer.second.due; });
  if (first == peers_.end() || first->second.due > now) return std::nullopt;
  return first->first;
}

void ProbeSchedule::done(const std::string& node, Outcome outcome, Clock::Nanoseconds now) {
  const auto at = peers_.find(node);
  if (at == peers_.end()) return;
  State& state = at->second;
  switch (outcome) {
    case Outcome::measured:
      state.failures = 0;
      state.due = now + jitter(kAgainAfter, kAgainAfter + std::chrono::minutes(1));
      break;
    case Outcome::busy:
      state.due = now + jitter(kBusyMin, kBusyMax);
      break;
    case Outcome::failed: {
      Clock::Nanoseconds wait = kRetryFirst;
      for (int i = 0; i < state.failures && wait < kRetryMax; ++i) wait *= 2;
      wait = std::min<Clock::Nanoseconds>(wait, kRetryMax);
      state.failures += 1;
      state.due = now + jitter(wait, wait * 5 / 4);
      break;
    }
  }
}

}  // namespace drystone
