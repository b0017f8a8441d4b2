// Environment rows times embedding, summed over the neighbours of each centre, with first and second derivatives
// and, of embeddings that are linear in their data, those by the data.
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
  if (input.embedding == DPK_SERIES) {
    const double* series = input.pairs + pair * DPK_PAIR_COLUMNS;
    const double start = series[DPK_START], intervals = series[DPK_INTERVALS];
    const double size = intervals * DPK_SERIES_TERMS * double(padded(input.width));
    if (!(start >= 0 && intervals >= 1 && start + size <= double(input.data_length))) return false;
  }
  const double empty = input.pairs[pair * DPK_PAIR_COLUMNS + DPK_EMPTY];
  for (int64_t i = 0; i < row[DPK_CENTRES]; ++i) {
    if (count[i] < 0 || count[i] > width) return false;
    if (input.empty_rows && (empty < 0 || empty + double(count[i]) >= double(input.empty_rows))) return false;
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

// What is computed: the moments, the functions of kernels.h that are named alike.
enum class Job { moments, first, second, learn, learn_first };

// How many derivatives of the embedding by its input that takes.
constexpr int order_of(Job job) {
  return job == Job::second ? 2 : (job == Job::first || job == Job::learn_first ? 1 : 0);
}
constexpr bool learns(Job job) { return job == Job::learn || job == Job::learn_first; }
constexpr bool has_direction(Job job) { return job == Job::second || job == Job::learn_first; }
// Whether there is a result for each centre, and for each edge.
constexpr bool sums_up(Job job) { return job == Job::moments || has_direction(job); }
constexpr bool has_slope(Job job) { return job == Job::first || job == Job::second; }

template <class T>
struct Arguments {
  const T* weight = nullptr;      // but for the moments
  const T* direction = nullptr;   // has_direction
  T* moments = nullptr;           // sums_up: the moments or the derivative by weight
  T* slope = nullptr;             // has_slope
  T* by_data = nullptr;           // learns
};

// What one thread needs to work on a task.
template <class T, class Embedding, Job JOB>
class Worker {
  static constexpr int ORDER = order_of(JOB);

 public:
  Worker(const dpk_moments& input, const Arguments<T>& arguments)
      : input_(input), arguments_(arguments), row_(padded(input.width)),
        sums_(sums_up(JOB) ? kCentres * 4 * row_ : 0),
        weight_(JOB != Job::moments ? kCentres * 4 * row_ : 0),
        scratch_(Embedding::scratch(input, kEdges, ORDER)) {}

  // Derivatives by the data are added to `by_data`.
  void run(const Plan& plan, const Task& task, T* by_data = nullptr) {
    by_data_ = by_data;
    if constexpr (JOB == Job::moments) start(plan, task);
    if constexpr (has_direction(JOB)) std::fill(sums_.begin(), sums_.end(), T(0));
    if constexpr (JOB != Job::moments) fetch_weight(task);
    for (int b = 0; b < task.blocks; ++b) block(plan.blocks[task.first_block + b], task);
    if constexpr (sums_up(JOB)) finish(task);
  }

 private:
  // Sums begin with what the empty places of each centre add.
  void start(const Plan& plan, const Task& task) {
    std::fill(sums_.begin(), sums_.end(), T(0));
    if (!input_.empty_rows) return;
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
      if constexpr (has_slope(JOB)) {
        T* slope = arguments_.slope + 3 * (first + count);
        std::fill(slope, slope + 3 * (block.width - count), T(0));
      }
      for (int64_t k = 0; k < count; ++k) {
        const T* d = static_cast<const T*>(input_.displacement) + 3 * (first + k);
        for (int axis = 0; axis < 3; ++axis) {
          place_[axis][edges] = d[axis];
          if constexpr (has_direction(JOB))
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
    if constexpr (JOB == Job::moments) {
      for (int e = 0; e < edges;) {
        const bool pair = e + 1 < edges && centre_[e] == centre_[e + 1];
        pair ? add<2>(embedding, e) : add<1>(embedding, e);
        e += 1 + pair;
      }
    }
    if constexpr (JOB == Job::first) {
      for (int e = 0; e < edges; ++e) contract(embedding.template row<1>(e), e);
      slopes(edges);
    }
    if constexpr (JOB == Job::second)
      for (int e = 0; e < edges; ++e) second(embedding.template row<2>(e), e);
    if constexpr (JOB == Job::learn)
      for (int e = 0; e < edges; ++e) learn(embedding.template row<0>(e), e);
    if constexpr (JOB == Job::learn_first)
      for (int e = 0; e < edges; ++e) learn_first(embedding.template row<1>(e), e);
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

  // A component of an edge, with its change in the given direction.
  inline Dual<T> along(int axis, int e) const { return {place_[axis][e], direction_[axis][e]}; }

  template <class Row>
  inline void second(const Row& row, int e) {
    using D = Dual<T>;
    using V = typename Simd<T>::V;
    contract(row, e);
    const D x = along(0, e), y = along(1, e), z = along(2, e);
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

  template <class Row>
  inline void learn(const Row& row, int e) {
    using V = typename Simd<T>::V;
    const T* weight = weight_.data() + centre_[e] * 4 * row_;
    for (int64_t m = 0; m < row_; m += Simd<T>::lanes) {
      V slope[1] = {};
#pragma GCC unroll 4
      for (int c = 0; c < 4; ++c) slope[0] += load(weight + c * row_ + m) * rows_[c][e];
      row.spread_chunk(m, slope, by_data_);
    }
  }

  template <class Row>
  inline void learn_first(const Row& row, int e) {
    using V = typename Simd<T>::V;
    const auto edge = environment<Dual<T>>(along(0, e), along(1, e), along(2, e), settings_);
    const T* weight = weight_.data() + centre_[e] * 4 * row_;
    T *sums = sums_.data() + centre_[e] * 4 * row_, change[4], moved[4];
    for (int c = 0; c < 4; ++c) {
      change[c] = edge.row[c].b;
      moved[c] = edge.input.b * edge.row[c].a;
    }
    for (int64_t m = 0; m < row_; m += Simd<T>::lanes) {
      V g[2], slope[2] = {};
      row.load_chunk(m, g);
#pragma GCC unroll 4
      for (int c = 0; c < 4; ++c) {
        const V w = once<T>(load(weight + c * row_ + m));
        T* s = sums + c * row_ + m;
        store(s, load(s) + g[0] * change[c] + g[1] * moved[c]);
        slope[0] += w * change[c];
        slope[1] += w * moved[c];
      }
      row.spread_chunk(m, slope, by_data_);
    }
  }

  const dpk_moments& input_;
  const Arguments<T> arguments_;
  const int64_t row_;
  Scratch<T> sums_, weight_, scratch_;
  T* by_data_ = nullptr;
  Settings<T> settings_;
  int64_t edge_[kEdges];
  int centre_[kEdges];
  T place_[3][kEdges], direction_[3][kEdges], inputs_[kEdges], rows_[4][kEdges], slope_[3][kEdges];
  T products_[ORDER + 1][4][kEdges];
};

template <class T, class Embedding, Job JOB>
std::unique_ptr<Worker<T, Embedding, JOB>> worker(const dpk_moments& input, const Arguments<T>& arguments) {
  try {
    return std::make_unique<Worker<T, Embedding, JOB>>(input, arguments);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

// In how many parts derivatives by the data are summed up, whatever the number of threads: each part has as much
// memory as the data, which is to be little beside its work.
inline int64_t parts_of(const dpk_moments& input, const Plan& work) {
  constexpr int64_t most = 16, least_edges = 4;
  int64_t edges = 0;
  for (int64_t b = 0; b < input.blocks; ++b) {
    const int64_t* row = input.layout + b * DPK_LAYOUT_COLUMNS;
    for (int64_t i = 0; i < row[DPK_CENTRES]; ++i) edges += input.count[b][i];
  }
  const int64_t rows = input.data_length / padded(input.width) + 1;
  const int64_t worth = std::clamp<int64_t>(edges / (least_edges * rows), 1, most);
  return std::clamp<int64_t>(int64_t(work.tasks.size()), 1, worth);
}

template <class T, class Embedding, Job JOB>
bool learn_all(const dpk_moments& input, const Arguments<T>& arguments, const Plan& work) {
  bool enough = true;
  const int64_t tasks = int64_t(work.tasks.size()), parts = parts_of(input, work), n = input.data_length;
  // The first part is summed up in place.
  std::vector<Scratch<T>> others(parts - 1);
  std::fill(arguments.by_data, arguments.by_data + n, T(0));
#pragma omp parallel if (parts > 1 && dpk_may_thread()) reduction(&& : enough)
  {
    const auto mine = worker<T, Embedding, JOB>(input, arguments);
    enough = mine != nullptr;
#pragma omp for schedule(dynamic, 1)
    for (int64_t part = 0; part < parts; ++part) {
      T* sum = arguments.by_data;
      try {
        if (part) {
          others[part - 1].assign(n, T(0));
          sum = others[part - 1].data();
        }
      } catch (const std::bad_alloc&) {
        enough = false;
      }
      for (int64_t i = part * tasks / parts; enough && i < (part + 1) * tasks / parts; ++i)
        mine->run(work, work.tasks[i], sum);
    }
#pragma omp for schedule(static)
    for (int64_t i = 0; i < n; ++i)
      for (const auto& other : others)
        if (int64_t(other.size()) == n) arguments.by_data[i] += other[i];
  }
  return enough;
}

template <class T, class Embedding, Job JOB>
bool evaluate_all(const dpk_moments& input, const Arguments<T>& arguments, const Plan& work) {
  bool enough = true;
  const int64_t tasks = int64_t(work.tasks.size());
#pragma omp parallel if (tasks > 1 && dpk_may_thread()) reduction(&& : enough)
  {
    const auto mine = worker<T, Embedding, JOB>(input, arguments);
    enough = mine != nullptr;
#pragma omp for schedule(dynamic, 1)
    for (int64_t i = 0; i < tasks; ++i)
      if (mine) mine->run(work, work.tasks[i]);
  }
  return enough;
}

template <class T, class Embedding, Job JOB>
int run(const dpk_moments& input, const Arguments<T>& arguments) {
  try {
    const Plan work = plan(input);
    bool enough;
    if constexpr (learns(JOB))
      enough = learn_all<T, Embedding, JOB>(input, arguments, work);
    else
      enough = evaluate_all<T, Embedding, JOB>(input, arguments, work);
    return enough ? DPK_OK : DPK_NO_MEMORY;
  } catch (const std::bad_alloc&) {
    return DPK_NO_MEMORY;
  } catch (const std::invalid_argument&) {
    return DPK_BAD_INPUT;
  }
}

}  // namespace DPK_VARIANT
