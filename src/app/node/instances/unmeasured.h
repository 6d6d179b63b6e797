#pragma once

#include <string>
#include <vector>

#include "cluster/instance/instance_map.h"

namespace drystone {

struct Unmeasured {
  std::string what;            // as it may follow "figures of": "nova", "the link atlas - nova"
  bool is_on_its_way = false;  // a node of it is measuring itself, or has told nothing yet
  bool operator==(const Unmeasured&) const = default;
};

// What is not measured of these nodes and the links between them. A node that has told that it is
// done is not among it, whatever it could not measure. Empty: there is nothing to wait for.
std::vector<Unmeasured> unmeasured(const InstanceMap& map, const std::vector<std::string>& nodes);

}  // namespace drystone
