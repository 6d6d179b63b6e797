#pragma once

#include <vector>

#include "base/clock.h"
#include "bench/serve/load_client.h"
#include "bench/serve/workload.h"

namespace drystone {

struct LoadRecord {
  std::vector<Exchange> exchanges;  // in the order in which they began
  double wall_s = 0;                // from the first one's start to the last one's end
};

// Runs a workload against a server. Blocks until every request has ended.
LoadRecord run_load(const Workload& work, const LoadTarget& target, const Clock& clock);

}  // namespace drystone
