// Energy and forces of one frame with open boundaries from a compiled .pt2 file, without Python.
//
//     predict MODEL.pt2 RCUT SEL_O SEL_H

#include <torch/csrc/inductor/aoti_package/model_package_loader.h>
#include <torch/torch.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iostream>
#include <vector>

struct Atom {
  int64_t type;
  std::array<double, 3> position;  // Å
};

struct Neighbour {
  double distance;
  int64_t row;
  std::array<double, 3> displacement;
};

// The exported program refuses axes shorter than two, so that the rest is padding.
int64_t padded(size_t n) { return std::max<int64_t>(n, 2); }

std::vector<Neighbour> neighbours(const std::vector<Atom>& atoms, const std::vector<int64_t>& rows,
                                  size_t centre, int64_t type, double rcut, int64_t sel) {
  std::vector<Neighbour> found;
  for (size_t j = 0; j < atoms.size(); ++j) {
    if (j == centre || atoms[j].type != type) continue;
    Neighbour n{0.0, rows[j], {}};
    for (int x = 0; x < 3; ++x) {
      n.displacement[x] = atoms[j].position[x] - atoms[centre].position[x];
      n.distance += n.displacement[x] * n.displacement[x];
    }
    n.distance = std::sqrt(n.distance);
    if (n.distance < rcut) found.push_back(n);
  }
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return a.distance < b.distance; });
  if (static_cast<int64_t>(found.size()) > sel) found.resize(sel);
  return found;
}

std::vector<at::Tensor> inputs(const std::vector<Atom>& atoms, double rcut,
                               const std::vector<int64_t>& sel) {
  const int64_t ntypes = sel.size(), frames = 2, padding_frame = 1;
  std::vector<std::vector<size_t>> members(ntypes);
  for (size_t i = 0; i < atoms.size(); ++i) members[atoms[i].type].push_back(i);
  std::vector<int64_t> rows(atoms.size());
  int64_t start = 0;
  for (const auto& group : members) {
    for (size_t place = 0; place < group.size(); ++place) rows[group[place]] = start + place;
    start += padded(group.size());
  }

  std::vector<at::Tensor> out;
  const auto integers = torch::kInt64;
  for (const auto& group : members) {
    const int64_t n = padded(group.size());
    auto frame = torch::full({n}, padding_frame, integers);
    frame.slice(0, 0, group.size()).fill_(0);
    out.push_back(frame);
    for (int64_t type = 0; type < ntypes; ++type) {
      std::vector<std::vector<Neighbour>> lists;
      size_t longest = 0;
      for (size_t i : group) {
        lists.push_back(neighbours(atoms, rows, i, type, rcut, sel[type]));
        longest = std::max(longest, lists.back().size());
      }
      const int64_t width = std::min(padded(longest), sel[type]);
      auto displacement = torch::zeros({n, width, 3}, torch::kFloat64);
      displacement.select(2, 0).fill_(rcut);
      auto index = torch::zeros({n, width}, integers), count = torch::zeros({n}, integers);
      for (size_t c = 0; c < lists.size(); ++c) {
        count[c] = static_cast<int64_t>(lists[c].size());
        for (size_t k = 0; k < lists[c].size(); ++k) {
          index[c][k] = lists[c][k].row;
          for (int x = 0; x < 3; ++x) displacement[c][k][x] = lists[c][k].displacement[x];
        }
      }
      out.insert(out.end(), {displacement, index, count});
    }
  }
  out.push_back(torch::tensor({static_cast<int64_t>(atoms.size()), int64_t{0}}));
  return out;
}

int main(int argc, char** argv) {
  if (argc != 5) return std::cerr << "usage: predict MODEL.pt2 RCUT SEL_O SEL_H\n", 2;
  const std::vector<Atom> water = {
      {0, {0.0, 0.0, 0.0}}, {1, {0.96, 0.0, 0.0}}, {1, {-0.24, 0.93, 0.0}}};
  torch::inductor::AOTIModelPackageLoader model(argv[1]);
  auto arrays = inputs(water, std::stod(argv[2]), {std::stol(argv[3]), std::stol(argv[4])});
  const auto outputs = model.run(arrays);
  std::cout.precision(12);
  std::cout << "energy " << outputs[0][0].item<double>() << " eV\n";
  // Rows of the flat atom axis: O, a padding row, H, H.
  std::cout << outputs[2] << "\n";
}
