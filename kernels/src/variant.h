// What each variant offers to the dispatcher.
#pragma once
#include "kernels.h"

struct dpk_kernels {
  int (*moments)(const dpk_moments*, void*);
  int (*first)(const dpk_moments*, const void*, void*);
  int (*second)(const dpk_moments*, const void*, const void*, void*, void*);
  int (*learn)(const dpk_moments*, const void*, void*);
  int (*learn_first)(const dpk_moments*, const void*, const void*, void*, void*);
  int (*adam)(const dpk_adam*, void*, void*, void*);
};

struct dpk_variant {
  dpk_kernels f64, f32;
};
