#pragma once

#include "base/clock.h"

namespace drystone {

// When a node measures itself again, so that its figures are not those of one moment, beside which
// something else may have run: kRuns times after its start, whenever a look finds the machine idle.
// Pure.
class MeasureAgain {
 public:
  static constexpr int kRuns = 3;
  static constexpr std::chrono::seconds kLookFirst{5}, kLookLast{600};

  explicit MeasureAgain(Clock::Nanoseconds now) : next_(now + kLookFirst) {}

  // Whether it is time to look.
  bool due(Clock::Nanoseconds now) const { return runs_ < kRuns && now >= next_; }
  // Looked, and measured or found no time for it: then the next look is later each time.
  void done(bool measured, Clock::Nanoseconds now);

 private:
  int runs_ = 0;
  Clock::Nanoseconds wait_ = kLookFirst, next_;
};

}  // namespace drystone
