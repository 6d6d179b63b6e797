#include "app/node/system_memory.h"

#include <fstream>
#include <string>

namespace drystone {
namespace {

// "MemAvailable:  1234 kB" of a file of /proc.
std::optional<Bytes> read_figure(const char* file, const std::string& name) {
  std::ifstream in(file);
  for (std::string word; in >> word;) {
    Bytes kib = 0;
    if (word == name + ":" && in >> kib) return kib * kKiB;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Bytes> attainable_memory() {
  const auto available = read_figure("/proc/meminfo", "MemAvailable");
  if (!available) return std::nullopt;
  return *available + read_figure("/proc/self/status", "RssAnon").value_or(0);
}

}  // namespace drystone
