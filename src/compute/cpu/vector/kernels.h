#pragma once

#include <cstddef>
#include <cstdint>

#include "compute/cpu/vector/attention.h"
#include "compute/cpu/vector/kv_rows.h"
#include "compute/cpu/vector/math.h"
#include "compute/cpu/vector_kernels.h"

namespace drystone {

// The vector kernels over one instruction set's Simd. Every value of an output depends on the
// values that the operation names and on n alone.
template <typename S>
struct VectorKernelSet {
  using F = typename S::F;
  using Math = VectorMath<S>;

  // 16 values at a time; the rest in a padded copy, so that it meets the same arithmetic.
  template <typename Op>
  static void each(const float* a, const float* b, float* out, std::uint32_t n, Op op) {
    std::uint32_t i = 0;
    for (; i + 16 <= n; i += 16) S::store_f32(out + i, op(S::load_f32(a + i), S::load_f32(b + i)));
    if (i == n) return;
    float x[16] = {}, y[16] = {};
    for (std::uint32_t j = i; j < n; ++j) x[j - i] = a[j], y[j - i] = b[j];
    S::store_f32(x, op(S::load_f32(x), S::load_f32(y)));
    for (std::uint32_t j = i; j < n; ++j) out[j] = x[j - i];
  }

  // The sum of squares in 4 x 16 lanes, then over lanes: relative error about n / 64 * 6e-8 at
  // worst, near 1e-7 in use.
  static void rms_norm(const float* x, const float* weight, float eps, float* out,
                       std::uint32_t n) {
    F sums[4] = {S::zero(), S::zero(), S::zero(), S::zero()};
    std::uint32_t i = 0;
    for (; i + 64 <= n; i += 64) {
      for (int k = 0; k < 4; ++k) {
        const F v = S::load_f32(x + i + 16 * k);
        sums[k] = S::fma(v, v, sums[k]);
      }
    }
    for (int k = 0; i < n; i += 16, ++k) {
      float rest[16] = {};
      for (std::uint32_t j = i; j < n && j < i + 16; ++j) rest[j - i] = x[j];
      const F v = S::load_f32(rest);
      sums[k] = S::fma(v, v, sums[k]);
    }
    const float sum = S::sum(S::add(S::add(sums[0], sums[1]), S::add(sums[2], sums[3])));
    const F factor = S::broadcast(1 / __builtin_sqrtf(sum / static_cast<float>(n) + eps));
    each(x, weight, out, n, [&](F v, F w) { return S::mul(S::mul(v, factor), w); });
  }

  static void add(float* acc, const float* x, std::uint32_t n) {
    each(acc, x, acc, n, [](F a, F b) { return S::add(a, b); });
  }

  static void scale(float* x, float factor, std::uint32_t n) {
    const F f = S::broadcast(factor);
    each(x, x, x, n, [&](F a, F) { return S::mul(a, f); });
  }

  static void softcap(float* x, float cap, std::uint32_t n) {
    const F c = S::broadcast(cap);
    each(x, x, x, n, [&](F a, F) { return S::mul(c, Math::tanh(S::div(a, c))); });
  }

  static void silu_mul(const float* gate, const float* up, float* out, std::uint32_t n) {
    each(gate, up, out, n, [](F g, F u) { return S::mul(Math::times_logistic(g, g), u); });
  }

  static F rounded_to_f16(F x) {
    std::byte half[32];
    S::store_f16(half, x);
    return S::load_f16(half);
  }

  // The tanh form: x / 2 (1 + tanh(y)) is x times the logistic function of 2 y.
  static void gelu_mul(const float* gate, const float* up, float* out, std::uint32_t n) {
    const F twice = S::broadcast(2 * 0.79788456f), cubic = S::broadcast(0.044715f),
            low = S::broadcast(-10.0f), high = S::broadcast(10.0f);
    each(gate, up, out, n, [&](F g, F u) {
      const F x = rounded_to_f16(g);
      const F y = S::mul(twice, S::fma(S::mul(cubic, S::mul(x, x)), x, x));
      const F near = rounded_to_f16(Math::times_logistic(x, y));
      const F above_low = S::where_less(low, g, near, S::zero());
      return S::mul(S::where_less(g, high, above_low, g), u);
    });
  }

  static void rope(float* x, const float* cos_sin, std::uint32_t pairs, bool interleaved) {
    const std::uint32_t step = interleaved ? 2 : 1, partner = interleaved ? 1 : pairs;
    for (std::uint32_t i = 0; i < pairs; ++i) {
      const float a = x[i * step], b = x[i * step + partner], c = cos_sin[2 * i],
                  s = cos_sin[2 * i + 1];
      x[i * step] = a * c - b * s;
      x[i * step + partner] = a * s + b * c;
    }
  }

  static void store_key(const float* x, std::byte* block, std::uint32_t key, std::uint32_t head_dim,
                        KvType type) {
    KeyBlocks<S>::store(x, block, key, head_dim, type);
  }

  static void store_value(const float* x, std::byte* row, std::uint32_t head_dim, KvType type) {
    KvRows<S>::store(x, row, head_dim, type);
  }

  static void attend(const AttentionTask& task) { Attention<S>::run(task); }

  static constexpr VectorKernels table() {
    return {rms_norm, add,  scale,     softcap,     silu_mul,
            gelu_mul, rope, store_key, store_value, attend};
  }
};

}  // namespace drystone
