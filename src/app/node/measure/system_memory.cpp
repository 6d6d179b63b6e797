#include "app/node/measure/system_memory.h"

#include <fstream>
#include <string>

#include "app/node/measure/node_memory.h"

namespace drystone {
namespace {

// Memory of this process that no file stands behind.
Bytes own_memory() {
  std::ifstream in("/proc/self/status");
  for (std::string word; in >> word;) {
    Bytes kib = 0;
    if (word == "RssAnon:" && in >> kib) return kib * kKiB;
  }
  return 0;
}

}  // namespace

std::optional<Bytes> attainable_memory() {
  const auto available = node_memory().available;
  if (!available) return std::nullopt;
  return *available + own_memory();
}

}  // namespace drystone
