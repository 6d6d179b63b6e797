#pragma once

#include <cstddef>
#include <cstdint>

#include "compute/cpu/vector_kernels.h"

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

// Keys stand in blocks of kKeyBlock positions, dimension by dimension: [head_dim][kKeyBlock]
// values. q8_0: first the scales, f16 [head_dim / 32][kKeyBlock], then bytes [head_dim][kKeyBlock],
// both with head_dim rounded up to 32.
template <typename S>
struct KeyBlocks {
  using F = typename S::F;
  using Rows = KvRows<S>;
  static constexpr std::uint32_t kGroup = Rows::kBlock;

  static void store(const float* x, std::byte* block, std::uint32_t key, std::uint32_t n,
                    KvType type) {
    const std::uint32_t groups = (n + kGroup - 1) / kGroup;
    for (std::uint32_t g = 0; g < groups; ++g) {
      const std::uint32_t first = g * kGroup, left = n - first < kGroup ? n - first : kGroup;
      std::byte row[kGroup * sizeof(float)];
      Rows::store(x + first, row, left, type);
      if (type == KvType::q8_0) {
        Rows::copy(row, block + 2 * (g * kKeyBlock + key), 2);
        std::byte* bytes = block + 2 * groups * kKeyBlock + first * kKeyBlock + key;
        for (std::uint32_t i = 0; i < kGroup; ++i) bytes[i * kKeyBlock] = row[2 + i];
        continue;
      }
      const std::uint32_t size = type == KvType::f32 ? 4 : 2;
      for (std::uint32_t i = 0; i < left; ++i)
        Rows::copy(row + i * size, block + ((first + i) * kKeyBlock + key) * size, size);
    }
  }

  // f32 [n, kKeyBlock].
  static void load(const std::byte* block, float* out, std::uint32_t n, KvType type) {
    const std::byte* bytes = block + (n + kGroup - 1) / kGroup * 2 * kKeyBlock;  // q8_0
    for (std::uint32_t i = 0; i < n * kKeyBlock; i += 16) {
      if (type == KvType::f16) {
        S::store_f32(out + i, S::load_f16(block + 2 * i));
      } else if (type == KvType::f32) {
        S::store_f32(out + i, S::load_f32(reinterpret_cast<const float*>(block) + i));
      } else {
        const std::byte* scales =
            block + 2 * (i / (kGroup * kKeyBlock) * kKeyBlock + i % kKeyBlock);
        S::store_f32(out + i, S::mul(S::load_f16(scales), S::load_i8(bytes + i)));
      }
    }
  }
};

}  // namespace drystone
