#pragma once

#include <bit>
#include <cstdint>

namespace drystone {

// e^x and ln x from additions and multiplications alone, so that every platform gives the same bits
// (libm does not). Loops over them vectorize.

// Relative error below 2e-7 for x in [-87, 88]; smaller x give 0, larger ones e^88.
inline float portable_exp(float x) {
  const float clamped = x < -87.0f ? -87.0f : x > 88.0f ? 88.0f : x;
  constexpr float kRound =
      12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer in the low bits
  const float scaled = clamped * 1.44269504f + kRound;
  const std::int32_t exponent =
      std::bit_cast<std::int32_t>(scaled) - std::bit_cast<std::int32_t>(kRound);
  const float whole = scaled - kRound;
  const float r = (clamped - whole * 0.693359375f) + whole * 2.12194440e-4f;  // ln 2 in two parts
  float y = 1.0f / 5040;                                                      // Taylor: |r| < 0.35
  y = y * r + 1.0f / 720;
  y = y * r + 1.0f / 120;
  y = y * r + 1.0f / 24;
  y = y * r + 1.0f / 6;
  y = y * r + 0.5f;
  y = y * r + 1.0f;
  y = y * r + 1.0f;
  const float result = y * std::bit_cast<float>((exponent + 127) << 23);
  return x < -87.0f ? 0.0f : result;
}

// Relative error below 1e-14; x positive, finite and not subnormal.
inline double portable_log(double x) {
  const auto bits = std::bit_cast<std::uint64_t>(x);
  int exponent = static_cast<int>(bits >> 52) - 1023;
  double mantissa = std::bit_cast<double>((bits & 0xFFFFFFFFFFFFF) | 0x3FF0000000000000);
  if (mantissa > 1.4142135623730951) {
    mantissa *= 0.5;
    ++exponent;
  }
  const double t = (mantissa - 1) / (mantissa + 1), t2 = t * t;  // ln m = 2 atanh t, |t| < 0.172
  double sum = 0;
  for (int k = 21; k >= 1; k -= 2) sum = sum * t2 + 1.0 / k;
  return 2 * t * sum + exponent * 0.6931471805599453;
}

}  // namespace drystone
