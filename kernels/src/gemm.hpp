// Small matrix products that stay in cache.
#pragma once
#include "vector.hpp"

namespace DPK_VARIANT {

constexpr int kTileRows = DPK_VECTOR_BYTES == 64 ? 6 : 4;
constexpr int kTileVectors = DPK_VECTOR_BYTES == 64 ? 4 : 2;

template <class T, int VECTORS>
inline void multiply_tile(const T* a, int64_t lda, const T* b, int64_t ldb, T* c, int64_t ldc, int depth) {
  using V = typename Simd<T>::V;
  constexpr int L = Simd<T>::lanes;
  V acc[kTileRows][VECTORS] = {};
  for (int k = 0; k < depth; ++k) {
    V right[VECTORS];
#pragma GCC unroll 8
    for (int j = 0; j < VECTORS; ++j) right[j] = load(b + k * ldb + j * L);
#pragma GCC unroll 8
    for (int i = 0; i < kTileRows; ++i) {
      const T left = a[i * lda + k];
#pragma GCC unroll 8
      for (int j = 0; j < VECTORS; ++j) acc[i][j] += left * right[j];
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kTileRows; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < VECTORS; ++j) store(c + i * ldc + j * L, acc[i][j]);
}

// c = a b with rows rounded up to kTileRows; widths are multiples of eight numbers.
template <class T>
inline void multiply(const T* a, int64_t lda, const T* b, T* c, int64_t width, int rows, int depth) {
  constexpr int L = Simd<T>::lanes;
  for (int i = 0; i < rows; i += kTileRows) {
    const T* ai = a + i * lda;
    T* ci = c + i * width;
    int64_t j = 0;
    for (; j + kTileVectors * L <= width; j += kTileVectors * L)
      multiply_tile<T, kTileVectors>(ai, lda, b + j, width, ci + j, width, depth);
    for (; j + 2 * L <= width; j += 2 * L)
      multiply_tile<T, 2>(ai, lda, b + j, width, ci + j, width, depth);
    for (; j < width; j += L) multiply_tile<T, 1>(ai, lda, b + j, width, ci + j, width, depth);
  }
}

}  // namespace DPK_VARIANT
