#pragma once

#include <functional>

#include "app/node/measure/measured.h"
#include "base/clock.h"
#include "base/units.h"
#include "compute/cpu/isa.h"

namespace drystone {

struct MeasureOptions {
  Isa isa;
  int threads = 1;
  Bytes memory_bytes = 0;  // that may be taken for it: read bandwidth needs a buffer larger than
                           // the caches and is left out when there is too little
  // True: give up within moments; what is there is partial. Asked on the same thread; may be empty.
  std::function<bool()> stop;
};

// Measures this machine as a model would use it: read bandwidth; products of prompt rows and of
// generated rows with weights of every type that is computed with, the latter from memory; steps
// from which the costs of attention, steps and layers follow. In two rounds, in one where a round
// takes long, with further steps where what comes out is not plausible. Blocks for
// about five seconds, with one thread for six to seven, and keeps all threads busy for as long. A
// figure that could not be measured is absent.
Measured measure_node(const MeasureOptions& options, const Clock& clock);

}  // namespace drystone
