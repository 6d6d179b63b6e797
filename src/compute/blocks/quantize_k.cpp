#include <cmath>

#include "compute/blocks/error_weights.h"
#include "compute/blocks/half.h"
#include "compute/blocks/quantize_blocks.h"
#include "compute/blocks/scale_fit.h"

// Super-blocks of 256 weights. All go the same way: find the scale (and minimum) of each sub-block
// by itself, round these to the few bits they get in units of the super-block's own scale, then
// round the weights anew for the scales that were really stored.

namespace drystone {
namespace {

float inverse(float d) { return d != 0 ? 1 / d : 0; }

int round_to(float value, float low, float high) {
  return static_cast<int>(std::nearbyint(std::fmin(std::fmax(value, low), high)));
}

// q[i] = round((x[i] + shift) / scale), clamped and moved up by `offset`.
struct Levels {
  float low, high;
  int offset;
};
template <int kN>
void to_levels(const float* x, float scale, float shift, const Levels& levels, std::uint8_t* q) {
  const float inverse_scale = inverse(scale);
  for (int i = 0; i < kN; i += 4) {
    const Lanes scaled = (load(x + i) + splat(shift)) * splat(inverse_scale);
    const IntLanes level =
        __builtin_convertvector(round_clamped(scaled, levels.low, levels.high), IntLanes);
    for (int j = 0; j < 4; ++j) q[i + j] = static_cast<std::uint8_t>(level[j] + levels.offset);
  }
}

// The scales of a super-block whose sub-blocks have a scale and a minimum (q2_k, q4_k, q5_k).
template <int kSub>
struct AffineSuper {
  static constexpr int kCount = kSuperBlock / kSub;
  std::uint16_t d, dmin;                    // f16
  std::uint8_t scale[kCount], min[kCount];  // in units of d and dmin
  std::uint8_t q[kSuperBlock];
};

template <int kSub>
AffineSuper<kSub> quantize_affine(const float* x, const float* importance, ErrorWeights kind,
                                  const AffineGrid& grid, int scale_max) {
  constexpr int kCount = kSuperBlock / kSub;
  AffineSuper<kSub> out;
  AffineFit fits[kCount];
  float scale_top = 0, min_top = 0;
  const float spread = importance ? 2 * mean_square<kSuperBlock>(x) : 0;
  for (int s = 0; s < kCount; ++s) {
    float weights[kSub];
    error_weights<kSub>(kind, x + kSub * s, importance ? importance + kSub * s : nullptr, spread,
                        weights);
    fits[s] = fit_affine<kSub>(x + kSub * s, weights, grid);
    scale_top = std::fmax(scale_top, fits[s].scale);
    min_top = std::fmax(min_top, fits[s].min);
  }
  const float top = static_cast<float>(scale_max);
  out.d = f32_to_f16(scale_top / top);
  out.dmin = f32_to_f16(min_top / top);
  const float d = f16_to_f32(out.d), dmin = f16_to_f32(out.dmin);
  for (int s = 0; s < kCount; ++s) {
    const int scale = round_to(fits[s].scale * inverse(d), 0, top);
    const int min = round_to(fits[s].min * inverse(dmin), 0, top);
    out.scale[s] = static_cast<std::uint8_t>(scale);
    out.min[s] = static_cast<std::uint8_t>(min);
    to_levels<kSub>(x + kSub * s, d * static_cast<float>(scale), dmin * static_cast<float>(min),
                    {.low = 0, .high = static_cast<float>(grid.levels_max), .offset = 0},
                    out.q + kSub * s);
  }
  return out;
}

// 8 scales and minima of 6 bits in 12 bytes, as scale_min_k4() reads them.
void pack_scales_k4(const std::uint8_t* scale, const std::uint8_t* min, std::uint8_t* packed) {
  for (int j = 0; j < 4; ++j) {
    packed[j] = static_cast<std::uint8_t>(scale[j] | scale[j + 4] >> 4 << 6);
    packed[j + 4] = static_cast<std::uint8_t>(min[j] | min[j + 4] >> 4 << 6);
    packed[j + 8] = static_cast<std::uint8_t>((scale[j + 4] & 15) | (min[j + 4] & 15) << 4);
  }
}

// Scales of 16 sub-blocks of 16 weights, levels symmetric around zero (q3_k, q6_k); scale_half
// steps each way.
struct SymmetricSuper {
  std::uint16_t d;  // f16
  std::int8_t scale[16];
  std::uint8_t q[kSuperBlock];  // moved up by `half`
};
SymmetricSuper quantize_symmetric(const float* x, const float* importance, ErrorWeights kind,
                                  int half, int scale_half) {
  SymmetricSuper out;
  float scales[16];
  float largest = 0;
  const float spread = importance ? 2 * mean_square<kSuperBlock>(x) : 0;
  for (int s = 0; s < 16; ++s) {
    float weights[16];
    error_weights<16>(kind, x + 16 * s, importance ? importance + 16 * s : nullptr, spread,
                      weights);
    scales[s] = fit_symmetric<16>(x + 16 * s, weights, half);
    if (std::fabs(scales[s]) > std::fabs(largest)) largest = scales[s];
  }
  const float reach = static_cast<float>(scale_half);
  out.d = f32_to_f16(largest / -reach);
  const float d = f16_to_f32(out.d);
  for (int s = 0; s < 16; ++s) {
    const int scale = round_to(scales[s] * inverse(d), -reach, reach - 1);
    out.scale[s] = static_cast<std::int8_t>(scale);
    to_levels<16>(
        x + 16 * s, d * static_cast<float>(scale), 0,
        {.low = static_cast<float>(-half), .high = static_cast<float>(half - 1), .offset = half},
        out.q + 16 * s);
  }
  return out;
}

}  // namespace

void quantize_block(const float* x, const float* importance, BlockQ2K& block) {
  const auto super =
      quantize_affine<16>(x, importance, ErrorWeights::magnitude,
                          {.levels_max = 3, .first = -0.5f, .steps = 16}, /*scale_max=*/15);
  block = {};
  block.d = super.d;
  block.dmin = super.dmin;
  for (int s = 0; s < 16; ++s)
    block.scales[s] = static_cast<std::uint8_t>(super.scale[s] | super.min[s] << 4);
  for (int i = 0; i < kSuperBlock; ++i)
    block.qs[i / 128 * 32 + i % 32] |= super.q[i] << (i % 128 / 32 * 2);
}

void quantize_block(const float* x, const float* importance, BlockQ3K& block) {
  const SymmetricSuper super =
      quantize_symmetric(x, importance, ErrorWeights::magnitude, /*half=*/4, /*scale_half=*/32);
  block = {};
  block.d = super.d;
  for (int s = 0; s < 16; ++s) {
    const int stored = super.scale[s] + 32;
    block.scales[s % 8] |= (stored & 15) << (s / 8 * 4);
    block.scales[8 + s % 4] |= stored >> 4 << (s / 4 * 2);
  }
  for (int i = 0; i < kSuperBlock; ++i) {
    block.qs[i / 128 * 32 + i % 32] |= (super.q[i] & 3) << (i % 128 / 32 * 2);
    block.hmask[i % 32] |= super.q[i] >> 2 << (i / 32);
  }
}

void quantize_block(const float* x, const float* importance, BlockQ4K& block) {
  const auto super =
      quantize_affine<32>(x, importance, ErrorWeights::rms_plus_magnitude,
                          {.levels_max = 15, .first = -1, .steps = 21}, /*scale_max=*/63);
  block.d = super.d;
  block.dmin = super.dmin;
  pack_scales_k4(super.scale, super.min, block.scales);
  for (int i = 0; i < 128; ++i) {
    const std::uint8_t* q = super.q + i / 32 * 64 + i % 32;
    block.qs[i] = static_cast<std::uint8_t>(q[0] | q[32] << 4);
  }
}

void quantize_block(const float* x, const float* importance, BlockQ5K& block) {
  const auto super =
      quantize_affine<32>(x, importance, ErrorWeights::rms_plus_magnitude,
                          {.levels_max = 31, .first = -0.5f, .steps = 16}, /*scale_max=*/63);
  block = {};
  block.d = super.d;
  block.dmin = super.dmin;
  pack_scales_k4(super.scale, super.min, block.scales);
  for (int i = 0; i < 128; ++i) {
    const std::uint8_t* q = super.q + i / 32 * 64 + i % 32;
    block.qs[i] = static_cast<std::uint8_t>((q[0] & 15) | (q[32] & 15) << 4);
  }
  for (int i = 0; i < kSuperBlock; ++i) block.qh[i % 32] |= super.q[i] >> 4 << (i / 32);
}

void quantize_block(const float* x, const float* importance, BlockQ6K& block) {
  const SymmetricSuper super =
      quantize_symmetric(x, importance, ErrorWeights::square, /*half=*/32, /*scale_half=*/128);
  block = {};
  block.d = super.d;
  for (int s = 0; s < 16; ++s) block.scales[s] = super.scale[s];
  for (int i = 0; i < kSuperBlock; ++i) {
    const int half = i / 128, quarter = i % 128 / 32, l = i % 32;
    block.ql[64 * half + quarter % 2 * 32 + l] |= (super.q[i] & 15) << (quarter / 2 * 4);
    block.qh[32 * half + l] |= super.q[i] >> 4 << (2 * quarter);
  }
}

}  // namespace drystone
