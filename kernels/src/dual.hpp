// Numbers with a derivative: a + b ε with ε² = 0.
#pragma once
#include <cmath>

namespace DPK_VARIANT {

template <class T>
struct Dual {
  T a, b;
  Dual() = default;
  Dual(T value, T slope = 0) : a(value), b(slope) {}
};

template <class T> inline Dual<T> operator+(Dual<T> x, Dual<T> y) { return {x.a + y.a, x.b + y.b}; }
template <class T> inline Dual<T> operator-(Dual<T> x, Dual<T> y) { return {x.a - y.a, x.b - y.b}; }
template <class T> inline Dual<T> operator*(Dual<T> x, Dual<T> y) {
  return {x.a * y.a, x.a * y.b + x.b * y.a};
}
template <class T> inline Dual<T> operator/(Dual<T> x, Dual<T> y) {
  const T q = x.a / y.a;
  return {q, (x.b - q * y.b) / y.a};
}
template <class T> inline Dual<T> root(Dual<T> x) {
  const T r = std::sqrt(x.a);
  return {r, x.b / (2 * r)};
}
template <class T> inline Dual<T> unit_range(Dual<T> x) {
  return x.a > 0 ? (x.a < 1 ? x : Dual<T>(1)) : Dual<T>(0);
}

inline double root(double x) { return std::sqrt(x); }
inline float root(float x) { return std::sqrt(x); }
inline double unit_range(double x) { return x > 0 ? (x < 1 ? x : 1) : 0; }
inline float unit_range(float x) { return x > 0 ? (x < 1 ? x : 1) : 0; }

}  // namespace DPK_VARIANT
