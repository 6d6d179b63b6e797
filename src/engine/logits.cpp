#include "engine/logits.h"

#include <algorithm>
#include <cmath>

#include "engine/portable_math.h"

namespace drystone {

Highest find_highest(std::span<const float> logits) {
  constexpr std::size_t kLanes = 16;
  float lane_max[kLanes];
  std::fill(std::begin(lane_max), std::end(lane_max), -std::numeric_limits<float>::infinity());
  unsigned nans[kLanes] = {};
  std::size_t i = 0;
  for (; i + kLanes <= logits.size(); i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const float x = logits[i + lane];
      lane_max[lane] = x > lane_max[lane] ? x : lane_max[lane];
      nans[lane] |= x != x ? 1u : 0u;
    }
  }
  for (; i < logits.size(); ++i) {
    lane_max[0] = std::max(lane_max[0], logits[i]);
    nans[0] |= std::isnan(logits[i]) ? 1u : 0u;
  }
  Highest highest;
  highest.logit = *std::max_element(std::begin(lane_max), std::end(lane_max));
  highest.has_nan =
      std::any_of(std::begin(nans), std::end(nans), [](unsigned nan) { return nan != 0; });
  highest.id =
      static_cast<TokenId>(std::find(logits.begin(), logits.end(), highest.logit) - logits.begin());
  return highest;
}

double softmax_sum(std::span<const float> logits, float max) {
  constexpr std::size_t kBlock = 64;
  double sum = 0;
  std::size_t i = 0;
  for (; i + kBlock <= logits.size(); i += kBlock) {
    float terms[kBlock];
    for (std::size_t k = 0; k < kBlock; ++k) terms[k] = portable_exp(logits[i + k] - max);
    for (std::size_t width = kBlock / 2; width > 0; width /= 2) {
      for (std::size_t k = 0; k < width; ++k) terms[k] += terms[k + width];
    }
    sum += terms[0];
  }
  for (; i < logits.size(); ++i) sum += portable_exp(logits[i] - max);
  return sum;
}

}  // namespace drystone
