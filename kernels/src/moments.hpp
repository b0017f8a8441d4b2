// Environment rows times embedding, summed over the neighbours of each centre, with first and second derivatives.
#pragma once
#include <algorithm>
#include <memory>
#include <new>
#include <stdexcept>
#include <vector>

#include "environment.hpp"
#include "kernels.h"
#include "threads.h"
#include "vector.hpp"

namespace DPK_VARIANT {

constexpr int kCentres = 8;  // centres that a thread works on at a time

struct Block {
  int64_t width, first_edge;
  const double* pair;
  const int64_t* count;
};

// Some centres of one type, with the blocks of their neighbours.
struct Task {
  int64_t first_centre, centres, first_row;
  int first_block, blocks;
};

struct Plan {
  std::vector<Block> blocks;
  std::vector<Task> tasks;
};

// Counts and pairs come from outside: what would reach beyond an array is refused.
inline bool usable(const dpk_moments& input, const int64_t* row, const int64_t* count) {
  const int64_t pair = row[DPK_PAIR], width = row[DPK_WIDTH];
  if (pair < 0 || pair >= input.pair_rows || width < 0 || row[DPK_CENTRES] < 0) return false;
  const double empty = input.pairs[pair * DPK_PAIR_COLUMNS + DPK_EMPTY];
  for (int64_t i = 0; i < row[DPK_CENTRES]; ++i) {
    if (count[i] < 0 || count[i] > width) return false;
    if (input.empty && (empty < 0 || empty + double(count[i]) >= double(input.empty_rows))) return false;
  }
  return true;
}

inline Plan plan(const dpk_moments& input) {
  Plan out;
  int64_t edge = 0;
  for (int64_t b = 0; b < input.blocks;) {
    const int64_t* row = input.layout + b * DPK_LAYOUT_COLUMNS;
    const int64_t centres = row[DPK_CENTRES], first_row = row[DPK_FIRST_ROW];
    const int first_block = int(b);
    for (; b < input.blocks; ++b) {
      row = input.layout + b * DPK_LAYOUT_COLUMNS;
      if (row[DPK_CENTRES] != centres || row[DPK_FIRST_ROW] != first_row) break;
      if (!usable(input, row, input.count[b])) throw std::invalid_argument("layout");
      out.blocks.push_back(
          {row[DPK_WIDTH], edge, input.pairs + row[DPK_PAIR] * DPK_PAIR_COLUMNS, input.count[b]});
      edge += centres * row[DPK_WIDTH];
    }
    for (int64_t i = 0; i < centres; i += kCentres)
      out.tasks.push_back({i, std::min<int64_t>(kCentres, centres - i), first_row + i, first_block,
                           int(b) - first_block});
  }
  return out;
}

template <class T>
struct Arguments {
  const T* weight = nullptr;      // ORDER > 0
  const T* direction = nullptr;   // ORDER > 1
  T* moments = nullptr;           // ORDER 0: the result; ORDER 2: the derivative by weight
  T* slope = nullptr;             // ORDER > 0
};

// What one thread needs to work on a task.
template <class T, class Embedding, int ORDER>
class Worker {
 public:
  Worker(const dpk_moments& input, const Arguments<T>& arguments)
      : input_(input), arguments_(arguments), row_(padded(input.width)),
        sums_(ORDER != 1 ? kCentres * 4 * row_ : 0), weight_(ORDER ? kCentres * 4 * row_ : 0),
        scratch_(Embedding::scratch(input, kEdges, ORDER)) {}

  void run(const Plan& plan, const Task& task) {
    if constexpr (ORDER == 0) start(plan, task);
    if constexpr (ORDER == 2) std::fill(sums_.begin(), sums_.end(), T(0));
    if constexpr (ORDER > 0) fetch_weight(task);
    for (int b = 0; b < task.blocks; ++b) block(plan.blocks[task.first_block + b], task);
    if constexpr (ORDER != 1) finish(task);
  }

 private:
  // Sums begin with what the empty places of each centre add.
  void start(const Plan& plan, const Task& task) {
    std::fill(sums_.begin(), sums_.end(), T(0));
    if (!input_.empty) return;
    const int64_t n = input_.width;
    for (int b = 0; b < task.blocks; ++b) {
      const Block& block = plan.blocks[task.first_block + b];
      for (int64_t i = 0; i < task.centres; ++i) {
        const int64_t place = int64_t(block.pair[DPK_EMPTY]) + block.count[task.first_centre + i];
        const T* from = static_cast<const T*>(input_.empty) + place * 4 * n;
        T* to = sums_.data() + i * 4 * row_;
        for (int c = 0; c < 4; ++c)
          for (int64_t m = 0; m < n; ++m) to[c * row_ + m] += from[c * n + m];
      }
    }
  }

  void fetch_weight(const Task& task) {
    const int64_t n = input_.width;
    for (int64_t i = 0; i < task.centres * 4; ++i) {
      const T* from = arguments_.weight + (task.first_row * 4 + i) * n;
      std::copy(from, from + n, weight_.data() + i * row_);
    }
  }

  void finish(const Task& task) {
    const int64_t n = input_.width;
    for (int64_t i = 0; i < task.centres * 4; ++i) {
      const T* from = sums_.data() + i * row_;
      std::copy(from, from + n, arguments_.moments + (task.first_row * 4 + i) * n);
    }
  }

  void block(const Block& block, const Task& task) {
    const double* pair = block.pair;
    const bool excluded = pair[DPK_EXCLUDED] != 0;
    settings_.rcut_smth = T(input_.rcut_smth);
    settings_.inverse_range = T(1.0 / (input_.rcut - input_.rcut_smth));
    settings_.protection = T(input_.protection);
    for (int c = 0; c < 4; ++c) {
      settings_.mean[c] = T(pair[DPK_MEAN + c]);
      settings_.scale[c] = T(pair[DPK_SCALE + c]);
    }
    settings_.input_scale = T(pair[DPK_INPUT_SCALE]);
    Embedding embedding(input_, pair, scratch_.data());
    int edges = 0;
    for (int64_t i = 0; i < task.centres; ++i) {
      const int64_t count = excluded ? 0 : block.count[task.first_centre + i];
      const int64_t first = block.first_edge + (task.first_centre + i) * block.width;
      if constexpr (ORDER > 0) {
        T* slope = arguments_.slope + 3 * (first + count);
        std::fill(slope, slope + 3 * (block.width - count), T(0));
      }
      for (int64_t k = 0; k < count; ++k) {
        const T* d = static_cast<const T*>(input_.displacement) + 3 * (first + k);
        for (int axis = 0; axis < 3; ++axis) {
          place_[axis][edges] = d[axis];
          if constexpr (ORDER > 1)
            direction_[axis][edges] = arguments_.direction[3 * (first + k) + axis];
        }
        edge_[edges] = first + k;
        centre_[edges] = int(i);
        if (++edges == kEdges) {
          tile(embedding, edges);
          edges = 0;
        }
      }
    }
    if (edges) tile(embedding, edges);
  }

  void tile(Embedding& embedding, int edges) {
    for (int e = 0; e < edges; ++e) {
      const auto edge = environment<T>(place_[0][e], place_[1][e], place_[2][e], settings_);
      inputs_[e] = edge.input;
      for (int c = 0; c < 4; ++c) rows_[c][e] = edge.row[c];
    }
    embedding.template prepare<ORDER>(inputs_, edges);
    if constexpr (ORDER == 0) {
      for (int e = 0; e < edges;) {
        const bool pair = e + 1 < edges && centre_[e] == centre_[e + 1];
        pair ? add<2>(embedding, e) : add<1>(embedding, e);
        e += 1 + pair;
      }
    }
    if constexpr (ORDER == 1) {
      for (int e = 0; e < edges; ++e) contract(embedding.template row<1>(e), e);
      slopes(edges);
    }
    if constexpr (ORDER == 2)
      for (int e = 0; e < edges; ++e) second(embedding.template row<2>(e), e);
  }

  // Add edges of one centre: sums are fetched and put back once for all of them.
  template <int EDGES>
  inline void add(const Embedding& embedding, int first) {
    using V = typename Simd<T>::V;
    const int64_t n = row_;
    T* sums = sums_.data() + centre_[first] * 4 * n;
    decltype(embedding.template row<0>(0)) row[EDGES];
    T r[4][EDGES];
    for (int e = 0; e < EDGES; ++e) {
      row[e] = embedding.template row<0>(first + e);
      for (int c = 0; c < 4; ++c) r[c][e] = rows_[c][first + e];
    }
    for (int64_t m = 0; m < n; m += Simd<T>::lanes) {
      V g[EDGES][1];
#pragma GCC unroll 4
      for (int e = 0; e < EDGES; ++e) row[e].load_chunk(m, g[e]);
#pragma GCC unroll 4
      for (int c = 0; c < 4; ++c) {
        V total = load(sums + c * n + m);
#pragma GCC unroll 4
        for (int e = 0; e < EDGES; ++e) total += g[e][0] * r[c][e];
        store(sums + c * n + m, total);
      }
    }
  }

  // Leave sum_m weight[c, m] G_m and its derivatives by the input for each c in products_.
  template <class Row>
  inline void contract(const Row& row, int e) {
    using V = typename Simd<T>::V;
    const int64_t n = row_;
    const T* weight = weight_.data() + centre_[e] * 4 * n;
    V total[ORDER + 1][4] = {};
    for (int64_t m = 0; m < n; m += Simd<T>::lanes) {
      V g[ORDER + 1];
      row.load_chunk(m, g);
#pragma GCC unroll 4
      for (int c = 0; c < 4; ++c) {
        const V w = once<T>(load(weight + c * n + m));
#pragma GCC unroll 3
        for (int k = 0; k <= ORDER; ++k) total[k][c] += w * g[k];
      }
    }
    for (int k = 0; k <= ORDER; ++k)
      for (int c = 0; c < 4; ++c) products_[k][c][e] = sum<T>(total[k][c]);
  }

  void slopes(int edges) {
#pragma omp simd
    for (int e = 0; e < edges; ++e) {
      const T x = place_[0][e], y = place_[1][e], z = place_[2][e];
      const auto edge = environment<T>(x, y, z, settings_);
      const T a[4] = {products_[0][0][e], products_[0][1][e], products_[0][2][e], products_[0][3][e]};
      const T b[4] = {products_[1][0][e], products_[1][1][e], products_[1][2][e], products_[1][3][e]};
      T out[3];
      gradient<T>(x, y, z, edge, a, b, settings_, out);
      for (int axis = 0; axis < 3; ++axis) slope_[axis][e] = out[axis];
    }
    for (int e = 0; e < edges; ++e)
      for (int axis = 0; axis < 3; ++axis) arguments_.slope[3 * edge_[e] + axis] = slope_[axis][e];
  }

  template <class Row>
  inline void second(const Row& row, int e) {
    using D = Dual<T>;
    using V = typename Simd<T>::V;
    contract(row, e);
    const D x(place_[0][e], direction_[0][e]), y(place_[1][e], direction_[1][e]),
        z(place_[2][e], direction_[2][e]);
    const auto edge = environment<D>(x, y, z, settings_);
    D a[4], b[4], out[3];
    for (int c = 0; c < 4; ++c) {
      const T first = products_[1][c][e];
      a[c] = D(products_[0][c][e], first * edge.input.b);
      b[c] = D(first, products_[ORDER][c][e] * edge.input.b);
    }
    gradient<D>(x, y, z, edge, a, b, settings_, out);
    for (int axis = 0; axis < 3; ++axis) arguments_.slope[3 * edge_[e] + axis] = out[axis].b;
    T* sums = sums_.data() + centre_[e] * 4 * row_;
    for (int64_t m = 0; m < row_; m += Simd<T>::lanes) {
      V g[ORDER + 1];
      row.load_chunk(m, g);
      for (int c = 0; c < 4; ++c) {
        T* s = sums + c * row_ + m;
        store(s, load(s) + g[0] * edge.row[c].b + g[1] * (edge.input.b * edge.row[c].a));
      }
    }
  }

  const dpk_moments& input_;
  const Arguments<T> arguments_;
  const int64_t row_;
  Scratch<T> sums_, weight_, scratch_;
  Settings<T> settings_;
  int64_t edge_[kEdges];
  int centre_[kEdges];
  T place_[3][kEdges], direction_[3][kEdges], inputs_[kEdges], rows_[4][kEdges], slope_[3][kEdges];
  T products_[ORDER + 1][4][kEdges];
};

template <class T, class Embedding, int ORDER>
std::unique_ptr<Worker<T, Embedding, ORDER>> worker(const dpk_moments& input, const Arguments<T>& arguments) {
  try {
    return std::make_unique<Worker<T, Embedding, ORDER>>(input, arguments);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

template <class T, class Embedding, int ORDER>
int run(const dpk_moments& input, const Arguments<T>& arguments) {
  bool enough = true;
  try {
    const Plan work = plan(input);
    const int64_t tasks = int64_t(work.tasks.size());
#pragma omp parallel if (tasks > 1 && dpk_may_thread()) reduction(&& : enough)
    {
      const auto mine = worker<T, Embedding, ORDER>(input, arguments);
      enough = mine != nullptr;
#pragma omp for schedule(dynamic, 1)
      for (int64_t i = 0; i < tasks; ++i)
        if (mine) mine->run(work, work.tasks[i]);
    }
  } catch (const std::bad_alloc&) {
    enough = false;
  } catch (const std::invalid_argument&) {
    return DPK_BAD_INPUT;
  }
  return enough ? DPK_OK : DPK_NO_MEMORY;
}

}  // namespace DPK_VARIANT
