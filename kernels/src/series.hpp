// Embeddings from Chebyshev series: on each of equal intervals the sum of T_i(u) c_i, with u from -1 to 1. They
// are linear in the numbers c_i, so that what is summed can be differentiated by these, too.
#pragma once
#include <limits>

#include "kernels.h"
#include "vector.hpp"

namespace DPK_VARIANT {

// T_i(u) and its first derivatives by the input, which are `rate` times those by u.
template <class T, int ORDER>
inline void chebyshev(T u, T rate, T (&w)[ORDER + 1][DPK_SERIES_TERMS]) {
  w[0][0] = 1;
  w[0][1] = u;
  if constexpr (ORDER > 0) {
    w[1][0] = 0;
    w[1][1] = rate;
  }
  if constexpr (ORDER > 1) w[2][0] = w[2][1] = 0;
#pragma GCC unroll 16
  for (int i = 2; i < DPK_SERIES_TERMS; ++i) {
    w[0][i] = 2 * u * w[0][i - 1] - w[0][i - 2];
    if constexpr (ORDER > 0) w[1][i] = 2 * (rate * w[0][i - 1] + u * w[1][i - 1]) - w[1][i - 2];
    if constexpr (ORDER > 1) w[2][i] = 4 * rate * w[1][i - 1] + 2 * u * w[2][i - 1] - w[2][i - 2];
  }
}

template <class T>
class SeriesEmbedding {
 public:
  static size_t scratch(const dpk_moments&, int, int) { return 0; }

  SeriesEmbedding(const dpk_moments& input, const double* pair, T*)
      : data_(static_cast<const T*>(input.data)), row_(padded(input.width)), start_(int64_t(pair[DPK_START])),
        lower_(T(pair[DPK_LOWER])), inverse_stride_(T(pair[DPK_INVERSE_STRIDE])),
        intervals_(T(pair[DPK_INTERVALS])) {}

  // Beyond the series, by more than rounding, everything is NaN.
  template <int ORDER>
  void prepare(const T* inputs, int edges) {
    const T lower = lower_, inverse = inverse_stride_, intervals = intervals_, slack = T(1e-3);
    const int64_t start = start_, interval_size = DPK_SERIES_TERMS * row_;
#pragma omp simd
    for (int e = 0; e < edges; ++e) {
      const T position = (inputs[e] - lower) * inverse;
      const T clamped = position > 0 ? (position < intervals - 1 ? position : intervals - 1) : T(0);
      const int64_t interval = int64_t(clamped);
      const bool inside = position > -slack && position < intervals + slack;
      const T u = inside ? 2 * (position - T(interval)) - 1 : std::numeric_limits<T>::quiet_NaN();
      T w[ORDER + 1][DPK_SERIES_TERMS];
      chebyshev<T, ORDER>(u, 2 * inverse, w);
      for (int k = 0; k <= ORDER; ++k)
        for (int i = 0; i < DPK_SERIES_TERMS; ++i) weight_[k][i][e] = w[k][i];
      offset_[e] = start + interval * interval_size;
    }
  }

  // The features of one edge, chunk by chunk.
  template <int ORDER>
  struct Row {
    const T* data;
    int64_t offset, row;
    T weight[ORDER + 1][DPK_SERIES_TERMS];

    inline void load_chunk(int64_t m, typename Simd<T>::V (&out)[ORDER + 1]) const {
      using V = typename Simd<T>::V;
      const T* p = data + offset + m;
#pragma GCC unroll 3
      for (int k = 0; k <= ORDER; ++k) out[k] = V{};
#pragma GCC unroll 16
      for (int i = 0; i < DPK_SERIES_TERMS; ++i) {
        const V c = once<T>(load(p + i * row));
#pragma GCC unroll 3
        for (int k = 0; k <= ORDER; ++k) out[k] += c * weight[k][i];
      }
    }

    // Add the derivatives by the numbers of the series, from those by the features.
    inline void spread_chunk(int64_t m, const typename Simd<T>::V (&slope)[ORDER + 1], T* by_data) const {
      T* p = by_data + offset + m;
#pragma GCC unroll 16
      for (int i = 0; i < DPK_SERIES_TERMS; ++i) {
        typename Simd<T>::V total = load(p + i * row);
#pragma GCC unroll 3
        for (int k = 0; k <= ORDER; ++k) total += slope[k] * weight[k][i];
        store(p + i * row, total);
      }
    }
  };

  template <int ORDER>
  inline Row<ORDER> row(int e) const {
    Row<ORDER> r;
    r.data = data_;
    r.offset = offset_[e];
    r.row = row_;
    for (int k = 0; k <= ORDER; ++k)
      for (int i = 0; i < DPK_SERIES_TERMS; ++i) r.weight[k][i] = weight_[k][i][e];
    return r;
  }

 private:
  const T* data_;
  int64_t row_, start_;
  T lower_, inverse_stride_, intervals_;
  T weight_[3][DPK_SERIES_TERMS][kEdges];
  int64_t offset_[kEdges];
};

}  // namespace DPK_VARIANT
