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
  int64_t atom;
  double distance;
  std::array<double, 3> displacement;
};

// The exported program refuses axes shorter than two; the rest is padding.
int64_t padded(size_t n) { return std::max<int64_t>(n, 2); }

// Enough where sel suffices; what happens where it does not is told on the page.
std::vector<Neighbour> neighbours(const std::vector<Atom>& atoms, size_t centre, int64_t type,
                                  double rcut, int64_t sel) {
  std::vector<Neighbour> found;
  for (size_t j = 0; j < atoms.size(); ++j) {
    if (j == centre || atoms[j].type != type) continue;
    Neighbour n{static_cast<int64_t>(j), 0.0, {}};
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
  const int64_t natoms = atoms.size(), ntypes = sel.size(), padding_frame = 1;
  const auto integers = torch::kInt64;
  std::vector<at::Tensor> places, blocks;
  for (int64_t centre_type = 0; centre_type < ntypes; ++centre_type) {
    std::vector<int64_t> centres;
    for (int64_t i = 0; i < natoms; ++i)
      if (atoms[i].type == centre_type) centres.push_back(i);
    const int64_t n = padded(centres.size());
    auto place = torch::full({n}, natoms, integers);  // the padding atom comes last
    for (size_t c = 0; c < centres.size(); ++c) place[c] = centres[c];
    places.push_back(place);
    for (int64_t type = 0; type < ntypes; ++type) {
      std::vector<std::vector<Neighbour>> lists;
      size_t longest = 0;
      for (int64_t i : centres) {
        lists.push_back(neighbours(atoms, i, type, rcut, sel[type]));
        longest = std::max(longest, lists.back().size());
      }
      const int64_t width = std::min(padded(longest), sel[type]);
      auto displacement = torch::zeros({n, width, 3}, torch::kFloat64);
      displacement.select(2, 0).fill_(rcut);
      auto index = torch::zeros({n, width}, integers), count = torch::zeros({n}, integers);
      for (size_t c = 0; c < lists.size(); ++c) {
        count[c] = static_cast<int64_t>(lists[c].size());
        for (size_t k = 0; k < lists[c].size(); ++k) {
          index[c][k] = lists[c][k].atom;
          for (int x = 0; x < 3; ++x) displacement[c][k][x] = lists[c][k].displacement[x];
        }
      }
      blocks.insert(blocks.end(), {displacement, index, count});
    }
  }
  auto frame = torch::zeros({natoms + 1}, integers), types = torch::zeros({natoms + 1}, integers);
  frame[natoms] = padding_frame;
  for (int64_t i = 0; i < natoms; ++i) types[i] = atoms[i].type;
  std::vector<at::Tensor> out = places;
  out.insert(out.end(), blocks.begin(), blocks.end());
  out.insert(out.end(), {frame, torch::tensor({natoms, int64_t{0}}), types});
  return out;
}

int main(int argc, char** argv) {
  if (argc != 5) return std::cerr << "usage: predict MODEL.pt2 RCUT SEL_O SEL_H\n", 2;
  const std::vector<Atom> water = {
      {0, {0.0, 0.0, 0.0}}, {1, {0.96, 0.0, 0.0}}, {1, {-0.24, 0.93, 0.0}}};
  torch::inductor::AOTIModelPackageLoader model(argv[1]);
  auto arrays = inputs(water, std::stod(argv[2]), {std::stol(argv[3]), std::stol(argv[4])});
  const auto outputs = model.run(arrays);
  std::cout.precision(15);
  std::cout << outputs[0][0][0].item<double>() << " eV\n";
  for (size_t i = 0; i < water.size(); ++i) {
    for (int x = 0; x < 3; ++x) std::cout << outputs[2][i][x].item<double>() << " ";
    std::cout << "eV/Å\n";
  }
}
