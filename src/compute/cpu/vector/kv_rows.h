#pragma once

#include <cstddef>
#include <cstdint>

#include "compute/device.h"

namespace drystone {

// Rows of the KV cache to and from f32. q8_0: blocks of 32 values, each an f16 scale and 32 signed
// bytes.
template <typename S>
struct KvRows {
  using F = typename S::F;
  static constexpr std::uint32_t kBlock = 32, kBlockBytes = 2 + kBlock;

  static void copy(const void* from, void* to, std::size_t bytes) {
    __builtin_memcpy(to, from, bytes);
  }

  static void store(const float* x, std::byte* row, std::uint32_t n, KvType type) {
    if (type == KvType::f32) return copy(x, row, n * sizeof(float));
    if (type == KvType::q8_0) return store_q8_0(x, row, n);
    std::uint32_t i = 0;
    for (; i + 16 <= n; i += 16) S::store_f16(row + 2 * i, S::load_f32(x + i));
    if (i == n) return;
    float rest[16] = {};
    std::byte half[32];
    copy(x + i, rest, (n - i) * sizeof(float));
    S::store_f16(half, S::load_f32(rest));
    copy(half, row + 2 * i, 2 * (n - i));
  }

  static void store_q8_0(const float* x, std::byte* row, std::uint32_t n) {
    for (std::uint32_t i = 0; i < n; i += kBlock, row += kBlockBytes) {
      float values[kBlock] = {};
      copy(x + i, values, (n - i < kBlock ? n - i : kBlock) * sizeof(float));
      const float max = S::max_abs32(values);
      const float inverse = max > 0 ? 127 / max : 0;
      std::byte scale[32];
      S::store_f16(scale, S::broadcast(max / 127));
      copy(scale, row, 2);
      std::int8_t q[kBlock];
      S::scale_to_int8(values, inverse, q);
      S::scale_to_int8(values + 16, inverse, q + 16);
      copy(q, row + 2, kBlock);
    }
  }

  // f32 [n rounded up to 16], zeros at the end.
  static void load(const std::byte* row, float* out, std::uint32_t n, KvType type) {
    const std::uint32_t whole = n / 16 * 16;
    if (type == KvType::q8_0) return load_q8_0(row, out, n);
    if (type == KvType::f32) {
      for (std::uint32_t i = 0; i < whole; i += 16) {
        S::store_f32(out + i, S::load_f32(reinterpret_cast<const float*>(row) + i));
      }
    } else {
      for (std::uint32_t i = 0; i < whole; i += 16) S::store_f32(out + i, S::load_f16(row + 2 * i));
    }
    if (whole == n) return;
    float rest[16] = {};
    copy(row + (type == KvType::f32 ? 4 : 2) * whole, rest,
         (type == KvType::f32 ? 4 : 2) * (n - whole));
    S::store_f32(out + whole, type == KvType::f32
                                  ? S::load_f32(rest)
                                  : S::load_f16(reinterpret_cast<const std::byte*>(rest)));
  }

  static void load_q8_0(const std::byte* row, float* out, std::uint32_t n) {
    for (std::uint32_t i = 0; i < n; i += 16) {
      const std::byte* block = row + i / kBlock * kBlockBytes;
      std::byte scale[32] = {};
      copy(block, scale, 2);
      const F d = S::broadcast(first(S::load_f16(scale)));
      S::store_f32(
          out + i,
          S::mul(d, S::load_i8(block + 2 + i % kBlock)));  // the block's end was stored as zeros
    }
  }

  static float first(F x) {
    float lanes[16];
    S::store_f32(lanes, x);
    return lanes[0];
  }
};

}  // namespace drystone
