// Neighbours by a cell list over explicit periodic images.
//
// What decides whether two atoms are neighbours, and in what order, is computed with the operations of the
// NumPy search in its order, so that the results are equal to the last bit.
#include "neighbours.h"
#include "threads.h"

#include <exception>
#include <memory>

#include "neighbours_grid.hpp"

namespace {

using namespace neighbours;

// Added to the cutoff of the search, relative to the largest length, so that no rounding loses neighbours.
constexpr double kMargin = 1e-12;
// Centres that a thread takes at a time.
constexpr int kCentres = 32;
// Below this, waking other threads takes longer than they save: centres to search around, centres to write
// the neighbours of, neighbours to lay out.
constexpr int64_t kSearched = 128, kWritten = 512, kFilled = 65536;

double largest(const double* values, int64_t size) {
  double out = 0.0;
  for (int64_t k = 0; k < size; ++k) out = std::max(out, std::abs(values[k]));
  return out;
}

struct Edge {
  double distance;
  int32_t image, type;
};

// What a thread works with.
struct Scratch {
  std::vector<int32_t> near;
  std::vector<Edge> edges, sorted;
  std::vector<int64_t> ends;
  std::vector<int32_t> buckets;
  dpk_finding finding = {0, -1, -1};
};

void merge(dpk_finding& all, const dpk_finding& one) {
  all.overfull = std::max(all.overfull, one.overfull);
  if (one.centre >= 0 && (all.centre < 0 || one.centre < all.centre)) {
    all.centre = one.centre;
    all.neighbour = one.neighbour;
  } else if (one.centre >= 0 && one.centre == all.centre) {
    all.neighbour = std::min(all.neighbour, one.neighbour);
  }
}

}  // namespace

struct dpk_search {
 public:
  explicit dpk_search(const dpk_frame& frame)
      : frame_(frame), cell_(frame),
        reach_(frame.cutoff + kMargin * (frame.cutoff + largest(frame.coord, 3 * frame.atoms) +
                                         largest(frame.cell, 9))),
        kept_(size_t((frame.atoms + kCentres - 1) / kCentres)) {
    for (int64_t atom = 0; atom < frame.atoms; ++atom)
      if (frame.type[atom] < 0 || frame.type[atom] >= frame.types) throw Refused();
    std::vector<Image> images = Imaging(frame, cell_, reach_).images();
    grid_ = Grid(images, reach_);
    store(images);
  }

  int find(int64_t* count, dpk_finding* finding) {
    *finding = {0, -1, -1};
    int status = DPK_OK;
#pragma omp parallel if (frame_.atoms >= kSearched && dpk_may_thread())
    {
      Scratch scratch;
#pragma omp for schedule(dynamic)
      for (int64_t part = 0; part < int64_t(kept_.size()); ++part) {
        try {
          find(part, scratch, count);
        } catch (const std::exception&) {
#pragma omp atomic write
          status = DPK_NO_MEMORY;
        }
      }
#pragma omp critical
      merge(*finding, scratch.finding);
    }
    return status;
  }

  void write(const int64_t* start, int32_t* neighbour, double* displacement) const {
#pragma omp parallel for schedule(dynamic) if (frame_.atoms >= kWritten && dpk_may_thread())
    for (int64_t part = 0; part < int64_t(kept_.size()); ++part) {
      const int32_t* image = kept_[part].data();
      for (int64_t k = part * kCentres; k < end(part); ++k) {
        const int64_t centre = atom_[home_[k]] * frame_.types;
        for (int64_t row = start[centre]; row < start[centre + frame_.types]; ++row, ++image) {
          const Vector away = step(home_[k], *image);
          neighbour[row] = atom_[*image];
          std::copy(away.begin(), away.end(), displacement + 3 * row);
        }
      }
    }
  }

 private:
  // Orders the neighbours of a centre.
  struct Nearer {
    const dpk_search& search;
    int32_t centre;

    bool operator()(const Edge& a, const Edge& b) const {
      if (a.distance != b.distance) return a.distance < b.distance;
      const int32_t atom_a = search.atom_[a.image], atom_b = search.atom_[b.image];
      if (atom_a != atom_b) return atom_a < atom_b;
      return search.step(centre, a.image) < search.step(centre, b.image);
    }
  };

  void store(const std::vector<Image>& images) {
    for (auto& axis : place_) axis.reserve(images.size());
    shift_.reserve(images.size());
    atom_.reserve(images.size());
    home_.reserve(size_t(frame_.atoms));
    for (const Image& image : images) {
      if (image.home) home_.push_back(int32_t(atom_.size()));
      for (int k = 0; k < 3; ++k) place_[k].push_back(image.place[k]);
      shift_.push_back(image.shift);
      atom_.push_back(image.atom);
    }
  }

  int64_t end(int64_t part) const { return std::min((part + 1) * kCentres, frame_.atoms); }

  void find(int64_t part, Scratch& scratch, int64_t* count) {
    for (int64_t k = part * kCentres; k < end(part); ++k) {
      const Nearer nearer = {*this, home_[k]};
      const int64_t centre = atom_[home_[k]];
      collect(home_[k], scratch);
      select(centre, nearer, scratch, count + centre * frame_.types);
      keep(nearer, count + centre * frame_.types, scratch, kept_[part]);
    }
  }

  // Puts all neighbours of a centre, an image of shift 0, into scratch.edges.
  void collect(int32_t centre, Scratch& scratch) const {
    const Vector here = {place_[0][centre], place_[1][centre], place_[2][centre]};
    const double limit = reach_ * reach_;
    size_t size = 0;
    grid_.around(here, [&](int64_t first, int64_t last) {
      const size_t most = size + size_t(last - first);
      if (scratch.near.size() < most) scratch.near.resize(2 * most);
      int32_t* near = scratch.near.data();
      for (int64_t k = first; k < last; ++k) {
        const double x = place_[0][k] - here[0], y = place_[1][k] - here[1], z = place_[2][k] - here[2];
        near[size] = int32_t(k);
        size += x * x + y * y + z * z <= limit;
      }
    });
    scratch.edges.resize(size);
    size_t edges = 0;
    for (size_t k = 0; k < size; ++k) {
      const int32_t image = scratch.near[k];
      const Vector away = step(centre, image);
      const double distance = std::sqrt(away[0] * away[0] + away[1] * away[1] + away[2] * away[2]);
      scratch.edges[edges] = {distance, image, int32_t(frame_.type[atom_[image]])};
      edges += distance < frame_.cutoff && image != centre;
    }
    scratch.edges.resize(edges);
  }

  // The displacement from a centre to an image.
  Vector step(int32_t centre, int32_t image) const {
    const double* from = frame_.coord + 3 * int64_t(atom_[centre]);
    const double* to = frame_.coord + 3 * int64_t(atom_[image]);
    Vector out;
    for (int k = 0; k < 3; ++k) out[k] = to[k] - from[k];
    if (cell_.open) return out;
    Vector shift;
    for (int k = 0; k < 3; ++k) shift[k] = shift_[image][k] - shift_[centre][k];
    const Vector moved = cell_.lattice(shift);
    for (int k = 0; k < 3; ++k) out[k] += moved[k];
    return out;
  }

  // Counts the neighbours of each type to keep.
  void select(int64_t centre, const Nearer& nearer, Scratch& scratch, int64_t* count) const {
    std::fill(count, count + frame_.types, 0);
    for (const Edge& edge : scratch.edges) {
      ++count[edge.type];
      if (edge.distance == 0.0) merge(scratch.finding, {0, centre, atom_[edge.image]});
    }
    const int64_t* sel = frame_.sel;
    const uint8_t* allowed = frame_.allowed + frame_.type[centre] * frame_.types;
    int64_t& overfull = scratch.finding.overfull;
    for (int64_t t = 0; t < frame_.types; ++t)
      if (allowed[t]) overfull = std::max(overfull, count[t] - sel[t]);
    const int64_t room = frame_.total;
    const int64_t all = int64_t(scratch.edges.size());
    if (all > room) std::sort(scratch.edges.begin(), scratch.edges.end(), nearer);
    for (int64_t k = room; k < all; ++k) {
      const int32_t type = scratch.edges[k].type;
      --count[type];
      if (allowed[type]) overfull = std::max(overfull, k + 1 - room);
    }
    for (int64_t t = 0; t < frame_.types; ++t) count[t] = allowed[t] ? std::min(count[t], sel[t]) : 0;
  }

  // Appends the nearest neighbours of each type, as many as are to be kept.
  void keep(const Nearer& nearer, const int64_t* count, Scratch& scratch,
            std::vector<int32_t>& kept) const {
    sort_by_type(scratch);
    int64_t first = 0;
    for (int64_t t = 0; t < frame_.types; ++t) {
      const int64_t last = scratch.ends[t];
      if (count[t]) sort(scratch.sorted.data() + first, last - first, nearer, scratch);
      for (int64_t k = first; k < first + count[t]; ++k) kept.push_back(scratch.sorted[k].image);
      first = last;
    }
  }

  void sort_by_type(Scratch& scratch) const {
    scratch.ends.assign(size_t(frame_.types) + 1, 0);
    for (const Edge& edge : scratch.edges) ++scratch.ends[edge.type + 1];
    std::partial_sum(scratch.ends.begin(), scratch.ends.end(), scratch.ends.begin());
    scratch.sorted.resize(scratch.edges.size());
    for (const Edge& edge : scratch.edges) scratch.sorted[scratch.ends[edge.type]++] = edge;
  }

  // Sorts by distance: into shells of equal volume, which hold about one neighbour each, and within these.
  void sort(Edge* edges, int64_t size, const Nearer& nearer, Scratch& scratch) const {
    const auto shell = [&](const Edge& edge) {
      const double part = edge.distance / frame_.cutoff;
      return std::min(int64_t(part * part * part * double(size)), size - 1);
    };
    std::vector<int32_t>& ends = scratch.buckets;
    ends.assign(size_t(size) + 1, 0);
    scratch.edges.assign(edges, edges + size);
    for (const Edge& edge : scratch.edges) ++ends[shell(edge) + 1];
    std::partial_sum(ends.begin(), ends.end(), ends.begin());
    for (const Edge& edge : scratch.edges) edges[ends[shell(edge)]++] = edge;
    for (int64_t k = 0, first = 0; k < size; first = ends[k++])
      if (ends[k] - first > 1) std::sort(edges + first, edges + ends[k], nearer);
  }

  dpk_frame frame_;
  Cell cell_;
  double reach_;
  Grid grid_;
  std::array<std::vector<double>, 3> place_;
  std::vector<Vector> shift_;
  std::vector<int32_t> atom_, home_;
  std::vector<std::vector<int32_t>> kept_;  // the images to keep, for each run of centres in home_
};

namespace {

template <class Real>
void fill_row(const dpk_block& block, int64_t row, Real* displacement, int64_t* index, int64_t* count) {
  int64_t first = 0, size = 0;
  if (row < block.members) {
    const int64_t* start = block.start + block.member[row] * block.types + block.type;
    first = start[0];
    size = std::min(start[1] - first, block.width);
  }
  displacement += 3 * row * block.width;
  index += row * block.width;
  count[row] = size;
  for (int64_t k = 0; k < 3 * size; ++k) displacement[k] = Real(block.displacement[3 * first + k]);
  for (int64_t k = 0; k < size; ++k) index[k] = block.neighbour[first + k];
  for (int64_t k = size; k < block.width; ++k) {
    displacement[3 * k] = Real(block.cutoff);
    displacement[3 * k + 1] = displacement[3 * k + 2] = Real(0);
    index[k] = 0;
  }
}

template <class Real>
void fill(const dpk_block& block, Real* displacement, int64_t* index, int64_t* count) {
#pragma omp parallel for if (block.rows * block.width >= kFilled && dpk_may_thread())
  for (int64_t row = 0; row < block.rows; ++row) fill_row(block, row, displacement, index, count);
}

}  // namespace

int dpk_search_open(const dpk_frame* frame, dpk_search** search, int64_t* count, dpk_finding* finding) {
  try {
    if (frame->atoms > std::numeric_limits<int32_t>::max()) return DPK_BAD_INPUT;
    auto made = std::make_unique<dpk_search>(*frame);
    const int status = made->find(count, finding);
    if (status == DPK_OK) *search = made.release();
    return status;
  } catch (const Refused&) {
    return DPK_BAD_INPUT;
  } catch (const std::exception&) {
    return DPK_NO_MEMORY;
  }
}

void dpk_search_write(const dpk_search* search, const int64_t* start, int32_t* neighbour,
                      double* displacement) {
  search->write(start, neighbour, displacement);
}

void dpk_search_close(dpk_search* search) { delete search; }

void dpk_block_fill_f64(const dpk_block* block, double* displacement, int64_t* index, int64_t* count) {
  fill(*block, displacement, index, count);
}

void dpk_block_fill_f32(const dpk_block* block, float* displacement, int64_t* index, int64_t* count) {
  fill(*block, displacement, index, count);
}
