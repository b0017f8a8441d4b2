// The C interface of the neighbour search. Arrays are C-contiguous.
#pragma once
#include "kernels.h"

// A frame, and the neighbours that a model asks for: of all neighbours the nearest `total`, and of these the
// nearest sel of each type.
typedef struct {
  int64_t atoms;
  int64_t types;
  int64_t total;
  double cutoff;
  const double* coord;      // (atom, 3)
  const int64_t* type;      // (atom,)
  const double* cell;       // (3, 3), lattice vectors in rows; it has a volume
  const uint8_t* periodic;  // (3,), whether each lattice vector is a period
  const int64_t* sel;       // (type,)
  const uint8_t* allowed;   // (type, type), whether the second may be a neighbour of the first
} dpk_frame;

// What a search found besides neighbours.
typedef struct {
  int64_t overfull;   // the largest number of neighbours beyond sel
  int64_t centre;     // the first atom that has another at its place, -1 if there is none
  int64_t neighbour;  // the first of those others
} dpk_finding;

typedef struct dpk_search dpk_search;

// Counts the neighbours, (atom, type). The frame's arrays stay in use until the search is closed; there is
// nothing to close where the result is not DPK_OK. DPK_BAD_INPUT: types that do not exist, or coordinates so
// far away that images cannot be counted exactly.
DPK_API int dpk_search_open(const dpk_frame* frame, dpk_search** search, int64_t* count,
                            dpk_finding* finding);
// Writes the neighbours of centre c and type t to the rows from start[c * types + t] to the next start, as
// many as were counted, sorted by distance, neighbour and displacement: neighbour (row,), displacement (row, 3).
DPK_API void dpk_search_write(const dpk_search* search, const int64_t* start, int32_t* neighbour,
                              double* displacement);
DPK_API void dpk_search_close(dpk_search* search);

// The neighbours of one type around some centres, to be laid out in equally long rows.
typedef struct {
  int64_t members;
  int64_t rows;    // at least `members`; those beyond are padding
  int64_t width;   // at least the largest number of neighbours
  int64_t types;
  int64_t type;    // of the neighbours
  double cutoff;   // length of the displacements in padding
  const int64_t* member;       // (member,), the centres
  const int64_t* start;        // as for dpk_search_write, (centre * type + 1,)
  const int32_t* neighbour;    // (edge,)
  const double* displacement;  // (edge, 3)
} dpk_block;

// displacement (row, width, 3), index (row, width), count (row,).
DPK_API void dpk_block_fill_f64(const dpk_block* block, double* displacement, int64_t* index,
                                int64_t* count);
DPK_API void dpk_block_fill_f32(const dpk_block* block, float* displacement, int64_t* index,
                                int64_t* count);
