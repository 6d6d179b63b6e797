#pragma once

#include <string>
#include <vector>

#include "cluster/instance/instance_map.h"

namespace drystone {

// What is not measured yet of these nodes and the links between them, as it may follow "figures
// of": "nova", "the link atlas - nova". Empty: a plan guesses nothing.
std::vector<std::string> unmeasured(const InstanceMap& map, const std::vector<std::string>& nodes);

}  // namespace drystone
