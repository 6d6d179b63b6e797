#pragma once

#include <cmath>

#include "compute/blocks/lanes.h"

// How much the square error of each weight of a block counts in the search for its scale.

namespace drystone {

// Large weights meet large activations no more often than small ones, yet their errors hurt more;
// counting them by their magnitude against the block's average is the usual compromise when nothing
// is known of the activations.
enum class ErrorWeights { magnitude, rms_plus_magnitude, square };

template <int kN>
float mean_square(const float* x) {
  Lanes total{};
  for (int i = 0; i < kN; i += 4) total += load(x + i) * load(x + i);
  return sum(total) / kN;
}

// out[kN]. `spread` is twice the mean square of the super-block: it damps the effect of a weight's
// own magnitude when an importance is known.
template <int kN>
void error_weights(ErrorWeights kind, const float* x, const float* importance, float spread,
                   float* out) {
  if (importance != nullptr) {
    for (int i = 0; i < kN; ++i) out[i] = importance[i] * std::sqrt(spread + x[i] * x[i]);
    return;
  }
  if (kind == ErrorWeights::square) {
    for (int i = 0; i < kN; i += 4) store(out + i, load(x + i) * load(x + i));
    return;
  }
  const float floor =
      kind == ErrorWeights::rms_plus_magnitude ? std::sqrt(mean_square<kN>(x)) : 0.0f;
  for (int i = 0; i < kN; i += 4) store(out + i, abs(load(x + i)) + splat(floor));
}

}  // namespace drystone
