#pragma once

#include <optional>
#include <string>

#include "base/units.h"

namespace drystone {

// Memory of this machine, or of what a container leaves of it. nullopt: the system does not say.
struct NodeMemory {
  std::optional<Bytes> total;
  std::optional<Bytes> available;  // that could be had now without swapping
};
NodeMemory node_memory();

// The same for all nodes that run under one system since it was started, and so take from one
// memory. Empty: the system does not say, or a control group gives this process a part of it.
std::string memory_id();

// Left to the system, never planned with.
Bytes system_reserve(const NodeMemory& memory);

}  // namespace drystone
