// The hyperbolic tangent, vectorised, to a few units in the last place.
#pragma once
#include "vector.hpp"

namespace DPK_VARIANT {

template <class T>
struct TanhConstants;

template <>
struct TanhConstants<double> {
  static constexpr double saturated = 20.0, round = 6755399441055744.0;  // 1.5 * 2^52
  static constexpr double ln2_high = 6.93147180369123816490e-01, ln2_low = 1.90821492927058770002e-10;
  static constexpr int terms = 13, mantissa = 52;
};

template <>
struct TanhConstants<float> {
  static constexpr float saturated = 10.0f, round = 12582912.0f;  // 1.5 * 2^23
  static constexpr float ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
  static constexpr int terms = 7, mantissa = 23;
};

constexpr double kInverseFactorial[] = {1.0, 1.0, 1.0 / 2, 1.0 / 6, 1.0 / 24, 1.0 / 120, 1.0 / 720,
                                        1.0 / 5040, 1.0 / 40320, 1.0 / 362880, 1.0 / 3628800,
                                        1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800.0};

// tanh x = m / (m + 2) with m = e^{2|x|} - 1, which is accurate for small x, too.
template <class T>
inline typename Simd<T>::V tanh(typename Simd<T>::V x) {
  using C = TanhConstants<T>;
  using V = typename Simd<T>::V;
  using I = typename Simd<T>::I;
  V y = x < 0 ? -x : x;
  // A NaN fails the comparison and stays what it is.
  y = y > C::saturated ? splat<T>(C::saturated) : y;
  y = y + y;
  const V shifted = y * T(1.4426950408889634074) + C::round;
  const V k = shifted - C::round;
  const V r = (y - k * C::ln2_high) - k * C::ln2_low;
  V p = splat<T>(T(kInverseFactorial[C::terms]));
#pragma GCC unroll 16
  for (int i = C::terms - 1; i > 0; --i) p = p * r + T(kInverseFactorial[i]);
  p = p * r;
  I bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  bits = bits << C::mantissa;
  const V one = splat<T>(T(1));
  I exponent;
  std::memcpy(&exponent, &one, sizeof exponent);
  exponent += bits;
  V power;
  std::memcpy(&power, &exponent, sizeof power);
  const V m = power * p + (power - T(1));
  const V t = m / (m + T(2));
  return x < 0 ? -t : t;
}

}  // namespace DPK_VARIANT
