#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/rng.h"

namespace drystone {

// Which link to measure when: every peer that is this node's to measure, again when what it depends
// on changes, and every kAgainAfter. Pure; one thread.
class ProbeSchedule {
 public:
  static constexpr std::chrono::minutes kAgainAfter{10};
  static constexpr std::chrono::seconds kRetryFirst{5}, kRetryMax{120};
  static constexpr std::chrono::milliseconds kBusyMin{200}, kBusyMax{1500};

  explicit ProbeSchedule(std::uint64_t seed) : rng_(seed) {}

  struct Peer {
    std::string node;
    std::string conditions;  // of the link, as one text: another one is a change
  };
  // The peers to measure now; who is not among them is forgotten.
  void set_peers(const std::vector<Peer>& peers, Clock::Nanoseconds now);
  // Who is to be measured now; nullopt: nobody yet.
  std::optional<std::string> due(Clock::Nanoseconds now) const;

  enum class Outcome { measured, busy, failed };
  void done(const std::string& node, Outcome outcome, Clock::Nanoseconds now);

 private:
  struct State {
    std::string conditions;
    Clock::Nanoseconds due{};
    int failures = 0;
  };
  Clock::Nanoseconds jitter(Clock::Nanoseconds least, Clock::Nanoseconds most);

  Rng rng_;
  std::map<std::string, State> peers_;
};

}  // namespace drystone
