// The kernels for one instruction set; compiled once for each.
#include "moments.hpp"
#include "net.hpp"
#include "table.hpp"
#include "variant.h"

namespace DPK_VARIANT {
namespace {

template <int ORDER, class T>
int evaluate(const dpk_moments& input, const Arguments<T>& arguments) {
  switch (input.embedding) {
    case DPK_TABLE:
      return run<T, TableEmbedding<T>, ORDER>(input, arguments);
    case DPK_NET:
      return run<T, NetEmbedding<T>, ORDER>(input, arguments);
  }
  return DPK_BAD_INPUT;
}

template <class T>
int moments(const dpk_moments* input, void* out) {
  Arguments<T> a;
  a.moments = static_cast<T*>(out);
  return evaluate<0>(*input, a);
}

template <class T>
int first(const dpk_moments* input, const void* weight, void* slope) {
  Arguments<T> a;
  a.weight = static_cast<const T*>(weight);
  a.slope = static_cast<T*>(slope);
  return evaluate<1>(*input, a);
}

template <class T>
int second(const dpk_moments* input, const void* weight, const void* direction, void* by_displacement,
           void* by_weight) {
  Arguments<T> a;
  a.weight = static_cast<const T*>(weight);
  a.direction = static_cast<const T*>(direction);
  a.slope = static_cast<T*>(by_displacement);
  a.moments = static_cast<T*>(by_weight);
  return evaluate<2>(*input, a);
}

template <class T>
constexpr dpk_kernels kernels() {
  return {moments<T>, first<T>, second<T>};
}

}  // namespace

extern const dpk_variant variant;
const dpk_variant variant = {kernels<double>(), kernels<float>()};

}  // namespace DPK_VARIANT
