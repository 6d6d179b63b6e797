#include <sched.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <thread>

#include "app/load/processors.h"

namespace drystone {
namespace {

constexpr char kGroups[] = "/sys/fs/cgroup";

// The path of this process's group below kGroups; "" where there is none of version 2.
std::string own_group() {
  std::ifstream file("/proc/self/cgroup");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("0::")) return line.substr(3);
  return "";
}

}  // namespace

int usable_processors() {
  int count = static_cast<int>(std::thread::hardware_concurrency());
  cpu_set_t bound;
  if (::sched_getaffinity(0, sizeof bound, &bound) == 0) count = CPU_COUNT(&bound);
  // Each group above it limits as well. In a container the own one may show as the root.
  for (std::string group = own_group();; group.resize(group.rfind('/'))) {
    std::ifstream file(kGroups + group + "/cpu.max");
    std::string text;
    if (std::getline(file, text))
      if (const auto quota = quota_of(text)) count = std::min(count, *quota);
    if (group.find('/') == std::string::npos) break;
  }
  return std::max(count, 1);
}

}  // namespace drystone
