// Forces and virials. Each thread owns a range of atoms and adds up what belongs to them, so that no two write
// to the same place and sums do not depend on the number of threads.
#include "forces.h"

#include <algorithm>

#include "threads.h"

#ifdef _OPENMP
#include <omp.h>
#endif

namespace {

// Below this many atoms a second thread costs more than it saves.
constexpr int64_t kFew = 128;

template <class T>
class Range {
 public:
  Range(const dpk_pulls& input, int64_t first, int64_t last, T* force, T* virial)
      : input_(input), first_(first), last_(last), force_(force), virial_(virial) {}

  void run() const {
    std::fill(force_ + 3 * first_, force_ + 3 * last_, T(0));
    std::fill(virial_ + 9 * first_, virial_ + 9 * last_, T(0));
    int64_t edge = 0;
    for (int64_t b = 0; b < input_.blocks; ++b) {
      const int64_t* row = input_.layout + b * DPK_LAYOUT_COLUMNS;
      block(b, row[DPK_CENTRES], row[DPK_WIDTH], row[DPK_FIRST_ROW], edge);
      edge += row[DPK_CENTRES] * row[DPK_WIDTH];
    }
  }

 private:
  bool owns(int64_t atom) const { return atom >= first_ && atom < last_; }

  void block(int64_t b, int64_t centres, int64_t width, int64_t first_row, int64_t edge) const {
    const T* slope = static_cast<const T*>(input_.slope);
    const T* displacement = static_cast<const T*>(input_.displacement);
    for (int64_t i = 0; i < centres; ++i) {
      const int64_t centre = input_.place[first_row + i], count = input_.count[b][i];
      const int64_t* index = input_.index[b] + i * width;
      const T* g = slope + 3 * (edge + i * width);
      const T* d = displacement + 3 * (edge + i * width);
      if (owns(centre)) {
        T pull[3] = {0, 0, 0};
        for (int64_t k = 0; k < count; ++k)
          for (int a = 0; a < 3; ++a) pull[a] += g[3 * k + a];
        for (int a = 0; a < 3; ++a) force_[3 * centre + a] += pull[a];
      }
      for (int64_t k = 0; k < count; ++k)
        if (owns(index[k])) book(index[k], g + 3 * k, d + 3 * k);
    }
  }

  void book(int64_t atom, const T* g, const T* d) const {
    T *force = force_ + 3 * atom, *virial = virial_ + 9 * atom;
    for (int a = 0; a < 3; ++a) {
      force[a] -= g[a];
      for (int c = 0; c < 3; ++c) virial[3 * a + c] -= g[a] * d[c];
    }
  }

  const dpk_pulls& input_;
  const int64_t first_, last_;
  T *force_, *virial_;
};

template <class T>
int forces(const dpk_pulls* input, void* force, void* virial) {
  const int64_t atoms = input->atoms;
  T *f = static_cast<T*>(force), *v = static_cast<T*>(virial);
#ifdef _OPENMP
#pragma omp parallel if (atoms >= kFew && dpk_may_thread())
  {
    const int64_t threads = omp_get_num_threads(), mine = omp_get_thread_num();
    Range<T>(*input, atoms * mine / threads, atoms * (mine + 1) / threads, f, v).run();
  }
#else
  Range<T>(*input, 0, atoms, f, v).run();
#endif
  return DPK_OK;
}

}  // namespace

int dpk_forces_f64(const dpk_pulls* input, void* force, void* virial) {
  return forces<double>(input, force, virial);
}

int dpk_forces_f32(const dpk_pulls* input, void* force, void* virial) {
  return forces<float>(input, force, virial);
}
