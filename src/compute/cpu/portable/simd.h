#pragma once

#include "compute/cpu/portable/lanes.h"

namespace drystone {

// What the vector kernels (vector/) need beside PortableLanes: 16 lanes of f32, and the meaning
// that the other instruction sets' versions must have. Sums over lanes: first lane l with l + 8,
// then l with l + 4, then neighbours; other sets may take another fixed order.
struct PortableSimd : PortableLanes {
  static constexpr int kScoreRows = 1, kValueRows = 1, kValueColumns = 1;  // tiles of attention

  template <typename Op>
  static F zip(F a, F b, Op op) {
    F out;
    for (int i = 0; i < 16; ++i) out.v[i] = op(a.v[i], b.v[i]);
    return out;
  }
  static F fma(F a, F b,
               F c) {  // two roundings: without the instruction, one rounding costs a call
    F out;
    for (int i = 0; i < 16; ++i) out.v[i] = a.v[i] * b.v[i] + c.v[i];
    return out;
  }
  static F sub(F a, F b) {
    return zip(a, b, [](float x, float y) { return x - y; });
  }
  static F div(F a, F b) {
    return zip(a, b, [](float x, float y) { return x / y; });
  }
  static F max(F a, F b) {
    return zip(a, b, [](float x, float y) { return x > y ? x : y; });
  }
  static F min(F a, F b) {
    return zip(a, b, [](float x, float y) { return x < y ? x : y; });
  }
  // then where x < y, otherwise elsewhere.
  static F where_less(F x, F y, F then, F otherwise) {
    F out;
    for (int i = 0; i < 16; ++i) out.v[i] = x.v[i] < y.v[i] ? then.v[i] : otherwise.v[i];
    return out;
  }
  // 2^n of lanes that hold n + 1.5 * 2^23, for n in [-126, 127].
  static F power_of_two(F biased) {
    F out;
    for (int i = 0; i < 16; ++i) {
      std::uint32_t bits;
      std::memcpy(&bits, &biased.v[i], 4);
      bits = (bits << 23) + 0x3f800000u;
      std::memcpy(&out.v[i], &bits, 4);
    }
    return out;
  }
  static float sum(F x) {
    for (int width = 8; width > 0; width /= 2) {
      for (int i = 0; i < width; ++i) x.v[i] += x.v[i + width];
    }
    return x.v[0];
  }
  static float largest(F x) {
    float out = x.v[0];
    for (int i = 1; i < 16; ++i) out = x.v[i] > out ? x.v[i] : out;
    return out;
  }
  static F load_i8(const std::byte* at) {
    F out;
    for (int i = 0; i < 16; ++i) out.v[i] = static_cast<float>(static_cast<std::int8_t>(at[i]));
    return out;
  }
  static void store_f16(std::byte* at, F x) {
    std::uint16_t half[16];
    for (int i = 0; i < 16; ++i) half[i] = f32_to_f16(x.v[i]);
    std::memcpy(at, half, 32);
  }
};

}  // namespace drystone
