#include "base/clock.h"

namespace drystone {

Clock::Nanoseconds SystemClock::monotonic() const {
  return std::chrono::duration_cast<Nanoseconds>(
      std::chrono::steady_clock::now().time_since_epoch());
}

Clock::WallTime SystemClock::wall() const {
  return std::chrono::time_point_cast<Nanoseconds>(std::chrono::system_clock::now());
}

std::tm local_time(const Clock& clock) {
  const std::time_t now = std::chrono::system_clock::to_time_t(
      std::chrono::time_point_cast<std::chrono::system_clock::duration>(clock.wall()));
  std::tm out = {};
  localtime_r(&now, &out);
  return out;
}

}  // namespace drystone
