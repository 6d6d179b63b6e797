#pragma once

#include <cmath>

#include "base/clock.h"

namespace drystone {

// For tests: time passes when they say so, and by `step_s` with every look at it.
class TestClock final : public Clock {
 public:
  explicit TestClock(double step_s = 0) : step_s_(step_s) {}
  // Every so many looks something holds the machine up for so long.
  void pause(int every, double pause_s) { every_ = every, pause_s_ = pause_s; }
  void pass(double time_s) const { now_ += nanoseconds(time_s); }

  Nanoseconds monotonic() const override {
    if (every_ > 0 && ++looks_ % every_ == 0) pass(pause_s_);
    pass(step_s_);
    return now_;
  }
  WallTime wall() const override { return WallTime(now_); }

 private:
  static Nanoseconds nanoseconds(double time_s) { return Nanoseconds(std::llround(time_s * 1e9)); }
  const double step_s_;
  int every_ = 0;
  double pause_s_ = 0;
  mutable int looks_ = 0;
  mutable Nanoseconds now_{};
};

}  // namespace drystone
