#pragma once

#include <atomic>

#include "app/node/measured.h"
#include "base/clock.h"
#include "base/units.h"
#include "compute/cpu/isa.h"

namespace drystone {

struct MeasureOptions {
  Isa isa;
  int threads = 1;
  Bytes memory_bytes = 0;  // that may be taken for it: read bandwidth needs a buffer larger than
                           // the caches and is left out when there is too little
  const std::atomic<bool>* stop =
      nullptr;  // true: give up within moments; what is there is partial
};

// Measures this machine as a model would use it: read bandwidth; products of prompt rows and of
// generated rows with weights of every type that is computed with, small enough to stay in a cache
// (the planner takes the longer of reading and computing); attention; what a step and a layer cost
// besides. Each figure is the best of several tries. Blocks for about five seconds, and keeps all
// threads busy for as long. A figure that could not be measured is absent.
Measured measure_node(const MeasureOptions& options, const Clock& clock);

// Nodes on one machine measure one after the other: waits until no other process of this program
// does, at most `within`, and no longer than until `stop` is true.
class MeasureTurn {
 public:
  MeasureTurn(const Clock& clock, Clock::Nanoseconds within, const std::atomic<bool>& stop);
  ~MeasureTurn();
  MeasureTurn(const MeasureTurn&) = delete;
  MeasureTurn& operator=(const MeasureTurn&) = delete;

 private:
  int descriptor_ = -1;
};

}  // namespace drystone
