#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

namespace drystone {

// Blocks for so long, or until `stop` is true, at the latest at its next look.
inline void pause_for(std::chrono::nanoseconds length, const std::atomic<bool>& stop) {
  constexpr std::chrono::nanoseconds kLook = std::chrono::milliseconds(20);
  for (auto left = length; left > left.zero() && !stop; left -= kLook)
    std::this_thread::sleep_for(std::min(left, kLook));
}

}  // namespace drystone
