#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace drystone {

// PortableLanes (portable/lanes.h) in one 512-bit register; dots by VNNI, which takes unsigned
// codes: signed ones get 128 added, and the input's bias takes it off again.
struct Avx512Lanes {
  using I = __m512i;
  using F = __m512;

  static constexpr int kPromptPanels = 2, kPromptRows = 6;  // 12 dots and 12 sums in 32 registers
  static constexpr int kFloatPanels = 2, kFloatRows = 12;
  static constexpr std::int32_t kSignedOffset = 128;

  static I load(const std::byte* at) { return _mm512_loadu_si512(at); }
  static void store(std::byte* at, I x) { _mm512_storeu_si512(at, x); }
  // Always inline: to gcc 12 a function that only prefetches has no effect, and calls of it go
  // away.
  __attribute__((always_inline)) static void prefetch(const std::byte* at) {
    _mm_prefetch(reinterpret_cast<const char*>(at), _MM_HINT_T0);
  }
  __attribute__((always_inline)) static void prefetch_far(const std::byte* at) {
    _mm_prefetch(reinterpret_cast<const char*>(at), _MM_HINT_T1);
  }
  static I set_all(std::int32_t x) { return _mm512_set1_epi32(x); }
  static I bit_and(I a, I b) { return _mm512_and_si512(a, b); }
  static I bit_or(I a, I b) { return _mm512_or_si512(a, b); }
  template <int kBits>
  static I shift_right(I a) {
    return _mm512_srli_epi32(a, kBits);
  }
  template <int kBits>
  static I shift_left(I a) {
    return _mm512_slli_epi32(a, kBits);
  }
  static I sub_i32(I a, I b) { return _mm512_sub_epi32(a, b); }
  template <int kByte>
  static I signed_byte(I a) {
    return _mm512_srai_epi32(_mm512_slli_epi32(a, 24 - 8 * kByte), 24);
  }
  static I look_up(const std::int8_t (&table)[16], I index) {
    const auto lane = _mm_load_si128(reinterpret_cast<const __m128i*>(table));
    return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(lane), index);
  }
  static I bias_signed(I codes) {
    return _mm512_xor_si512(codes, _mm512_set1_epi8(static_cast<char>(0x80)));
  }

  static F zero() { return _mm512_setzero_ps(); }
  static F broadcast(float x) { return _mm512_set1_ps(x); }
  static F load_f32(const float* at) { return _mm512_loadu_ps(at); }
  static void store_f32(float* at, F x) { _mm512_storeu_ps(at, x); }
  static F load_f16(const std::byte* at) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)));
  }
  static F load_bf16(const std::byte* at) {
    const __m512i wide =
        _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
  }
  static F load_e8m0_half(const std::byte* at) {
    const __m512i e = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at)));
    const __m512i normal = _mm512_slli_epi32(_mm512_sub_epi32(e, _mm512_set1_epi32(1)), 23);
    const __m512i tiny = _mm512_sllv_epi32(_mm512_set1_epi32(0x00200000), e);
    return _mm512_castsi512_ps(
        _mm512_mask_mov_epi32(normal, _mm512_cmplt_epi32_mask(e, _mm512_set1_epi32(2)), tiny));
  }
  static F f16_low(I a) { return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(a)); }
  static F f16_high(I a) { return f16_low(_mm512_srli_epi32(a, 16)); }
  static F to_float(I a) { return _mm512_cvtepi32_ps(a); }
  static F mul(F a, F b) { return _mm512_mul_ps(a, b); }
  static F add(F a, F b) { return _mm512_add_ps(a, b); }
  static F negate(F a) {
    return _mm512_castsi512_ps(
        _mm512_xor_si512(_mm512_castps_si512(a), _mm512_set1_epi32(static_cast<int>(0x80000000))));
  }
  static F fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }

  using Four = __m512i;
  static Four broadcast4(const std::int8_t* at) {
    std::int32_t four;
    __builtin_memcpy(&four, at, 4);
    return _mm512_set1_epi32(four);
  }

  template <bool kSigned, int kBits>
  struct Dot {
    __m512i sum;
    void start(std::int32_t bias = 0) { sum = _mm512_set1_epi32(bias); }
    template <int kStep>
    void add(I codes, Four a) {
      sum = _mm512_dpbusd_epi32(sum, codes, a);
    }
    I total() const { return sum; }
  };

  static float max_abs32(const float* x) {
    return _mm512_reduce_max_ps(
        _mm512_max_ps(_mm512_abs_ps(_mm512_loadu_ps(x)), _mm512_abs_ps(_mm512_loadu_ps(x + 16))));
  }
  static void scale_to_int8(const float* x, float inverse, std::int8_t* q) {
    const __m512i whole =
        _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x), _mm512_set1_ps(inverse)));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(q), _mm512_cvtsepi32_epi8(whole));
  }
};

}  // namespace drystone
