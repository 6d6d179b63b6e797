#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

namespace drystone {

// Whether bringing a page back from the second tier is sooner than computing it again, by what it
// took before. A disk that was slow is tried again now and then.
class RestorePace {
 public:
  static constexpr std::size_t kKept = 8, kSkipsMax = 64;

  // `compute_s`: of computing a page; 0: not known. One slow page says little: disks have other
  // work too, so the fastest of the last ones counts.
  bool worth(double compute_s) {
    if (count_ < kKept || compute_s == 0 || *std::ranges::min_element(last_s_) < compute_s)
      return true;
    if (++skips_ >= kSkipsMax) count_ = skips_ = 0;
    return false;
  }
  void took(double restore_s) { last_s_[count_++ % kKept] = restore_s; }

 private:
  std::array<double, kKept> last_s_{};
  std::size_t count_ = 0, skips_ = 0;
};

}  // namespace drystone
