#pragma once

#include <algorithm>

#include "base/clock.h"

namespace drystone {

// The seconds that `work` takes when nothing disturbs it: the least of several tries, since
// whatever else a machine does only adds to them. Never of one: two where a try takes kSlowTry_s or
// more, else at least three, and as many as kEnough_s together, at most kTriesMax.
inline constexpr double kEnough_s = 0.003, kSlowTry_s = 0.1;
inline constexpr int kTriesMin = 3, kSlowTries = 2, kTriesMax = 50;

template <typename Work>
double best_time_s(const Clock& clock, Work work) {
  double best = 1e9, all = 0;
  for (int tries = 0; tries < kTriesMax; ++tries) {
    const int least = best >= kSlowTry_s ? kSlowTries : kTriesMin;
    if (tries >= least && all >= kEnough_s) break;
    const auto start = clock.monotonic();
    work();
    const double time = seconds(clock.monotonic() - start);
    best = std::min(best, time);
    all += time;
  }
  return std::max(best, 1e-9);
}

}  // namespace drystone
