#pragma once

#include <optional>

#include "base/units.h"

namespace drystone {

// Memory of this machine, or of what a container leaves of it. nullopt: the system does not say.
struct NodeMemory {
  std::optional<Bytes> total;
  std::optional<Bytes> available;  // that could be had now without swapping
};
NodeMemory node_memory();

// Left to the system, never planned with.
Bytes system_reserve(const NodeMemory& memory);

}  // namespace drystone
