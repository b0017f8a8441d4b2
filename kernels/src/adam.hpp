// A step of Adam (Kingma & Ba, arXiv:1412.6980) in one pass over the memory.
#pragma once
#include <cmath>

#include "kernels.h"
#include "threads.h"

namespace DPK_VARIANT {

template <class T>
int adam(const dpk_adam* input, void* vector_out, void* mean_out, void* square_out) {
  constexpr int64_t few = 1 << 14;  // parameters that one thread has soon changed
  const int64_t n = input->length;
  const T *vector = static_cast<const T*>(input->vector), *gradient = static_cast<const T*>(input->gradient);
  const T *mean = static_cast<const T*>(input->mean), *square = static_cast<const T*>(input->square);
  T *x = static_cast<T*>(vector_out), *m = static_cast<T*>(mean_out), *v = static_cast<T*>(square_out);
  const T beta1 = T(input->beta1), beta2 = T(input->beta2), rest1 = T(1 - input->beta1), rest2 = T(1 - input->beta2);
  const T grown1 = T(1 - input->kept_mean), grown2 = T(1 - input->kept_square);
  const T rate = T(input->rate), eps = T(input->eps);
#pragma omp parallel for simd schedule(static) if (parallel : n > few && dpk_may_thread())
  for (int64_t i = 0; i < n; ++i) {
    const T g = gradient[i];
    m[i] = beta1 * mean[i] + rest1 * g;
    v[i] = beta2 * square[i] + rest2 * (g * g);
    x[i] = vector[i] - rate * (m[i] / grown1 / (std::sqrt(v[i] / grown2) + eps));
  }
  return DPK_OK;
}

}  // namespace DPK_VARIANT
