#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "cluster/instance/place_value.h"

namespace drystone {

// Makes a placement, or says why there is none. Owns all that it is made from: any thread may run
// it, at any time.
using PlanJob = std::function<PlaceValue()>;

// Where a keeper has its plans made. One takes up to 0.1 s for a cluster of many nodes, and what
// is made may take several: more than the loop that carries heartbeats should wait.
class PlanWork {
 public:
  virtual ~PlanWork() = default;
  // What the job of this number gives, once; nullopt: not yet, ask again. `job` is called only for
  // a new number, which takes the place of the one before: that one's answer goes nowhere.
  virtual std::optional<PlaceValue> made(std::uint64_t number,
                                         const std::function<PlanJob()>& job) = 0;
};

}  // namespace drystone
