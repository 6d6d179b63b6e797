#include "app/node/measure/processor_use.h"

#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

namespace drystone {
namespace {

// Processors that may be busy on an idle machine: what it does to be there at all.
constexpr double kBusyMax = 0.2, kBusyMaxPerProcessor = 0.02;

}  // namespace

std::optional<ProcessorTimes> processor_times() {
  std::ifstream file("/proc/stat");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  return parse_processor_times(text);
}

std::optional<ProcessorTimes> parse_processor_times(std::string_view stat) {
  std::istringstream lines{std::string(stat)};
  ProcessorTimes times;
  bool has_all = false;
  for (std::string line; std::getline(lines, line) && line.starts_with("cpu");) {
    if (!line.starts_with("cpu ")) {
      ++times.processors;
      continue;
    }
    // user nice system idle iowait irq softirq steal; what follows is part of user.
    std::istringstream words(line.substr(4));
    std::uint64_t value = 0;
    int count = 0;
    for (; count < 8 && words >> value; ++count)
      (count == 3 || count == 4 ? times.idle : times.busy) += value;
    has_all = count >= 4;
  }
  if (!has_all || times.processors == 0) return std::nullopt;
  return times;
}

bool were_idle(const std::optional<ProcessorTimes>& before,
               const std::optional<ProcessorTimes>& now) {
  if (!before || !now) return true;
  const double busy = static_cast<double>(now->busy - before->busy),
               idle = static_cast<double>(now->idle - before->idle);
  if (now->busy < before->busy || now->idle < before->idle || busy + idle <= 0) return false;
  return busy / (busy + idle) * now->processors <=
         kBusyMax + kBusyMaxPerProcessor * now->processors;
}

}  // namespace drystone
