#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace drystone {

// PortableLanes (portable/lanes.h) in two 256-bit registers.
struct Avx2Lanes {
  struct I {
    __m256i a, b;
  };
  struct F {
    __m256 a, b;
  };

  static constexpr int kPromptPanels = 1, kPromptRows = 3;  // 16 registers are few
  static constexpr int kFloatPanels = 1, kFloatRows = 6;
  static constexpr std::int32_t kSignedOffset = 0;

  static I load(const std::byte* at) {
    const auto* p = reinterpret_cast<const __m256i*>(at);
    return {_mm256_loadu_si256(p), _mm256_loadu_si256(p + 1)};
  }
  static void store(std::byte* at, I x) {
    auto* p = reinterpret_cast<__m256i*>(at);
    _mm256_storeu_si256(p, x.a);
    _mm256_storeu_si256(p + 1, x.b);
  }
  // Always inline: to gcc 12 a function that only prefetches has no effect, and calls of it go
  // away.
  __attribute__((always_inline)) static void prefetch(const std::byte* at) {
    _mm_prefetch(reinterpret_cast<const char*>(at), _MM_HINT_T0);
  }
  __attribute__((always_inline)) static void prefetch_far(const std::byte* at) {
    _mm_prefetch(reinterpret_cast<const char*>(at), _MM_HINT_T1);
  }
  static I set_all(std::int32_t x) { return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)}; }
  static I bit_and(I x, I y) { return {_mm256_and_si256(x.a, y.a), _mm256_and_si256(x.b, y.b)}; }
  static I bit_or(I x, I y) { return {_mm256_or_si256(x.a, y.a), _mm256_or_si256(x.b, y.b)}; }
  template <int kBits>
  static I shift_right(I x) {
    return {_mm256_srli_epi32(x.a, kBits), _mm256_srli_epi32(x.b, kBits)};
  }
  template <int kBits>
  static I shift_left(I x) {
    return {_mm256_slli_epi32(x.a, kBits), _mm256_slli_epi32(x.b, kBits)};
  }
  static I sub_i32(I x, I y) { return {_mm256_sub_epi32(x.a, y.a), _mm256_sub_epi32(x.b, y.b)}; }
  template <int kByte>
  static I signed_byte(I x) {
    x = shift_left<24 - 8 * kByte>(x);
    return {_mm256_srai_epi32(x.a, 24), _mm256_srai_epi32(x.b, 24)};
  }
  static I look_up(const std::int8_t (&table)[16], I index) {
    const __m256i lanes =
        _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(table)));
    return {_mm256_shuffle_epi8(lanes, index.a), _mm256_shuffle_epi8(lanes, index.b)};
  }
  static I bias_signed(I codes) { return codes; }

  static F zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
  static F broadcast(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
  static F load_f32(const float* at) { return {_mm256_loadu_ps(at), _mm256_loadu_ps(at + 8)}; }
  static void store_f32(float* at, F x) {
    _mm256_storeu_ps(at, x.a);
    _mm256_storeu_ps(at + 8, x.b);
  }
  static F load_f16(const std::byte* at) {
    const auto* p = reinterpret_cast<const __m128i*>(at);
    return {_mm256_cvtph_ps(_mm_loadu_si128(p)), _mm256_cvtph_ps(_mm_loadu_si128(p + 1))};
  }
  static F load_bf16(const std::byte* at) {
    const auto* p = reinterpret_cast<const __m128i*>(at);
    const auto wide = [](__m128i half) {
      return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
    };
    return {wide(_mm_loadu_si128(p)), wide(_mm_loadu_si128(p + 1))};
  }
  static F load_e8m0_half(const std::byte* at) {
    const auto convert = [](__m256i e) {
      const __m256i normal = _mm256_slli_epi32(_mm256_sub_epi32(e, _mm256_set1_epi32(1)), 23);
      const __m256i tiny = _mm256_sllv_epi32(_mm256_set1_epi32(0x00200000), e);
      return _mm256_castsi256_ps(
          _mm256_blendv_epi8(normal, tiny, _mm256_cmpgt_epi32(_mm256_set1_epi32(2), e)));
    };
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    return {convert(_mm256_cvtepu8_epi32(bytes)),
            convert(_mm256_cvtepu8_epi32(_mm_srli_si128(bytes, 8)))};
  }
  static F f16_low(I x) {
    const __m256i mask = _mm256_set1_epi32(0xffff);
    // Packing interleaves the registers' halves; the permutation puts the 16 numbers in order.
    const __m256i packed = _mm256_permute4x64_epi64(
        _mm256_packus_epi32(_mm256_and_si256(x.a, mask), _mm256_and_si256(x.b, mask)), 0b11011000);
    return {_mm256_cvtph_ps(_mm256_castsi256_si128(packed)),
            _mm256_cvtph_ps(_mm256_extracti128_si256(packed, 1))};
  }
  static F f16_high(I x) { return f16_low(shift_right<16>(x)); }
  static F to_float(I x) { return {_mm256_cvtepi32_ps(x.a), _mm256_cvtepi32_ps(x.b)}; }
  static F mul(F x, F y) { return {_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)}; }
  static F add(F x, F y) { return {_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b)}; }
  static F negate(F x) {
    const __m256 sign = _mm256_set1_ps(-0.0f);
    return {_mm256_xor_ps(x.a, sign), _mm256_xor_ps(x.b, sign)};
  }
  static F fma(F x, F y, F z) {
    return {_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)};
  }

  using Four = __m256i;
  static Four broadcast4(const std::int8_t* at) {
    std::int32_t four;
    __builtin_memcpy(&four, at, 4);
    return _mm256_set1_epi32(four);
  }

  // Pairs of products are 16-bit sums. Of unsigned codes of few bits, several pairs fit before they
  // must be widened: 4 bits: 8 x 2 x 15 x 127 = 30480. Signed codes go as |code| x (sign of code)
  // a: at most 2 x 127 x 127 = 32258.
  template <bool kSigned, int kBits>
  struct Dot {
    static constexpr int kFit = kSigned ? 1 : kBits <= 4 ? 8 : kBits == 5 ? 4 : 2;
    __m256i a, b;      // 32-bit sums
    __m256i a16, b16;  // 16-bit sums since the last widening
    void start(std::int32_t bias = 0) { a = b = _mm256_set1_epi32(bias); }
    template <int kStep>
    void add(I codes, Four four) {
      __m256i pa, pb;
      if constexpr (kSigned) {
        pa = _mm256_maddubs_epi16(_mm256_abs_epi8(codes.a), _mm256_sign_epi8(four, codes.a));
        pb = _mm256_maddubs_epi16(_mm256_abs_epi8(codes.b), _mm256_sign_epi8(four, codes.b));
      } else {
        pa = _mm256_maddubs_epi16(codes.a, four);
        pb = _mm256_maddubs_epi16(codes.b, four);
      }
      if constexpr (kStep % kFit == 0) {
        if constexpr (kStep > 0) widen();
        a16 = pa;
        b16 = pb;
      } else {
        a16 = _mm256_add_epi16(a16, pa);
        b16 = _mm256_add_epi16(b16, pb);
        // Left alone, gcc 12 makes all products of a sub-block first and then adds them as a tree,
        // which takes far more registers than there are.
        if constexpr (kFit >= 4) asm("" : "+x"(a16), "+x"(b16));
      }
    }
    void widen() {
      const __m256i ones = _mm256_set1_epi16(1);
      a = _mm256_add_epi32(a, _mm256_madd_epi16(a16, ones));
      b = _mm256_add_epi32(b, _mm256_madd_epi16(b16, ones));
    }
    I total() {
      widen();
      return {a, b};
    }
  };

  static float max_abs32(const float* x) {
    const __m256 sign = _mm256_set1_ps(-0.0f);
    __m256 largest = _mm256_andnot_ps(sign, _mm256_loadu_ps(x));
    for (int i = 8; i < 32; i += 8)
      largest = _mm256_max_ps(largest, _mm256_andnot_ps(sign, _mm256_loadu_ps(x + i)));
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(largest), _mm256_extractf128_ps(largest, 1));
    four = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(four, _mm_movehdup_ps(four)));
  }
  static void scale_to_int8(const float* x, float inverse, std::int8_t* q) {
    const __m256 factor = _mm256_set1_ps(inverse);
    const __m256i low = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x), factor));
    const __m256i high = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 8), factor));
    const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(low, high), 0b11011000);
    _mm_storeu_si128(
        reinterpret_cast<__m128i*>(q),
        _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1)));
  }
};

}  // namespace drystone
