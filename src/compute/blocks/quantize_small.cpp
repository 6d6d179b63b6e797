#include <cmath>
#include <cstring>

#include "compute/blocks/error_weights.h"
#include "compute/blocks/half.h"
#include "compute/blocks/quantize_blocks.h"
#include "compute/blocks/scale_fit.h"

// Types with blocks of 32 weights: q8_0, q4_0, q4_1, q5_0, q5_1, mxfp4. Without an importance their
// scale is the range of the block (no search), so that they are quantized at the speed of memory.

namespace drystone {
namespace {

struct Extremes {
  float low, high;
  float largest() const { return -low > high ? low : high; }  // by magnitude, with its sign
};

Extremes extremes_of(const float* x) {
  Lanes low = load(x), high = low;
  for (int i = 4; i < 32; i += 4) {
    low = min(load(x + i), low);
    high = max(load(x + i), high);
  }
  return {std::fmin(std::fmin(low[0], low[1]), std::fmin(low[2], low[3])),
          std::fmax(std::fmax(high[0], high[1]), std::fmax(high[2], high[3]))};
}

float inverse(float d) { return d != 0 ? 1 / d : 0; }

// q[i] = round((x[i] + shift) * inverse_scale) clamped to [0, levels_max].
void to_levels(const float* x, float shift, float inverse_scale, float offset, int levels_max,
               std::uint8_t* q) {
  for (int i = 0; i < 32; i += 4) {
    const Lanes scaled = (load(x + i) + splat(shift)) * splat(inverse_scale) + splat(offset);
    const IntLanes level =
        __builtin_convertvector(round_clamped(scaled, 0, static_cast<float>(levels_max)), IntLanes);
    for (int j = 0; j < 4; ++j) q[i + j] = static_cast<std::uint8_t>(level[j]);
  }
}

void pack_nibbles(const std::uint8_t* q, std::uint8_t* qs) {
  for (int j = 0; j < 16; ++j)
    qs[j] = static_cast<std::uint8_t>((q[j] & 0x0f) | (q[j + 16] & 0x0f) << 4);
}

void pack_fifth_bits(const std::uint8_t* q, std::uint8_t* qh) {
  std::uint32_t bits = 0;
  for (int j = 0; j < 32; ++j) bits |= static_cast<std::uint32_t>(q[j] >> 4 & 1) << j;
  std::memcpy(qh, &bits, sizeof bits);
}

// The scale of q4_0 and q5_0: levels reach from -half to half - 1, so the largest weight goes to
// -half.
float symmetric_scale(const float* x, const float* importance, int half) {
  if (importance == nullptr) return extremes_of(x).largest() / static_cast<float>(-half);
  float weights[32];
  error_weights<32>(ErrorWeights::square, x, importance, mean_square<32>(x), weights);
  return fit_symmetric<32>(x, weights, half);
}

// The scale and minimum of q4_1 and q5_1; here x ~ scale * q + offset, and the offset may have
// either sign.
struct ScaleOffset {
  float scale, offset;
};
ScaleOffset affine_scale(const float* x, const float* importance, int levels_max) {
  const Extremes extremes = extremes_of(x);
  const ScaleOffset whole_range = {(extremes.high - extremes.low) / static_cast<float>(levels_max),
                                   extremes.low};
  if (importance == nullptr) return whole_range;
  float weights[32];
  error_weights<32>(ErrorWeights::magnitude, x, importance, mean_square<32>(x), weights);
  if (extremes.low > 0) return whole_range;
  const AffineFit fit =
      fit_affine<32>(x, weights, {.levels_max = levels_max, .first = -0.9f, .steps = 36});
  return {fit.scale, -fit.min};
}

}  // namespace

void quantize_block(const float* x, const float*, BlockQ8_0& block) {
  const float d = std::fabs(extremes_of(x).largest()) / 127;
  const float id = inverse(d);
  block.d = f32_to_f16(d);
  for (int i = 0; i < 32; i += 4) {
    const IntLanes q =
        __builtin_convertvector(round_clamped(load(x + i) * splat(id), -127, 127), IntLanes);
    for (int j = 0; j < 4; ++j) block.qs[i + j] = static_cast<std::int8_t>(q[j]);
  }
}

void quantize_block(const float* x, const float* importance, BlockQ4_0& block) {
  const float d = symmetric_scale(x, importance, 8);
  std::uint8_t q[32];
  to_levels(x, 0, inverse(d), 8, 15, q);
  block.d = f32_to_f16(d);
  pack_nibbles(q, block.qs);
}

void quantize_block(const float* x, const float* importance, BlockQ5_0& block) {
  const float d = symmetric_scale(x, importance, 16);
  std::uint8_t q[32];
  to_levels(x, 0, inverse(d), 16, 31, q);
  block.d = f32_to_f16(d);
  pack_nibbles(q, block.qs);
  pack_fifth_bits(q, block.qh);
}

void quantize_block(const float* x, const float* importance, BlockQ4_1& block) {
  const auto [d, m] = affine_scale(x, importance, 15);
  std::uint8_t q[32];
  to_levels(x, -m, inverse(d), 0, 15, q);
  block.d = f32_to_f16(d);
  block.m = f32_to_f16(m);
  pack_nibbles(q, block.qs);
}

void quantize_block(const float* x, const float* importance, BlockQ5_1& block) {
  const auto [d, m] = affine_scale(x, importance, 31);
  std::uint8_t q[32];
  to_levels(x, -m, inverse(d), 0, 31, q);
  block.d = f32_to_f16(d);
  block.m = f32_to_f16(m);
  pack_nibbles(q, block.qs);
  pack_fifth_bits(q, block.qh);
}

namespace {

// Indices of the nearest 4-bit floats, and the square error. `d` is the value of half a unit.
float to_mxfp4(const float* x, float d, std::uint8_t* q) {
  // Borders between the magnitudes 0 1 2 3 4 6 8 12; the steps of the value at each.
  static constexpr float kBorders[7] = {0.5f, 1.5f, 2.5f, 3.5f, 5, 7, 10};
  static constexpr float kSteps[7] = {1, 1, 1, 1, 2, 2, 4};
  const float id =
      1 / d;  // a power of two: exact unless it overflows, and then every weight is zero or tiny
  Lanes error{};
  for (int i = 0; i < 32; i += 4) {
    const Lanes xi = load(x + i);
    const Lanes magnitude = abs(xi) * splat(id);
    Lanes value{};
    IntLanes index{};
    for (int k = 0; k < 7; ++k) {
      const IntLanes above = magnitude > splat(kBorders[k]);
      index -= above;
      value += above ? splat(kSteps[k]) : splat(0);
    }
    const Lanes difference = abs(xi) - value * splat(d);
    error += difference * difference;
    for (int j = 0; j < 4; ++j)
      q[i + j] = static_cast<std::uint8_t>(index[j] | (xi[j] < 0 && index[j] > 0 ? 8 : 0));
  }
  return sum(error);
}

}  // namespace

// The exponent that lets the largest weight just fit clips it by up to a quarter; the next one up
// does not. Which is better depends on the others.
void quantize_block(const float* x, const float*, BlockMxfp4& block) {
  const float largest = std::fabs(extremes_of(x).largest());
  const int exponent = static_cast<int>(std::bit_cast<std::uint32_t>(largest) >> 23) - 2;
  const int low = exponent < 0 ? 0 : exponent > 253 ? 253 : exponent;
  std::uint8_t q[2][32];
  float error[2];
  for (int up = 0; up < 2; ++up)
    error[up] = to_mxfp4(x, e8m0_half(static_cast<std::uint8_t>(low + up)), q[up]);
  const int best = largest > 0 && error[1] < error[0] ? 1 : 0;
  block.e = static_cast<std::uint8_t>(largest > 0 ? low + best : 0);
  pack_nibbles(q[best], block.qs);
}

}  // namespace drystone
