#include "app/load/processors.h"

#include <charconv>
#include <cstdint>

namespace drystone {

std::optional<int> quota_of(std::string_view cpu_max) {
  std::uint32_t quota = 0, period = 0;
  const char* const end = cpu_max.data() + cpu_max.size();
  const auto first = std::from_chars(cpu_max.data(), end, quota);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != ' ') return std::nullopt;
  const auto second = std::from_chars(first.ptr + 1, end, period);
  if (second.ec != std::errc() || period == 0 || quota == 0) return std::nullopt;
  return static_cast<int>((std::uint64_t{quota} + period - 1) / period);
}

}  // namespace drystone
