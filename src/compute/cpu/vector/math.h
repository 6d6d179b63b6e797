#pragma once

namespace drystone {

// Functions of 16 lanes over one instruction set's Simd (portable/simd.h). Only templates over
// Simd: each file that instantiates them is compiled for its own instruction set, and no instance
// may be shared between two.
template <typename S>
struct VectorMath {
  using F = typename S::F;

  // e^x. Relative error below 2e-7 for x in [-87, 88]; 0 below, e^88 above.
  // Source of the polynomial: Cephes, expf.
  static F exp(F x) {
    const F low = S::broadcast(-87.0f), given = x;
    x = S::min(S::max(x, low), S::broadcast(88.0f));
    const F bias = S::broadcast(12582912.0f);  // 1.5 * 2^23: adding it rounds to a whole number
    const F biased = S::fma(x, S::broadcast(1.44269504f), bias);
    const F n = S::sub(biased, bias);
    F r = S::fma(n, S::broadcast(-0.693359375f), x);
    r = S::fma(n, S::broadcast(2.12194440e-4f), r);
    F p = S::broadcast(1.9875691500e-4f);
    constexpr float kTerms[] = {1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f,
                                1.6666665459e-1f, 5.0000001201e-1f};
    for (const float c : kTerms) p = S::fma(p, r, S::broadcast(c));
    const F e = S::add(S::fma(S::mul(r, r), p, r), S::broadcast(1.0f));
    return S::where_less(given, low, S::zero(), S::mul(e, S::power_of_two(biased)));
  }

  // Relative error below 5e-7. Source of the polynomial: Cephes, tanhf.
  static F tanh(F x) {
    const F zero = S::zero(), one = S::broadcast(1.0f);
    const F magnitude = S::max(x, S::negate(x));
    const F e = exp(S::mul(magnitude, S::broadcast(-2.0f)));
    const F large = S::div(S::sub(one, e), S::add(one, e));
    const F z = S::mul(x, x);
    F p = S::broadcast(-5.70498872745e-3f);
    constexpr float kTerms[] = {2.06390887954e-2f, -5.37397155531e-2f, 1.33314422036e-1f,
                                -3.33332819422e-1f};
    for (const float c : kTerms) p = S::fma(p, z, S::broadcast(c));
    const F small = S::fma(S::mul(p, z), x, x);
    return S::where_less(magnitude, S::broadcast(0.625f), small,
                         S::where_less(x, zero, S::negate(large), large));
  }

  // x / (1 + e^-y): x times the logistic function of y.
  static F times_logistic(F x, F y) {
    return S::div(x, S::add(S::broadcast(1.0f), exp(S::negate(y))));
  }
};

}  // namespace drystone
