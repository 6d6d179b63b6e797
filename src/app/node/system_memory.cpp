#include "app/node/system_memory.h"

#include <fstream>
#include <string>

#include "app/node/node_memory.h"

namespace drystone {
namespace {

// Of this process, in memory and of no file: "RssAnon:  1234 kB".
std::optional<Bytes> held_memory() {
  std::ifstream in("/proc/self/status");
  for (std::string word; in >> word;) {
    Bytes kib = 0;
    if (word == "RssAnon:" && in >> kib) return kib * kKiB;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Bytes> attainable_memory() {
  const auto available = node_memory().available;
  if (!available) return std::nullopt;
  return *available + held_memory().value_or(0);
}

}  // namespace drystone
