#pragma once

#include <atomic>
#include <chrono>
#include <vector>

#include "base/clock.h"
#include "cluster/plan/placement.h"
#include "serve/peer/split/part_links.h"
#include "serve/peer/split/switchboard.h"

namespace drystone {

// Opens the streams that a part dials, and waits for those that come to it. All parts of a
// placement do this at the same time, each as soon as it knows of the placement. Blocks.
// Errors: unavailable (not all within `within`: says which), cancelled (`stop` is true). All
// streams are closed then.
Result<std::vector<WiredStream>> connect_part(const Placement& placement, std::uint32_t part,
                                              PeerDialer& dialer, Switchboard& switchboard,
                                              const Clock& clock, std::chrono::nanoseconds within,
                                              const std::atomic<bool>& stop);

}  // namespace drystone
