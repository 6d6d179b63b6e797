#include "app/node/figures/measure_again.h"

#include <algorithm>

namespace drystone {

void MeasureAgain::done(bool measured, Clock::Nanoseconds now) {
  runs_ += measured ? 1 : 0;
  wait_ = std::min<Clock::Nanoseconds>(2 * wait_, kLookLast);
  next_ = now + wait_;
}

}  // namespace drystone
