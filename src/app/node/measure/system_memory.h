#pragma once

#include <optional>

#include "base/units.h"

namespace drystone {

// What this process can have in all: what the system could still give it, and what it has. nullopt
// where the system does not tell.
std::optional<Bytes> attainable_memory();

}  // namespace drystone
