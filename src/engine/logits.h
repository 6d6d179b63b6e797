#pragma once

#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

#include "model/tokenizer/tokenizer.h"

namespace drystone {

// Passes over the logits of a whole vocabulary, written so that the compiler computes several at
// once. Sums are always taken in the same order.

struct Highest {
  float logit = -std::numeric_limits<float>::infinity();
  TokenId id = 0;
  bool has_nan = false;
};

// The lowest id of the highest logit. NaN is noted, and otherwise ignored.
Highest find_highest(std::span<const float> logits);

// Sum of e^(logit - max).
double softmax_sum(std::span<const float> logits, float max);

// How much probability lies at which distance below the best logit, in ranges of 1/64; beyond 32
// there is next to none.
class MassByDistance {
 public:
  MassByDistance() : masses_(kRanges) {}

  static std::int32_t range_of(float distance) {
    const float range = distance * kRangesPerUnit;
    return static_cast<std::int32_t>(range < kRanges - 1 ? range : kRanges - 1);
  }
  static float lower_bound(float max, std::int32_t range) {
    return range >= kRanges - 1 ? std::numeric_limits<float>::lowest()
                                : max - static_cast<float>(range + 1) / kRangesPerUnit;
  }
  void add(std::int32_t range, float weight) { masses_[static_cast<std::size_t>(range)] += weight; }
  double total() const { return std::accumulate(masses_.begin(), masses_.end(), 0.0); }

  // The first range with which the sum from the best on reaches `wanted`, and the sum before it.
  struct Border {
    std::int32_t range;
    double mass_before;
  };
  Border reaches(double wanted) const {
    Border border = {0, 0};
    while (border.range + 1 < kRanges) {
      const double mass = border.mass_before + masses_[static_cast<std::size_t>(border.range)];
      if (mass >= wanted) break;
      border = {border.range + 1, mass};
    }
    return border;
  }

 private:
  static constexpr std::int32_t kRanges = 2048;
  static constexpr float kRangesPerUnit = 64;
  std::vector<double> masses_;
};

}  // namespace drystone
