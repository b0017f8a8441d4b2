// Periodic images, sorted into bins.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <new>
#include <numeric>
#include <vector>

#include "neighbours.h"

namespace neighbours {

using Vector = std::array<double, 3>;

// Thin layers, so that a run of them along a column fits a chord of the cutoff's sphere closely.
constexpr Vector kBinsPerCutoff = {3.0, 3.0, 8.0};
// Along an axis at most: the number of a bin fits an integer however far atoms lie apart.
constexpr double kMostBins = 1 << 20;
// Up to here there is a table of bins; where space is emptier, only occupied bins are held.
constexpr uint64_t kBinsPerImage = 8;
// Integers of twice this size are exact in double precision.
constexpr double kMostTurns = 4503599627370496.0;
// Their numbers are 32 bits wide.
constexpr double kMostImages = 2147483647.0;

// Thrown where a frame cannot be searched exactly.
struct Refused {};

inline double dot(const Vector& a, const Vector& b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

inline Vector cross(const Vector& a, const Vector& b) {
  return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
}

struct Cell {
  std::array<Vector, 3> row;
  std::array<Vector, 3> inverse;  // a position's fraction k is its dot product with inverse[k]
  std::array<bool, 3> periodic;
  bool open;

  explicit Cell(const dpk_frame& frame) {
    for (int k = 0; k < 3; ++k) {
      for (int axis = 0; axis < 3; ++axis) row[k][axis] = frame.cell[3 * k + axis];
      periodic[k] = frame.periodic[k] != 0;
    }
    open = !periodic[0] && !periodic[1] && !periodic[2];
    for (int k = 0; k < 3; ++k) {
      const Vector face = cross(row[(k + 1) % 3], row[(k + 2) % 3]);
      const double volume = dot(row[k], face);
      for (int axis = 0; axis < 3; ++axis) inverse[k][axis] = face[axis] / volume;
    }
  }

  Vector lattice(const Vector& shift) const {
    Vector out;
    for (int axis = 0; axis < 3; ++axis)
      out[axis] = shift[0] * row[0][axis] + shift[1] * row[1][axis] + shift[2] * row[2][axis];
    return out;
  }
};

struct Bounds {
  Vector low, high;

  Bounds() {
    low.fill(std::numeric_limits<double>::infinity());
    high.fill(-std::numeric_limits<double>::infinity());
  }

  void include(const Vector& place) {
    for (int axis = 0; axis < 3; ++axis) {
      low[axis] = std::min(low[axis], place[axis]);
      high[axis] = std::max(high[axis], place[axis]);
    }
  }

  bool contain(const Vector& place, double margin) const {
    for (int axis = 0; axis < 3; ++axis)
      if (place[axis] < low[axis] - margin || place[axis] > high[axis] + margin) return false;
    return true;
  }
};

// An atom moved by lattice vectors.
struct Image {
  Vector place;
  Vector shift;  // from the given coordinates, in lattice vectors
  int32_t atom;
  bool home;     // one of the images that wrapping makes of the atoms: the centres
};

// Makes the images that may lie within the reach of an atom.
class Imaging {
 public:
  Imaging(const dpk_frame& frame, const Cell& cell, double reach)
      : cell_(cell), reach_(reach), wrapped_(frame.atoms), fraction_(frame.atoms) {
    for (int64_t atom = 0; atom < frame.atoms; ++atom) wrap(frame, atom);
  }

  std::vector<Image> images() const {
    std::vector<Image> out;
    out.reserve(wrapped_.size());
    for (size_t atom = 0; atom < wrapped_.size(); ++atom) add(atom, out);
    return out;
  }

 private:
  void wrap(const dpk_frame& frame, int64_t atom) {
    const double* coord = frame.coord + 3 * atom;
    const Vector given = {coord[0], coord[1], coord[2]};
    Vector turn = {0.0, 0.0, 0.0}, &fraction = fraction_[atom];
    for (int k = 0; k < 3; ++k) {
      fraction[k] = dot(given, cell_.inverse[k]);
      if (cell_.periodic[k]) turn[k] = std::floor(fraction[k]);
      if (!(std::abs(turn[k]) < kMostTurns)) throw Refused();
      fraction[k] -= turn[k];
    }
    const Vector back = cell_.lattice(turn);
    Image& image = wrapped_[atom];
    for (int k = 0; k < 3; ++k) {
      image.place[k] = given[k] - back[k];
      image.shift[k] = -turn[k];
    }
    image.atom = int32_t(atom);
    places_.include(image.place);
    fractions_.include(fraction);
  }

  void add(size_t atom, std::vector<Image>& out) const {
    Vector first = {0.0, 0.0, 0.0}, last = {0.0, 0.0, 0.0};
    double most = 1.0;
    for (int k = 0; k < 3; ++k) {
      if (!cell_.periodic[k]) continue;
      const double margin = reach_ * std::sqrt(dot(cell_.inverse[k], cell_.inverse[k]));
      first[k] = std::ceil(fractions_.low[k] - margin - fraction_[atom][k]);
      last[k] = std::floor(fractions_.high[k] + margin - fraction_[atom][k]);
      most *= last[k] - first[k] + 1.0;
    }
    if (!(most < kMostImages)) throw std::bad_alloc();
    for (double a = first[0]; a <= last[0]; ++a)
      for (double b = first[1]; b <= last[1]; ++b)
        for (double c = first[2]; c <= last[2]; ++c) add(wrapped_[atom], {a, b, c}, out);
  }

  void add(Image image, const Vector& shift, std::vector<Image>& out) const {
    const Vector moved = cell_.lattice(shift);
    for (int k = 0; k < 3; ++k) {
      image.place[k] += moved[k];
      image.shift[k] += shift[k];
    }
    image.home = shift == Vector{0.0, 0.0, 0.0};
    if (!image.home && !places_.contain(image.place, reach_)) return;
    if (double(out.size()) >= kMostImages) throw std::bad_alloc();
    out.push_back(image);
  }

  const Cell& cell_;
  double reach_;
  std::vector<Image> wrapped_;
  std::vector<Vector> fraction_;
  Bounds places_, fractions_;
};

// Bins in columns along z, to be compared with those up to `reach` layers away in a column nearby.
struct Column {
  int64_t x, y, reach;
};

// Images sorted by bin.
class Grid {
 public:
  Grid() = default;

  Grid(std::vector<Image>& images, double reach) {
    Bounds bounds;
    for (const Image& image : images) bounds.include(image.place);
    for (int k = 0; k < 3 && !images.empty(); ++k) {
      const double extent = bounds.high[k] - bounds.low[k];
      if (!std::isfinite(extent)) throw Refused();
      width_[k] = std::max(reach / kBinsPerCutoff[k], extent / kMostBins);
      bins_[k] = int64_t(extent / width_[k]) + 1;
    }
    origin_ = bounds.low;
    make_columns(reach);
    sort(images);
  }

  // The bin of a position along each axis.
  std::array<int64_t, 3> bin(const Vector& place) const {
    std::array<int64_t, 3> out;
    for (int k = 0; k < 3; ++k) out[k] = int64_t((place[k] - origin_[k]) / width_[k]);
    return out;
  }

  // Calls visit(first, last) for runs of sorted images that hold all that are within reach.
  template <class Visit>
  void around(const Vector& place, Visit visit) const {
    const auto [x, y, z] = bin(place);
    for (const Column& column : columns_) {
      const int64_t a = x + column.x, b = y + column.y;
      if (a < 0 || a >= bins_[0] || b < 0 || b >= bins_[1]) continue;
      const int64_t bottom = (a * bins_[1] + b) * bins_[2];
      const int64_t first = begin(bottom + std::max<int64_t>(z - column.reach, 0));
      const int64_t last = begin(bottom + std::min(z + column.reach + 1, bins_[2]));
      if (first < last) visit(first, last);
    }
  }

 private:
  void make_columns(double reach) {
    const int64_t x = int64_t(std::ceil(reach / width_[0])), y = int64_t(std::ceil(reach / width_[1]));
    for (int64_t a = -x; a <= x; ++a)
      for (int64_t b = -y; b <= y; ++b) {
        const double gap_x = double(std::max<int64_t>(std::abs(a) - 1, 0)) * width_[0];
        const double gap_y = double(std::max<int64_t>(std::abs(b) - 1, 0)) * width_[1];
        const double square = reach * reach - gap_x * gap_x - gap_y * gap_y;
        const double layers = std::min(std::ceil(std::sqrt(square) / width_[2]), kMostBins);
        if (square >= 0.0) columns_.push_back({a, b, int64_t(layers)});
      }
  }

  void sort(std::vector<Image>& images) {
    struct Keyed {
      uint64_t key;
      int32_t image;
    };
    std::vector<Keyed> keyed(images.size());
    for (size_t k = 0; k < images.size(); ++k) {
      const auto [x, y, z] = bin(images[k].place);
      keyed[k] = {uint64_t((x * bins_[1] + y) * bins_[2] + z), int32_t(k)};
    }
    std::sort(keyed.begin(), keyed.end(), [](const Keyed& a, const Keyed& b) {
      return a.key != b.key ? a.key < b.key : a.image < b.image;
    });
    std::vector<Image> sorted(images.size());
    keys_.resize(images.size());
    for (size_t k = 0; k < images.size(); ++k) {
      sorted[k] = images[keyed[k].image];
      keys_[k] = keyed[k].key;
    }
    images.swap(sorted);
    make_table();
  }

  void make_table() {
    // The product may be too large for an integer, the comparison of doubles is not.
    const double bins = double(bins_[0]) * double(bins_[1]) * double(bins_[2]);
    if (bins > double(kBinsPerImage * keys_.size())) return;
    table_.assign(size_t(bins) + 1, 0);
    for (const uint64_t key : keys_) ++table_[key + 1];
    std::partial_sum(table_.begin(), table_.end(), table_.begin());
  }

  // The first sorted image in a bin or behind it.
  int64_t begin(int64_t key) const {
    if (!table_.empty()) return table_[key];
    return std::lower_bound(keys_.begin(), keys_.end(), uint64_t(key)) - keys_.begin();
  }

  Vector origin_ = {}, width_ = {1.0, 1.0, 1.0};
  std::array<int64_t, 3> bins_ = {1, 1, 1};
  std::vector<Column> columns_;
  std::vector<uint64_t> keys_;
  std::vector<int32_t> table_;
};

}  // namespace neighbours
