#include "app/node/measure/node_memory.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "compute/cpu/device/control_group.h"
#include "compute/cpu/device/reserved_memory.h"

namespace drystone {

namespace {

std::optional<Bytes> physical_memory() {
  const long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
  if (pages <= 0 || page_bytes <= 0) return std::nullopt;
  return static_cast<Bytes>(pages) * static_cast<Bytes>(page_bytes);
}

}  // namespace

NodeMemory node_memory() {
  NodeMemory memory{.total = physical_memory(), .available = std::nullopt};
  if (const auto limit = control_group_limit())
    memory.total = std::min(memory.total.value_or(*limit), *limit);
  if (const auto available = available_memory()) memory.available = *available;
  return memory;
}

std::string memory_id() {
  std::string id;
  if (node_memory().total == physical_memory())
    std::ifstream("/proc/sys/kernel/random/boot_id") >> id;
  return id;
}

Bytes system_reserve(const NodeMemory& memory) {
  constexpr Bytes kMin = 128 * kMiB, kMax = kGiB;
  return std::clamp(memory.total.value_or(0) / 20, kMin, kMax);
}

}  // namespace drystone
