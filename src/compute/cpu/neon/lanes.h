#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

namespace drystone {

// PortableLanes (portable/lanes.h) in four 128-bit registers; dots by the dot-product extension
// (Armv8.2), on signed bytes: all unsigned codes are below 64 and so the same signed.
struct NeonLanes {
  struct I {
    int32x4_t v[4];
  };
  struct F {
    float32x4_t v[4];
  };

  static constexpr int kPromptPanels = 1, kPromptRows = 3;
  static constexpr int kFloatPanels = 1, kFloatRows = 6;
  static constexpr std::int32_t kSignedOffset = 0;

  static I load(const std::byte* at) {
    const auto* p = reinterpret_cast<const std::int32_t*>(at);
    return {{vld1q_s32(p), vld1q_s32(p + 4), vld1q_s32(p + 8), vld1q_s32(p + 12)}};
  }
  static void store(std::byte* at, I x) {
    for (int i = 0; i < 4; ++i) vst1q_s32(reinterpret_cast<std::int32_t*>(at) + 4 * i, x.v[i]);
  }
  __attribute__((always_inline)) static void prefetch(const std::byte* at) {
    __builtin_prefetch(at);
  }
  __attribute__((always_inline)) static void prefetch_far(const std::byte* at) {
    __builtin_prefetch(at, 0, 2);
  }
  static I set_all(std::int32_t x) {
    return map([&](int) { return vdupq_n_s32(x); });
  }
  static I bit_and(I x, I y) {
    return map([&](int i) { return vandq_s32(x.v[i], y.v[i]); });
  }
  static I bit_or(I x, I y) {
    return map([&](int i) { return vorrq_s32(x.v[i], y.v[i]); });
  }
  template <int kBits>
  static I shift_right(I x) {
    if constexpr (kBits == 0)
      return x;
    else
      return map([&](int i) {
        return vreinterpretq_s32_u32(vshrq_n_u32(vreinterpretq_u32_s32(x.v[i]), kBits));
      });
  }
  template <int kBits>
  static I shift_left(I x) {
    return map([&](int i) { return vshlq_n_s32(x.v[i], kBits); });
  }
  static I sub_i32(I x, I y) {
    return map([&](int i) { return vsubq_s32(x.v[i], y.v[i]); });
  }
  template <int kByte>
  static I signed_byte(I x) {
    return map([&](int i) { return vshrq_n_s32(vshlq_n_s32(x.v[i], 24 - 8 * kByte), 24); });
  }
  static I look_up(const std::int8_t (&table)[16], I index) {
    const int8x16_t lanes = vld1q_s8(table);
    return map([&](int i) {
      return vreinterpretq_s32_s8(vqtbl1q_s8(lanes, vreinterpretq_u8_s32(index.v[i])));
    });
  }
  static I bias_signed(I codes) { return codes; }

  static F zero() { return broadcast(0); }
  static F broadcast(float x) {
    return mapf([&](int) { return vdupq_n_f32(x); });
  }
  static F load_f32(const float* at) {
    return mapf([&](int i) { return vld1q_f32(at + 4 * i); });
  }
  static void store_f32(float* at, F x) {
    for (int i = 0; i < 4; ++i) vst1q_f32(at + 4 * i, x.v[i]);
  }
  static F load_f16(const std::byte* at) {
    const auto* p = reinterpret_cast<const std::uint16_t*>(at);
    return mapf([&](int i) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p + 4 * i))); });
  }
  static F load_bf16(const std::byte* at) {
    const auto* p = reinterpret_cast<const std::uint16_t*>(at);
    return mapf([&](int i) { return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p + 4 * i), 16)); });
  }
  static F load_e8m0_half(const std::byte* at) {
    const uint8x16_t bytes = vld1q_u8(reinterpret_cast<const std::uint8_t*>(at));
    const uint16x8_t halves[2] = {vmovl_u8(vget_low_u8(bytes)), vmovl_high_u8(bytes)};
    return mapf([&](int i) {
      const uint16x8_t half = halves[i / 2];
      const uint32x4_t e = vmovl_u16(i % 2 ? vget_high_u16(half) : vget_low_u16(half));
      const uint32x4_t normal = vshlq_n_u32(vsubq_u32(e, vdupq_n_u32(1)), 23);
      const uint32x4_t tiny = vshlq_u32(vdupq_n_u32(0x00200000), vreinterpretq_s32_u32(e));
      return vreinterpretq_f32_u32(vbslq_u32(vcltq_u32(e, vdupq_n_u32(2)), tiny, normal));
    });
  }
  static F f16_low(I x) {
    return mapf([&](int i) {
      return vcvt_f32_f16(vreinterpret_f16_u16(vmovn_u32(vreinterpretq_u32_s32(x.v[i]))));
    });
  }
  static F f16_high(I x) { return f16_low(shift_right<16>(x)); }
  static F to_float(I x) {
    return mapf([&](int i) { return vcvtq_f32_s32(x.v[i]); });
  }
  static F mul(F x, F y) {
    return mapf([&](int i) { return vmulq_f32(x.v[i], y.v[i]); });
  }
  static F add(F x, F y) {
    return mapf([&](int i) { return vaddq_f32(x.v[i], y.v[i]); });
  }
  static F negate(F x) {
    return mapf([&](int i) { return vnegq_f32(x.v[i]); });
  }
  static F fma(F x, F y, F z) {
    return mapf([&](int i) { return vfmaq_f32(z.v[i], x.v[i], y.v[i]); });
  }

  using Four = int8x16_t;
  static Four broadcast4(const std::int8_t* at) {
    std::int32_t four;
    __builtin_memcpy(&four, at, 4);
    return vreinterpretq_s8_s32(vdupq_n_s32(four));
  }

  template <bool kSigned, int kBits>
  struct Dot {
    int32x4_t sum[4];
    void start(std::int32_t bias = 0) {
      for (auto& s : sum) s = vdupq_n_s32(bias);
    }
    template <int kStep>
    void add(I codes, Four a) {
      for (int i = 0; i < 4; ++i) sum[i] = vdotq_s32(sum[i], vreinterpretq_s8_s32(codes.v[i]), a);
    }
    I total() const { return {{sum[0], sum[1], sum[2], sum[3]}}; }
  };

  static float max_abs32(const float* x) {
    float32x4_t largest = vabsq_f32(vld1q_f32(x));
    for (int i = 4; i < 32; i += 4) largest = vmaxq_f32(largest, vabsq_f32(vld1q_f32(x + i)));
    return vmaxvq_f32(largest);
  }
  static void scale_to_int8(const float* x, float inverse, std::int8_t* q) {
    int16x4_t part[4];
    for (int i = 0; i < 4; ++i)
      part[i] = vqmovn_s32(vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x + 4 * i), inverse)));
    vst1q_s8(q, vcombine_s8(vqmovn_s16(vcombine_s16(part[0], part[1])),
                            vqmovn_s16(vcombine_s16(part[2], part[3]))));
  }

 private:
  template <typename Part>
  static I map(Part part) {
    return {{part(0), part(1), part(2), part(3)}};
  }
  template <typename Part>
  static F mapf(Part part) {
    return {{part(0), part(1), part(2), part(3)}};
  }
};

}  // namespace drystone
