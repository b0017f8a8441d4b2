// From a displacement to its environment row and back.
#pragma once
#include "dual.hpp"

namespace DPK_VARIANT {

template <class T>
struct Settings {
  T rcut_smth, inverse_range, protection;
  T mean[4], scale[4], input_scale;
};

// Everything about one displacement; N is a number or a dual number.
template <class N>
struct Edge {
  N input;            // what the embedding is a function of
  N row[4];           // the normalised environment row
  N unit[3];          // d / r
  N angular;          // factor of d in the row before normalisation
  N radial_slope;     // d/dr of the radial component
  N angular_slope;    // d/dr of `angular`
};

// s = w(r) / (r + p) and s / (r + p), with w falling from 1 to 0 between rcut_smth and rcut.
template <class N, class T>
inline Edge<N> environment(N x, N y, N z, const Settings<T>& k) {
  Edge<N> e;
  const N one = N(T(1));
  const N r = root(x * x + y * y + z * z);
  const N q = one / (r + N(k.protection));
  const N inverse = one / r;
  const N u = unit_range((r - N(k.rcut_smth)) * N(k.inverse_range));
  const N v = one - u;
  const N w = u * u * u * (u * (N(T(15)) - N(T(6)) * u) - N(T(10))) + one;
  const N fall = N(T(-30) * k.inverse_range) * u * u * v * v;
  const N radial = w * q;
  e.radial_slope = (fall - radial) * q;
  e.angular = radial * q;
  e.angular_slope = (e.radial_slope - e.angular) * q;
  e.input = (radial - N(k.mean[0])) * N(k.input_scale);
  e.row[0] = (radial - N(k.mean[0])) * N(k.scale[0]);
  e.row[1] = (e.angular * x - N(k.mean[1])) * N(k.scale[1]);
  e.row[2] = (e.angular * y - N(k.mean[2])) * N(k.scale[2]);
  e.row[3] = (e.angular * z - N(k.mean[3])) * N(k.scale[3]);
  e.unit[0] = x * inverse;
  e.unit[1] = y * inverse;
  e.unit[2] = z * inverse;
  return e;
}

// The gradient by d of sum_c a_c(input) row_c, where `slope` holds the derivatives of a by the input.
template <class N, class T>
inline void gradient(N x, N y, N z, const Edge<N>& e, const N (&a)[4], const N (&slope)[4],
                     const Settings<T>& k, N (&out)[3]) {
  const N by_input = slope[0] * e.row[0] + slope[1] * e.row[1] + slope[2] * e.row[2] + slope[3] * e.row[3];
  const N px = a[1] * N(k.scale[1]), py = a[2] * N(k.scale[2]), pz = a[3] * N(k.scale[3]);
  const N by_radial = by_input * N(k.input_scale) + a[0] * N(k.scale[0]);
  const N by_r = by_radial * e.radial_slope + e.angular_slope * (px * x + py * y + pz * z);
  out[0] = by_r * e.unit[0] + px * e.angular;
  out[1] = by_r * e.unit[1] + py * e.angular;
  out[2] = by_r * e.unit[2] + pz * e.angular;
}

}  // namespace DPK_VARIANT
