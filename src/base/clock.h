#pragma once

#include <chrono>
#include <ctime>

namespace drystone {

// Time comes through an interface, handed in by constructors, so that tests and simulations decide
// what time it is. Only src/base reads the machine's clocks (tests/tidy checks it).
class Clock {
 public:
  using Nanoseconds = std::chrono::nanoseconds;
  using WallTime = std::chrono::time_point<std::chrono::system_clock, Nanoseconds>;

  virtual ~Clock() = default;

  // Since an arbitrary start; never goes back. For durations, rates and deadlines.
  virtual Nanoseconds monotonic() const = 0;

  // Date and time, UTC. May jump when the machine's clock is set: only for what people and file
  // formats want to see.
  virtual WallTime wall() const = 0;
};

// The machine's own clocks. Thread-safe.
class SystemClock final : public Clock {
 public:
  Nanoseconds monotonic() const override;
  WallTime wall() const override;
};

// clock.wall() in this machine's time zone.
std::tm local_time(const Clock& clock);

inline double seconds(Clock::Nanoseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace drystone
