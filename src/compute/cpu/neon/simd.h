#pragma once

#include "compute/cpu/neon/lanes.h"

namespace drystone {

// PortableSimd (portable/simd.h) in four 128-bit registers.
struct NeonSimd : NeonLanes {
  static constexpr int kScoreRows = 2, kValueRows = 2, kValueColumns = 2;

  static F sub(F x, F y) {
    return each([&](int i) { return vsubq_f32(x.v[i], y.v[i]); });
  }
  static F div(F x, F y) {
    return each([&](int i) { return vdivq_f32(x.v[i], y.v[i]); });
  }
  static F max(F x, F y) {
    return each([&](int i) { return vmaxq_f32(x.v[i], y.v[i]); });
  }
  static F min(F x, F y) {
    return each([&](int i) { return vminq_f32(x.v[i], y.v[i]); });
  }
  static F where_less(F x, F y, F then, F otherwise) {
    return each(
        [&](int i) { return vbslq_f32(vcltq_f32(x.v[i], y.v[i]), then.v[i], otherwise.v[i]); });
  }
  static F power_of_two(F biased) {
    return each([&](int i) {
      const int32x4_t shifted = vshlq_n_s32(vreinterpretq_s32_f32(biased.v[i]), 23);
      return vreinterpretq_f32_s32(vaddq_s32(shifted, vdupq_n_s32(0x3f800000)));
    });
  }
  static float32x4_t quarter(F x) {
    return vaddq_f32(vaddq_f32(x.v[0], x.v[1]), vaddq_f32(x.v[2], x.v[3]));
  }
  static float sum(F x) { return vaddvq_f32(quarter(x)); }
  static float largest(F x) {
    return vmaxvq_f32(vmaxq_f32(vmaxq_f32(x.v[0], x.v[1]), vmaxq_f32(x.v[2], x.v[3])));
  }
  static F load_i8(const std::byte* at) {
    const int8x16_t bytes = vld1q_s8(reinterpret_cast<const std::int8_t*>(at));
    const int16x8_t halves[2] = {vmovl_s8(vget_low_s8(bytes)), vmovl_high_s8(bytes)};
    return each([&](int i) {
      const int16x8_t half = halves[i / 2];
      return vcvtq_f32_s32(vmovl_s16(i % 2 ? vget_high_s16(half) : vget_low_s16(half)));
    });
  }
  static void store_f16(std::byte* at, F x) {
    auto* p = reinterpret_cast<std::uint16_t*>(at);
    for (int i = 0; i < 4; ++i) vst1_u16(p + 4 * i, vreinterpret_u16_f16(vcvt_f16_f32(x.v[i])));
  }

 private:
  template <typename Part>
  static F each(Part part) {
    return {{part(0), part(1), part(2), part(3)}};
  }
};

}  // namespace drystone
