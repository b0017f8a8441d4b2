// Embeddings from tables: on each interval the quintic polynomial that matches value, slope and curvature
// at both ends. A knot stores three rows, f, h f' and h² f'' / 2.
#pragma once
#include "kernels.h"
#include "vector.hpp"

namespace DPK_VARIANT {

// Weights of the six rows of an interval for the value and its first derivatives by the input. Beyond the
// table, where u is not in [0, 1], the function goes on as a straight line. Without branches, so that a
// loop over many u becomes vector code.
template <class T, int ORDER>
inline void hermite(T position, T inverse_stride, T (&w)[ORDER + 1][6]) {
  const T u = position < 0 ? T(0) : (position > 1 ? T(1) : position);
  const T beyond = position - u;
  const T v = 1 - u;
  const T u2 = u * u, v2 = v * v, u3 = u2 * u, v3 = v2 * v;
  w[0][0] = v3 * (1 + 3 * u + 6 * u2);
  w[0][1] = u * v3 * (1 + 3 * u) + (beyond < 0 ? beyond : T(0));
  w[0][2] = u2 * v3;
  w[0][3] = u3 * (1 + 3 * v + 6 * v2);
  w[0][4] = (beyond > 0 ? beyond : T(0)) - v * u3 * (1 + 3 * v);
  w[0][5] = v2 * u3;
  if constexpr (ORDER > 0) {
    const T k = inverse_stride;
    w[1][3] = 30 * u2 * v2 * k;
    w[1][0] = -w[1][3];
    w[1][1] = v2 * (1 - 3 * u) * (1 + 5 * u) * k;
    w[1][2] = u * v2 * (2 - 5 * u) * k;
    w[1][4] = u2 * (1 - 3 * v) * (1 + 5 * v) * k;
    w[1][5] = -v * u2 * (2 - 5 * v) * k;
  }
  if constexpr (ORDER > 1) {
    const T k = beyond != 0 ? T(0) : inverse_stride * inverse_stride;
    w[2][3] = 60 * u * v * (v - u) * k;
    w[2][0] = -w[2][3];
    w[2][1] = -12 * u * v * (3 - 5 * u) * k;
    w[2][4] = 12 * u * v * (3 - 5 * v) * k;
    w[2][2] = 2 * v * (v2 - 6 * u * v + 3 * u2) * k;
    w[2][5] = 2 * u * (u2 - 6 * u * v + 3 * v2) * k;
  }
}

template <class T>
class TableEmbedding {
 public:
  // Any number of edges may be open at once: a table needs no room of its own for them.
  static size_t scratch(const dpk_moments&, int, int) { return 0; }

  TableEmbedding(const dpk_moments& input, const double* pair, T*)
      : data_(static_cast<const T*>(input.data)), row_(padded(input.width)) {
    for (int s = 0; s < 2; ++s) {
      const double* p = pair + (s ? DPK_START_2 : DPK_START);
      segment_[s] = {int64_t(p[0]), p[1], p[2], int64_t(p[3])};
    }
  }

  template <int ORDER>
  void prepare(const T* inputs, int edges) {
    const T lower[2] = {T(segment_[0].lower), T(segment_[1].lower)};
    const T inverse[2] = {T(segment_[0].inverse_stride), T(segment_[1].inverse_stride)};
    const T last[2] = {T(segment_[0].intervals - 1), T(segment_[1].intervals - 1)};
    const int64_t start[2] = {segment_[0].start, segment_[1].start};
    const bool two = segment_[1].intervals > 0;
    const int64_t knot = 3 * row_;
#pragma omp simd
    for (int e = 0; e < edges; ++e) {
      const T x = inputs[e];
      const bool second = two && x >= lower[1];
      const T inverse_stride = second ? inverse[1] : inverse[0];
      const T position = (x - (second ? lower[1] : lower[0])) * inverse_stride;
      const T end = second ? last[1] : last[0];
      const T clamped = position > 0 ? (position < end ? position : end) : T(0);
      const int64_t interval = int64_t(clamped);
      T w[ORDER + 1][6];
      hermite<T, ORDER>(position - T(interval), inverse_stride, w);
      for (int k = 0; k <= ORDER; ++k)
        for (int i = 0; i < 6; ++i) weight_[k][i][e] = w[k][i];
      offset_[e] = (second ? start[1] : start[0]) + interval * knot;
    }
  }

  // The features of one edge, chunk by chunk.
  template <int ORDER>
  struct Row {
    const T* knot;
    int64_t row;
    T weight[ORDER + 1][6];

    inline void load_chunk(int64_t m, typename Simd<T>::V (&out)[ORDER + 1]) const {
      const T* p = knot + m;
      typename Simd<T>::V f[6];
#pragma GCC unroll 6
      for (int i = 0; i < 6; ++i) f[i] = once<T>(load(p + i * row));
#pragma GCC unroll 3
      for (int k = 0; k <= ORDER; ++k) {
        out[k] = f[0] * weight[k][0];
#pragma GCC unroll 6
        for (int i = 1; i < 6; ++i) out[k] += f[i] * weight[k][i];
      }
    }
  };

  template <int ORDER>
  inline Row<ORDER> row(int e) const {
    Row<ORDER> r;
    r.knot = data_ + offset_[e];
    r.row = row_;
    for (int k = 0; k <= ORDER; ++k)
      for (int i = 0; i < 6; ++i) r.weight[k][i] = weight_[k][i][e];
    return r;
  }

 private:
  struct Segment {
    int64_t start;
    double lower, inverse_stride;
    int64_t intervals;
  };
  const T* data_;
  int64_t row_;
  Segment segment_[2];
  T weight_[3][6][kEdges];
  int64_t offset_[kEdges];
};

}  // namespace DPK_VARIANT
