#pragma once

#include <cstring>

// Four floats at a time, in what every target has natively. Sums are kept per lane and joined in
// one fixed order, so the quantizers give the same bits on every instruction set.

namespace drystone {

using Lanes = float __attribute__((vector_size(16)));
using IntLanes = int __attribute__((vector_size(16)));

inline Lanes load(const float* p) {
  Lanes v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
inline void store(float* p, Lanes v) { std::memcpy(p, &v, sizeof v); }

inline Lanes splat(float x) { return Lanes{x, x, x, x}; }

// A NaN in `a` gives `b`: clamping makes any value safe to convert to an integer.
inline Lanes min(Lanes a, Lanes b) { return a < b ? a : b; }
inline Lanes max(Lanes a, Lanes b) { return a > b ? a : b; }

inline Lanes abs(Lanes a) {
  IntLanes bits;
  std::memcpy(&bits, &a, sizeof bits);
  bits &= 0x7fffffff;
  std::memcpy(&a, &bits, sizeof a);
  return a;
}

// To the nearest integer, ties to even, for |a| < 2^22.
inline Lanes round(Lanes a) {
  const Lanes magic = splat(12582912.0f);  // 1.5 * 2^23: what is below one falls off the mantissa
  return (a + magic) - magic;
}

inline Lanes round_clamped(Lanes a, float low, float high) {
  return round(max(min(a, splat(high)), splat(low)));
}

inline float sum(Lanes a) { return (a[0] + a[2]) + (a[1] + a[3]); }

}  // namespace drystone
