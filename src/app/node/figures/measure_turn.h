#pragma once

#include <atomic>

#include "base/clock.h"

namespace drystone {

// Nodes on one machine measure one after the other: waits until no other process of this program
// does, at most `within`, and no longer than until `stop` is true.
class MeasureTurn {
 public:
  MeasureTurn(const Clock& clock, Clock::Nanoseconds within, const std::atomic<bool>& stop);
  ~MeasureTurn();
  MeasureTurn(const MeasureTurn&) = delete;
  MeasureTurn& operator=(const MeasureTurn&) = delete;

  // False: another one measures still.
  bool is_ours() const { return ours_; }

 private:
  int descriptor_ = -1;
  bool ours_ = true;  // also where the system cannot tell
};

}  // namespace drystone
