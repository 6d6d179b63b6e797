#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <variant>

#include "cluster/plan/placement.h"

namespace drystone {

// What the life of instances asks for, in the order in which it should be done.

// Put `value` under `key` into the replicated map, at once; a null deletes.
struct Publish {
  std::string key;
  boost::json::value value;
};

// Reserve placement.part_of(self)->bytes in the ledger, load it, connect it with the others; then
// part_loaded() or part_failed(). A part of a lower epoch of the instance ends first, also one that
// is still loading; what it has in memory may stay where it is the same (same_in_memory).
struct LoadPart {
  Placement placement;
};

// End the part of that epoch, also one that is still loading or has failed, and give back what it
// holds. Where it `may_return`, the instance stands elsewhere now: the weights may be kept for a
// moment, for a placement that follows.
struct DropPart {
  std::string instance;
  Epoch epoch;
  bool may_return = false;
};

using InstanceAction = std::variant<Publish, LoadPart, DropPart>;

}  // namespace drystone
