#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace drystone {

// What the processors of this machine, all together, have done since it started, in units of the
// system's.
struct ProcessorTimes {
  std::uint64_t busy = 0, idle = 0;
  std::uint32_t processors = 0;
};

// nullopt where the system does not tell.
std::optional<ProcessorTimes> processor_times();
// Of the text of /proc/stat. nullopt: not such a text.
std::optional<ProcessorTimes> parse_processor_times(std::string_view stat);

// Whether next to nothing ran between two looks, of this process or of any other. True where
// nothing is known.
bool were_idle(const std::optional<ProcessorTimes>& before,
               const std::optional<ProcessorTimes>& now);

}  // namespace drystone
