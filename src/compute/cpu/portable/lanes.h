#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "compute/blocks/half.h"

namespace drystone {

// 16 lanes of 32 bits in plain C++: what the matrix products of matmul/products.h are written over,
// and the meaning that the other instruction sets' Lanes must have, bit for bit.
struct PortableLanes {
  struct I {
    std::uint32_t v[16];
  };
  struct F {
    float v[16];
  };

  static constexpr int kPromptPanels = 1,
                       kPromptRows = 4;  // tile of a prompt product with quantized weights
  static constexpr int kFloatPanels = 1, kFloatRows = 4;  // and with float weights
  static constexpr std::int32_t kSignedOffset = 0;  // what bias_signed() adds to a signed code

  static I load(const std::byte* at) {
    I out;
    std::memcpy(out.v, at, 64);
    return out;
  }
  static void store(std::byte* at, I x) { std::memcpy(at, x.v, 64); }
  static void prefetch(const std::byte*) {}      // towards the first-level cache
  static void prefetch_far(const std::byte*) {}  // towards the second
  static I set_all(std::int32_t x) {
    return map([&](int) { return static_cast<std::uint32_t>(x); });
  }
  static I bit_and(I a, I b) {
    return map([&](int i) { return a.v[i] & b.v[i]; });
  }
  static I bit_or(I a, I b) {
    return map([&](int i) { return a.v[i] | b.v[i]; });
  }
  template <int kBits>
  static I shift_right(I a) {
    return map([&](int i) { return a.v[i] >> kBits; });
  }
  template <int kBits>
  static I shift_left(I a) {
    return map([&](int i) { return a.v[i] << kBits; });
  }
  static I sub_i32(I a, I b) {
    return map([&](int i) { return a.v[i] - b.v[i]; });
  }
  // Byte kByte of each lane, as a signed number.
  template <int kByte>
  static I signed_byte(I a) {
    return map([&](int i) {
      return static_cast<std::uint32_t>(
          std::int32_t{static_cast<std::int8_t>(a.v[i] >> (8 * kByte))});
    });
  }
  // table[byte] for every byte; bytes are below 16.
  static I look_up(const std::int8_t (&table)[16], I index) {
    I out;
    std::uint8_t bytes[64];
    std::memcpy(bytes, index.v, 64);
    for (auto& b : bytes) b = static_cast<std::uint8_t>(table[b & 15]);
    std::memcpy(out.v, bytes, 64);
    return out;
  }
  static I bias_signed(I codes) { return codes; }

  static F zero() { return F{}; }
  static F broadcast(float x) {
    return mapf([&](int) { return x; });
  }
  static F load_f32(const float* at) {
    F out;
    std::memcpy(out.v, at, 64);
    return out;
  }
  static void store_f32(float* at, F x) { std::memcpy(at, x.v, 64); }
  static F load_f16(const std::byte* at) {
    std::uint16_t half[16];
    std::memcpy(half, at, 32);
    return mapf([&](int i) { return f16_to_f32(half[i]); });
  }
  static F load_bf16(const std::byte* at) {
    std::uint16_t half[16];
    std::memcpy(half, at, 32);
    return mapf([&](int i) { return bits_to_float(std::uint32_t{half[i]} << 16); });
  }
  // 2^(e - 128) of each of 16 bytes: half of the E8M0 scale, for codes that are twice their value.
  static F load_e8m0_half(const std::byte* at) {
    return mapf([&](int i) {
      const auto e = std::to_integer<std::uint32_t>(at[i]);
      return bits_to_float(e < 2 ? 0x00200000u << e : (e - 1) << 23);
    });
  }
  static F f16_low(I a) {
    return mapf([&](int i) { return f16_to_f32(static_cast<std::uint16_t>(a.v[i])); });
  }
  static F f16_high(I a) {
    return mapf([&](int i) { return f16_to_f32(static_cast<std::uint16_t>(a.v[i] >> 16)); });
  }
  static F to_float(I a) {
    return mapf([&](int i) { return static_cast<float>(static_cast<std::int32_t>(a.v[i])); });
  }
  static F mul(F a, F b) {
    return mapf([&](int i) { return a.v[i] * b.v[i]; });
  }
  static F add(F a, F b) {
    return mapf([&](int i) { return a.v[i] + b.v[i]; });
  }
  static F negate(F a) {
    return mapf([&](int i) { return -a.v[i]; });
  }
  static F fma(F a, F b, F c) {
    return mapf([&](int i) { return std::fma(a.v[i], b.v[i], c.v[i]); });
  }

  // Four activations for every lane.
  using Four = const std::int8_t*;
  static Four broadcast4(const std::int8_t* at) { return at; }

  // The sum, in each lane, of products of codes and activations over a sub-block. kBits bounds
  // unsigned codes.
  template <bool kSigned, int kBits>
  struct Dot {
    std::int32_t sum[16];
    void start(std::int32_t bias = 0) {
      for (auto& s : sum) s = bias;
    }
    template <int kStep>
    void add(I codes, Four a) {
      for (int i = 0; i < 16; ++i)
        for (int b = 0; b < 4; ++b) {
          const auto byte = static_cast<std::uint8_t>(codes.v[i] >> (8 * b));
          sum[i] +=
              (kSigned ? std::int32_t{static_cast<std::int8_t>(byte)} : std::int32_t{byte}) * a[b];
        }
    }
    I total() const {
      return map([&](int i) { return static_cast<std::uint32_t>(sum[i]); });
    }
  };

  static float max_abs32(const float* x) {
    float largest = 0;
    for (int i = 0; i < 32; ++i) largest = std::fmax(largest, std::fabs(x[i]));
    return largest;
  }
  // 16 values times `inverse`, to the nearest whole number, ties to even.
  static void scale_to_int8(const float* x, float inverse, std::int8_t* q) {
    for (int i = 0; i < 16; ++i) q[i] = static_cast<std::int8_t>(std::nearbyint(x[i] * inverse));
  }

 private:
  template <typename Lane>
  static I map(Lane lane) {
    I out;
    for (int i = 0; i < 16; ++i) out.v[i] = lane(i);
    return out;
  }
  template <typename Lane>
  static F mapf(Lane lane) {
    F out;
    for (int i = 0; i < 16; ++i) out.v[i] = lane(i);
    return out;
  }
  static float bits_to_float(std::uint32_t bits) {
    float out;
    std::memcpy(&out, &bits, 4);
    return out;
  }
};

}  // namespace drystone
