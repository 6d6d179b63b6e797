#pragma once

#include "compute/cpu/avx512/lanes.h"

namespace drystone {

// PortableSimd (portable/simd.h) in one 512-bit register.
struct Avx512Simd : Avx512Lanes {
  static constexpr int kScoreRows = 4, kValueRows = 6;

  static F sub(F x, F y) { return _mm512_sub_ps(x, y); }
  static F div(F x, F y) { return _mm512_div_ps(x, y); }
  static F max(F x, F y) { return _mm512_max_ps(x, y); }
  static F min(F x, F y) { return _mm512_min_ps(x, y); }
  static F where_less(F x, F y, F then, F otherwise) {
    return _mm512_mask_mov_ps(otherwise, _mm512_cmp_ps_mask(x, y, _CMP_LT_OQ), then);
  }
  static F power_of_two(F biased) {
    const __m512i shifted = _mm512_slli_epi32(_mm512_castps_si512(biased), 23);
    return _mm512_castsi512_ps(_mm512_add_epi32(shifted, _mm512_set1_epi32(0x3f800000)));
  }
  static void sum4(F a, F b, F c, F d, float* out) {
    const auto pairs = [](F x, F y) {
      return _mm512_add_ps(_mm512_unpacklo_ps(x, y), _mm512_unpackhi_ps(x, y));
    };
    const __m512d ab = _mm512_castps_pd(pairs(a, b)), cd = _mm512_castps_pd(pairs(c, d));
    const __m512 all = _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(ab, cd)),
                                     _mm512_castpd_ps(_mm512_unpackhi_pd(ab, cd)));
    const __m256 half = _mm256_add_ps(_mm512_castps512_ps256(all), _mm512_extractf32x8_ps(all, 1));
    _mm_storeu_ps(out, _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1)));
  }
  static float sum(F x) {
    float out[4];
    sum4(x, x, x, x, out);
    return out[0];
  }
  static float largest(F x) { return _mm512_reduce_max_ps(x); }
  static F load_i8(const std::byte* at) {
    return _mm512_cvtepi32_ps(
        _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at))));
  }
  static void store_f16(std::byte* at, F x) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(at),
                        _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
  }
};

}  // namespace drystone
