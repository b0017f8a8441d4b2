// Short vectors by the compiler's own extension, as wide as the instruction set of this variant.
#pragma once
#include <cstdint>
#include <cstring>
#include <new>
#include <vector>

namespace DPK_VARIANT {

template <class T>
struct Simd;

// Rows are padded to eight numbers, so single precision uses half of a 512-bit register.
template <>
struct Simd<double> {
  static constexpr int lanes = DPK_VECTOR_BYTES / 8;
  typedef double V __attribute__((vector_size(DPK_VECTOR_BYTES)));
  typedef int64_t I __attribute__((vector_size(DPK_VECTOR_BYTES)));
};

template <>
struct Simd<float> {
  static constexpr int bytes = DPK_VECTOR_BYTES < 32 ? DPK_VECTOR_BYTES : 32;
  static constexpr int lanes = bytes / 4;
  typedef float V __attribute__((vector_size(bytes)));
  typedef int32_t I __attribute__((vector_size(bytes)));
};

constexpr int kEdges = 48;  // edges whose features are open at a time
constexpr int kRow = 8;  // rows of features are padded to a multiple of this

inline int64_t padded(int64_t n) { return (n + kRow - 1) / kRow * kRow; }

template <class T>
inline typename Simd<T>::V load(const T* p) {
  typename Simd<T>::V v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

template <class T>
inline void store(T* p, typename Simd<T>::V v) {
  std::memcpy(p, &v, sizeof v);
}

template <class T>
inline typename Simd<T>::V splat(T x) {
  return x - typename Simd<T>::V{};
}

// Keep a loaded vector in a register: compilers would load it again for each use.
template <class T>
inline typename Simd<T>::V once(typename Simd<T>::V v) {
#if defined(__x86_64__)
  __asm__("" : "+x"(v));
#endif
  return v;
}

template <class T>
inline T sum(typename Simd<T>::V v) {
  constexpr int n = Simd<T>::lanes;
  T part[n];
  store(part, v);
  for (int half = n / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) part[i] += part[i + half];
  return part[0];
}

// Memory in which rows of eight numbers never straddle two cache lines.
template <class T>
struct CacheAligned {
  using value_type = T;
  CacheAligned() = default;
  template <class U>
  CacheAligned(const CacheAligned<U>&) {}
  T* allocate(size_t n) {
    return static_cast<T*>(::operator new(n * sizeof(T), std::align_val_t(64)));
  }
  void deallocate(T* p, size_t) { ::operator delete(p, std::align_val_t(64)); }
  template <class U>
  bool operator==(const CacheAligned<U>&) const { return true; }
  template <class U>
  bool operator!=(const CacheAligned<U>&) const { return false; }
};

template <class T>
using Scratch = std::vector<T, CacheAligned<T>>;

}  // namespace DPK_VARIANT
