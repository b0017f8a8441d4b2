// Embeddings from the networks themselves, for a tile of edges at a time. Derivatives by the one input are
// carried forward through the layers as further rows of the same products.
#pragma once
#include <algorithm>

#include "gemm.hpp"
#include "kernels.h"
#include "tanh.hpp"

namespace DPK_VARIANT {

// A net is stored in rows padded to eight numbers: its number of layers and, for each layer: n_in, n_out, whether
// it adds its input, whether it has a timestep; weights (n_in, padded n_out); bias; timestep.
template <class T>
struct Layer {
  int64_t n_in, n_out, width;
  bool residual, scaled;
  const T *weight, *bias, *timestep;

  explicit Layer(const T* p)
      : n_in(int64_t(p[0])), n_out(int64_t(p[1])), width(padded(n_out)), residual(p[2] != 0),
        scaled(p[3] != 0), weight(p + kRow), bias(weight + n_in * width), timestep(bias + width) {}

  const T* end() const { return timestep + width; }
};

template <class T>
class NetEmbedding {
 public:
  static int rows(int edges, int order) {
    return ((order + 1) * edges + kTileRows - 1) / kTileRows * kTileRows;
  }

  // Two buffers for the rows of a tile, as wide as the widest layer.
  static size_t scratch(const dpk_moments& input, int edges, int order) {
    return 2 * size_t(rows(edges, order)) * widest(input);
  }

  NetEmbedding(const dpk_moments& input, const double* pair, T* scratch)
      : net_(static_cast<const T*>(input.data) + int64_t(pair[DPK_START])), row_(padded(input.width)),
        widest_(widest(input)), scratch_(scratch) {}

  template <int ORDER>
  void prepare(const T* inputs, int edges) {
    const int n = rows(edges, ORDER);
    T *x = scratch_, *y = scratch_ + n * widest_;
    std::fill(x, x + n * kRow, T(0));
    for (int e = 0; e < edges; ++e) x[e * kRow] = inputs[e];
    if constexpr (ORDER > 0)
      for (int e = 0; e < edges; ++e) x[(edges + e) * kRow] = 1;
    const T* p = net_ + kRow;
    int64_t width = kRow;
    for (int64_t i = 0; i < int64_t(net_[0]); ++i) {
      const Layer<T> layer(p);
      multiply(x, width, layer.weight, y, layer.width, n, int(layer.n_in));
      activate<ORDER>(layer, y, edges);
      if (layer.residual) add_input(layer, x, width, y, (ORDER + 1) * edges);
      std::swap(x, y);
      width = layer.width;
      p = layer.end();
    }
    features_ = x;
    edges_ = edges;
  }

  template <int ORDER>
  struct Row {
    const T* features;
    int64_t stride;

    inline void load_chunk(int64_t m, typename Simd<T>::V (&out)[ORDER + 1]) const {
#pragma GCC unroll 3
      for (int k = 0; k <= ORDER; ++k) out[k] = load(features + k * stride + m);
    }
  };

  template <int ORDER>
  inline Row<ORDER> row(int e) const {
    return {features_ + e * row_, edges_ * row_};
  }

 private:
  static int64_t widest(const dpk_moments& input) { return padded(input.widest); }

  template <int ORDER>
  static void activate(const Layer<T>& layer, T* y, int edges) {
    using V = typename Simd<T>::V;
    const int64_t n = layer.width, jet = edges * n;
    for (int e = 0; e < edges; ++e) {
      T* row = y + e * n;
      for (int64_t m = 0; m < n; m += Simd<T>::lanes) {
        const V t = tanh<T>(load(row + m) + load(layer.bias + m));
        const V scale = layer.scaled ? load(layer.timestep + m) : splat<T>(T(1));
        store(row + m, t * scale);
        if constexpr (ORDER > 0) {
          const V slope = T(1) - t * t;
          const V first = load(row + jet + m);
          store(row + jet + m, slope * first * scale);
          if constexpr (ORDER > 1) {
            const V second = load(row + 2 * jet + m);
            store(row + 2 * jet + m, slope * (second - T(2) * t * first * first) * scale);
          }
        }
      }
    }
  }

  static void add_input(const Layer<T>& layer, const T* x, int64_t width, T* y, int rows) {
    for (int r = 0; r < rows; ++r)
      for (int64_t start = 0; start < layer.n_out; start += layer.n_in)
        for (int64_t m = 0; m < layer.n_in; ++m)
          y[r * layer.width + start + m] += x[r * width + m];
  }

  const T* net_;
  int64_t row_, widest_;
  T* scratch_;
  const T* features_ = nullptr;
  int64_t edges_ = 0;
};

}  // namespace DPK_VARIANT
