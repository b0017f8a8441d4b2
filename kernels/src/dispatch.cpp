// Chooses the variant for this processor when the library is loaded.
#include <cstdlib>
#include <cstring>

#include "threads.h"
#include "variant.h"

#if !defined(_WIN32)
#include <pthread.h>
#endif

#define DPK_EXTERN(name) \
  namespace name {       \
  extern const dpk_variant variant; \
  }
DPK_EXTERN(baseline)
#ifdef DPK_HAVE_avx2
DPK_EXTERN(avx2)
#endif
#ifdef DPK_HAVE_avx512
DPK_EXTERN(avx512)
#endif

namespace {

struct Choice {
  const char* name;
  const dpk_variant* variant;
  bool supported;
};

Choice choose() {
  const Choice choices[] = {
#ifdef DPK_HAVE_avx512
      {"avx512", &avx512::variant, __builtin_cpu_supports("x86-64-v4") != 0},
#endif
#ifdef DPK_HAVE_avx2
      {"avx2", &avx2::variant, __builtin_cpu_supports("x86-64-v3") != 0},
#endif
      {"baseline", &baseline::variant, true},
  };
  const char* wanted = std::getenv("DPCORE_KERNELS_ISA");
  for (const Choice& choice : choices)
    if (wanted && choice.supported && !std::strcmp(wanted, choice.name)) return choice;
  for (const Choice& choice : choices)
    if (choice.supported) return choice;
  std::abort();  // the last one always is
}

bool forked = false;

#if !defined(_WIN32)
const int registered = pthread_atfork(nullptr, nullptr, [] { forked = true; });
#endif

const Choice& chosen() {
  static const Choice choice = choose();
  return choice;
}

}  // namespace

bool dpk_may_thread() { return !forked; }

#define DPK_DEFINE(suffix)                                                                       \
  int dpk_moments_##suffix(const dpk_moments* input, void* moments) {                            \
    return chosen().variant->suffix.moments(input, moments);                                     \
  }                                                                                              \
  int dpk_moments_first_##suffix(const dpk_moments* input, const void* weight, void* slope) {    \
    return chosen().variant->suffix.first(input, weight, slope);                                 \
  }                                                                                              \
  int dpk_moments_second_##suffix(const dpk_moments* input, const void* weight,                  \
                                  const void* direction, void* by_displacement, void* by_weight) { \
    return chosen().variant->suffix.second(input, weight, direction, by_displacement, by_weight); \
  }                                                                                              \
  int dpk_moments_learn_##suffix(const dpk_moments* input, const void* weight, void* by_data) {  \
    return chosen().variant->suffix.learn(input, weight, by_data);                               \
  }                                                                                              \
  int dpk_moments_learn_first_##suffix(const dpk_moments* input, const void* weight,             \
                                       const void* direction, void* by_weight, void* by_data) {  \
    return chosen().variant->suffix.learn_first(input, weight, direction, by_weight, by_data);   \
  }                                                                                              \
  int dpk_adam_##suffix(const dpk_adam* input, void* vector, void* mean, void* square) {         \
    return chosen().variant->suffix.adam(input, vector, mean, square);                           \
  }

DPK_DEFINE(f64)
DPK_DEFINE(f32)

int dpk_interface(void) { return 4; }

const char* dpk_isa(void) { return chosen().name; }
