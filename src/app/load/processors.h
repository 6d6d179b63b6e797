#pragma once

#include <optional>
#include <string_view>

namespace drystone {

// How many processors this thread may use: those that it is bound to (taskset, a service's
// CPUAffinity), and no more than the quotas of its control groups (a container's) come to. At
// least 1.
int usable_processors();

// What the text of a control group's cpu.max grants, rounded up: "150000 100000" is 2. nullopt: no
// limit, or not such a text.
std::optional<int> quota_of(std::string_view cpu_max);

}  // namespace drystone
