#pragma once

#include <filesystem>
#include <optional>

#include "base/units.h"

namespace drystone {

// Memory that the limits of our control group, and of every group around it, leave us; absent where
// nothing limits us. Reads /proc/self/cgroup and /sys/fs/cgroup (version 2, or 1 with its memory
// controller) below `root`, which tests choose.
std::optional<Bytes> control_group_headroom(const std::filesystem::path& root = "/");

// The lowest of these limits.
std::optional<Bytes> control_group_limit(const std::filesystem::path& root = "/");

}  // namespace drystone
