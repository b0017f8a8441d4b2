// The C interface of the fused descriptor kernels. Arrays are C-contiguous; no function keeps a pointer.
#pragma once
#include <stdint.h>

#if defined(_WIN32)
#define DPK_API extern "C" __declspec(dllexport)
#else
#define DPK_API extern "C" __attribute__((visibility("default")))
#endif

enum dpk_status { DPK_OK = 0, DPK_NO_MEMORY = 1, DPK_BAD_INPUT = 2 };

// How the embedding of the radial part is evaluated.
enum dpk_embedding { DPK_TABLE = 0, DPK_NET = 1, DPK_SERIES = 2 };

// Terms of a series on an interval: T_0 to T_11.
#define DPK_SERIES_TERMS 12

// Columns of dpk_moments.layout: one row for each block of neighbours, the blocks of a group of centres
// one after another.
enum dpk_layout { DPK_CENTRES, DPK_WIDTH, DPK_PAIR, DPK_FIRST_ROW, DPK_LAYOUT_COLUMNS };

// Columns of dpk_moments.pairs: the settings of a pair of types. A table has two segments, of which the
// second begins where the first ends; a series has one. Positions are in scalars of `data`.
enum dpk_pair {
  DPK_MEAN,                     // of the four components of an environment row
  DPK_SCALE = DPK_MEAN + 4,     // that the rows less their mean are multiplied by
  DPK_INPUT_SCALE = DPK_SCALE + 4,  // that the radial component less its mean is multiplied by for the embedding
  DPK_EMPTY,                    // first row of `empty`
  DPK_EXCLUDED,                 // 1 where the pair does not interact
  DPK_START,                    // position of the first segment, or of the net
  DPK_LOWER,                    // lower end of the segment
  DPK_INVERSE_STRIDE,
  DPK_INTERVALS,
  DPK_START_2,
  DPK_LOWER_2,
  DPK_INVERSE_STRIDE_2,
  DPK_INTERVALS_2,
  DPK_PAIR_COLUMNS = 24
};

// The sum over an atom's neighbours of environment row times embedding,
//     moments[i, c, m] = sum_j R_c(d_ij) G_m(R_0(d_ij)) + empty[..., c, m],
// for all centres of a batch.
typedef struct {
  int64_t blocks;
  int64_t width;                // number of embedding features m
  int64_t embedding;            // dpk_embedding
  int64_t widest;               // of all layers, where the embedding is a net
  double rcut_smth, rcut, protection;
  const int64_t* layout;        // (block, DPK_LAYOUT_COLUMNS)
  const int64_t* const* count;  // for each block the neighbours of its centres, (centre,)
  const double* pairs;          // (pair, DPK_PAIR_COLUMNS)
  int64_t pair_rows, empty_rows;
  const void* data;             // tables, nets or series
  int64_t data_length;          // its scalars
  const void* empty;            // what the empty places of a centre add, (row, 4, width); nothing without rows
  const void* displacement;     // (edge, 3), block after block
} dpk_moments;

// A step of Adam on parameters, whose numbers are in arrays of one length.
typedef struct {
  int64_t length;
  double beta1, beta2;
  double kept_mean, kept_square;  // beta1 and beta2 to the power of the number of steps, this one among them
  double rate, eps;
  const void *vector, *gradient, *mean, *square;
} dpk_adam;

#define DPK_DECLARE(suffix)                                                                          \
  /* moments: (centre, 4, width). */                                                                 \
  DPK_API int dpk_moments_##suffix(const dpk_moments* input, void* moments);                         \
  /* The derivative by the displacements, (edge, 3), of sum(moments * weight); 0 in padding. */      \
  DPK_API int dpk_moments_first_##suffix(const dpk_moments* input, const void* weight, void* slope); \
  /* The derivatives of sum(slope * direction) by displacements and weight. */                       \
  DPK_API int dpk_moments_second_##suffix(const dpk_moments* input, const void* weight,              \
                                          const void* direction, void* by_displacement,              \
                                          void* by_weight);                                          \
  /* Of series alone: the derivative by the data of sum(moments * weight). */                        \
  DPK_API int dpk_moments_learn_##suffix(const dpk_moments* input, const void* weight, void* by_data); \
  /* Of series alone: the derivatives of sum(slope * direction) by weight and data. */               \
  DPK_API int dpk_moments_learn_first_##suffix(const dpk_moments* input, const void* weight,         \
                                               const void* direction, void* by_weight, void* by_data); \
  /* Parameters, mean of the gradient and mean of its square after the step. */                      \
  DPK_API int dpk_adam_##suffix(const dpk_adam* input, void* vector, void* mean, void* square);

DPK_DECLARE(f64)
DPK_DECLARE(f32)

// Changes whenever the interface does.
DPK_API int dpk_interface(void);
// The instruction set in use.
DPK_API const char* dpk_isa(void);
