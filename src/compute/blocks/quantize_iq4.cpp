#include <cmath>

#include "compute/blocks/error_weights.h"
#include "compute/blocks/half.h"
#include "compute/blocks/quantize_blocks.h"
#include "compute/blocks/scale_fit.h"

namespace drystone {
namespace {

void pack_nibbles(const std::uint8_t* q, std::uint8_t* qs) {
  for (int j = 0; j < 16; ++j) qs[j] = static_cast<std::uint8_t>(q[j] | q[j + 16] << 4);
}

}  // namespace

void quantize_block(const float* x, const float* importance, BlockIq4Nl& block) {
  float weights[32];
  error_weights<32>(ErrorWeights::square, x, importance, 2 * mean_square<32>(x), weights);
  const float d = fit_iq4(x, weights);
  std::uint8_t q[32];
  nearest_iq4(x, d != 0 ? 1 / d : 0, q);
  block.d = f32_to_f16(d);
  pack_nibbles(q, block.qs);
}

void quantize_block(const float* x, const float* importance, BlockIq4Xs& block) {
  const float spread = 2 * mean_square<256>(x);
  float scales[8];
  float largest = 0;
  for (int s = 0; s < 8; ++s) {
    float weights[32];
    error_weights<32>(ErrorWeights::square, x + 32 * s, importance ? importance + 32 * s : nullptr,
                      spread, weights);
    scales[s] = fit_iq4(x + 32 * s, weights);
    if (std::fabs(scales[s]) > std::fabs(largest)) largest = scales[s];
  }
  block = {};
  if (largest == 0) return;  // d = 0: all weights are zero
  block.d = f32_to_f16(largest / -32);
  const float d = f16_to_f32(block.d), id = d != 0 ? 1 / d : 0;
  for (int s = 0; s < 8; ++s) {
    const float rounded = std::nearbyint(std::fmin(std::fmax(scales[s] * id, -32.0f), 31.0f));
    const int scale = static_cast<int>(rounded);
    const float dl = d * rounded;
    std::uint8_t q[32];
    nearest_iq4(x + 32 * s, dl != 0 ? 1 / dl : 0, q);
    pack_nibbles(q, block.qs + 16 * s);
    block.scales_l[s / 2] |= static_cast<std::uint8_t>(((scale + 32) & 15) << 4 * (s % 2));
    block.scales_h = static_cast<std::uint16_t>(block.scales_h | (scale + 32) >> 4 << 2 * s);
  }
}

}  // namespace drystone
