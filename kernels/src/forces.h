// The C interface of forces and virials from the derivatives by the displacements.
#pragma once
#include "kernels.h"

typedef struct {
  int64_t blocks;
  int64_t atoms;
  const int64_t* layout;        // (block, DPK_LAYOUT_COLUMNS), of which the pair is not read
  const int64_t* const* count;  // for each block the neighbours of its centres, (centre,)
  const int64_t* const* index;  // for each block the atom of each neighbour, (centre, width)
  const int64_t* place;         // the atom of each centre, by row
  const void* displacement;     // (edge, 3), block after block
  const void* slope;            // the energy's derivative by it, (edge, 3)
} dpk_pulls;

// force (atom, 3): a displacement pulls its two ends with opposite forces. virial (atom, 9): minus slope ⊗
// displacement, booked on the neighbour.
DPK_API int dpk_forces_f64(const dpk_pulls* input, void* force, void* virial);
DPK_API int dpk_forces_f32(const dpk_pulls* input, void* force, void* virial);
