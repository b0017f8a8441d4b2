// The kernels for one instruction set; compiled once for each.
#include "adam.hpp"
#include "moments.hpp"
#include "net.hpp"
#include "series.hpp"
#include "table.hpp"
#include "variant.h"

namespace DPK_VARIANT {
namespace {

template <Job JOB, class T>
int evaluate(const dpk_moments& input, const Arguments<T>& arguments) {
  if constexpr (!learns(JOB)) switch (input.embedding) {
      case DPK_TABLE:
        return run<T, TableEmbedding<T>, JOB>(input, arguments);
      case DPK_NET:
        return run<T, NetEmbedding<T>, JOB>(input, arguments);
    }
  if (input.embedding == DPK_SERIES) return run<T, SeriesEmbedding<T>, JOB>(input, arguments);
  return DPK_BAD_INPUT;
}

template <class T>
int moments(const dpk_moments* input, void* out) {
  Arguments<T> a;
  a.moments = static_cast<T*>(out);
  return evaluate<Job::moments>(*input, a);
}

template <class T>
int first(const dpk_moments* input, const void* weight, void* slope) {
  Arguments<T> a;
  a.weight = static_cast<const T*>(weight);
  a.slope = static_cast<T*>(slope);
  return evaluate<Job::first>(*input, a);
}

template <class T>
int second(const dpk_moments* input, const void* weight, const void* direction, void* by_displacement,
           void* by_weight) {
  Arguments<T> a;
  a.weight = static_cast<const T*>(weight);
  a.direction = static_cast<const T*>(direction);
  a.slope = static_cast<T*>(by_displacement);
  a.moments = static_cast<T*>(by_weight);
  return evaluate<Job::second>(*input, a);
}

template <class T>
int learn(const dpk_moments* input, const void* weight, void* by_data) {
  Arguments<T> a;
  a.weight = static_cast<const T*>(weight);
  a.by_data = static_cast<T*>(by_data);
  return evaluate<Job::learn>(*input, a);
}

template <class T>
int learn_first(const dpk_moments* input, const void* weight, const void* direction, void* by_weight,
                void* by_data) {
  Arguments<T> a;
  a.weight = static_cast<const T*>(weight);
  a.direction = static_cast<const T*>(direction);
  a.moments = static_cast<T*>(by_weight);
  a.by_data = static_cast<T*>(by_data);
  return evaluate<Job::learn_first>(*input, a);
}

template <class T>
constexpr dpk_kernels kernels() {
  return {moments<T>, first<T>, second<T>, learn<T>, learn_first<T>, adam<T>};
}

}  // namespace

extern const dpk_variant variant;
const dpk_variant variant = {kernels<double>(), kernels<float>()};

}  // namespace DPK_VARIANT
