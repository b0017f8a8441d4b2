// The kernels as XLA custom calls. Counts of all blocks come one after another.
#include <vector>

#include "forces.h"
#include "kernels.h"
#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

namespace {

using Layout = ffi::Buffer<ffi::S64>;
using Pairs = ffi::Buffer<ffi::F64>;

struct Settings {
  int64_t embedding, width, widest;
  double rcut_smth, rcut, protection;
};

template <ffi::DataType T>
dpk_moments input_of(const Settings& k, std::vector<const int64_t*>& count, const Layout& layout,
                     const Layout& counts, const Pairs& pairs, const ffi::Buffer<T>& data,
                     const ffi::Buffer<T>& empty, const ffi::Buffer<T>& displacement) {
  const int64_t blocks = layout.dimensions()[0];
  const int64_t* next = counts.typed_data();
  for (int64_t b = 0; b < blocks; ++b) {
    count.push_back(next);
    next += layout.typed_data()[b * DPK_LAYOUT_COLUMNS + DPK_CENTRES];
  }
  dpk_moments input;
  input.blocks = blocks;
  input.width = k.width;
  input.embedding = k.embedding;
  input.widest = k.widest;
  input.rcut_smth = k.rcut_smth;
  input.rcut = k.rcut;
  input.protection = k.protection;
  input.layout = layout.typed_data();
  input.count = count.data();
  input.pairs = pairs.typed_data();
  input.pair_rows = pairs.dimensions()[0];
  input.empty_rows = empty.dimensions()[0];
  input.data = data.typed_data();
  input.data_length = int64_t(data.element_count());
  input.empty = empty.typed_data();
  input.displacement = displacement.typed_data();
  return input;
}

ffi::Error result(int status) {
  switch (status) {
    case DPK_OK:
      return ffi::Error::Success();
    case DPK_NO_MEMORY:
      return ffi::Error(ffi::ErrorCode::kResourceExhausted, "not enough memory for the descriptor kernels");
  }
  return ffi::Error::InvalidArgument("the descriptor kernels refuse their input");
}

template <ffi::DataType T>
constexpr bool kDouble = T == ffi::F64;

template <ffi::DataType T>
ffi::Error moments(int64_t embedding, int64_t width, int64_t widest, double rcut_smth, double rcut,
                   double protection, Layout layout, Layout counts, Pairs pairs, ffi::Buffer<T> data,
                   ffi::Buffer<T> empty, ffi::Buffer<T> displacement, ffi::ResultBuffer<T> out) {
  std::vector<const int64_t*> count;
  const Settings k{embedding, width, widest, rcut_smth, rcut, protection};
  const dpk_moments input = input_of<T>(k, count, layout, counts, pairs, data, empty, displacement);
  void* to = out->untyped_data();
  return result(kDouble<T> ? dpk_moments_f64(&input, to) : dpk_moments_f32(&input, to));
}

template <ffi::DataType T>
ffi::Error first(int64_t embedding, int64_t width, int64_t widest, double rcut_smth, double rcut,
                 double protection, Layout layout, Layout counts, Pairs pairs, ffi::Buffer<T> data,
                 ffi::Buffer<T> empty, ffi::Buffer<T> displacement, ffi::Buffer<T> weight,
                 ffi::ResultBuffer<T> out) {
  std::vector<const int64_t*> count;
  const Settings k{embedding, width, widest, rcut_smth, rcut, protection};
  const dpk_moments input = input_of<T>(k, count, layout, counts, pairs, data, empty, displacement);
  const void* w = weight.untyped_data();
  void* to = out->untyped_data();
  return result(kDouble<T> ? dpk_moments_first_f64(&input, w, to) : dpk_moments_first_f32(&input, w, to));
}

template <ffi::DataType T>
ffi::Error second(int64_t embedding, int64_t width, int64_t widest, double rcut_smth, double rcut,
                  double protection, Layout layout, Layout counts, Pairs pairs, ffi::Buffer<T> data,
                  ffi::Buffer<T> empty, ffi::Buffer<T> displacement, ffi::Buffer<T> weight,
                  ffi::Buffer<T> direction, ffi::ResultBuffer<T> by_displacement,
                  ffi::ResultBuffer<T> by_weight) {
  std::vector<const int64_t*> count;
  const Settings k{embedding, width, widest, rcut_smth, rcut, protection};
  const dpk_moments input = input_of<T>(k, count, layout, counts, pairs, data, empty, displacement);
  const void *w = weight.untyped_data(), *v = direction.untyped_data();
  void *to = by_displacement->untyped_data(), *too = by_weight->untyped_data();
  return result(kDouble<T> ? dpk_moments_second_f64(&input, w, v, to, too)
                           : dpk_moments_second_f32(&input, w, v, to, too));
}

template <ffi::DataType T>
ffi::Error learn(int64_t embedding, int64_t width, int64_t widest, double rcut_smth, double rcut,
                 double protection, Layout layout, Layout counts, Pairs pairs, ffi::Buffer<T> data,
                 ffi::Buffer<T> empty, ffi::Buffer<T> displacement, ffi::Buffer<T> weight,
                 ffi::ResultBuffer<T> by_data) {
  std::vector<const int64_t*> count;
  const Settings k{embedding, width, widest, rcut_smth, rcut, protection};
  const dpk_moments input = input_of<T>(k, count, layout, counts, pairs, data, empty, displacement);
  const void* w = weight.untyped_data();
  void* to = by_data->untyped_data();
  return result(kDouble<T> ? dpk_moments_learn_f64(&input, w, to) : dpk_moments_learn_f32(&input, w, to));
}

template <ffi::DataType T>
ffi::Error learn_first(int64_t embedding, int64_t width, int64_t widest, double rcut_smth, double rcut,
                       double protection, Layout layout, Layout counts, Pairs pairs, ffi::Buffer<T> data,
                       ffi::Buffer<T> empty, ffi::Buffer<T> displacement, ffi::Buffer<T> weight,
                       ffi::Buffer<T> direction, ffi::ResultBuffer<T> by_weight,
                       ffi::ResultBuffer<T> by_data) {
  std::vector<const int64_t*> count;
  const Settings k{embedding, width, widest, rcut_smth, rcut, protection};
  const dpk_moments input = input_of<T>(k, count, layout, counts, pairs, data, empty, displacement);
  const void *w = weight.untyped_data(), *v = direction.untyped_data();
  void *to = by_weight->untyped_data(), *too = by_data->untyped_data();
  return result(kDouble<T> ? dpk_moments_learn_first_f64(&input, w, v, to, too)
                           : dpk_moments_learn_first_f32(&input, w, v, to, too));
}

template <ffi::DataType T>
ffi::Error forces(Layout layout, Layout counts, Layout indices, Layout place, ffi::Buffer<T> displacement,
                  ffi::Buffer<T> slope, ffi::ResultBuffer<T> force, ffi::ResultBuffer<T> virial) {
  const int64_t blocks = layout.dimensions()[0];
  std::vector<const int64_t*> count, index;
  const int64_t *next = counts.typed_data(), *neighbour = indices.typed_data();
  for (int64_t b = 0; b < blocks; ++b) {
    const int64_t* row = layout.typed_data() + b * DPK_LAYOUT_COLUMNS;
    count.push_back(next);
    index.push_back(neighbour);
    next += row[DPK_CENTRES];
    neighbour += row[DPK_CENTRES] * row[DPK_WIDTH];
  }
  dpk_pulls input;
  input.blocks = blocks;
  input.atoms = force->dimensions()[0];
  input.layout = layout.typed_data();
  input.count = count.data();
  input.index = index.data();
  input.place = place.typed_data();
  input.displacement = displacement.untyped_data();
  input.slope = slope.untyped_data();
  void *f = force->untyped_data(), *v = virial->untyped_data();
  return result(kDouble<T> ? dpk_forces_f64(&input, f, v) : dpk_forces_f32(&input, f, v));
}

auto settings() {
  return ffi::Ffi::Bind()
      .Attr<int64_t>("embedding")
      .Attr<int64_t>("width")
      .Attr<int64_t>("widest")
      .Attr<double>("rcut_smth")
      .Attr<double>("rcut")
      .Attr<double>("protection")
      .Arg<Layout>()
      .Arg<Layout>()
      .Arg<Pairs>();
}

template <ffi::DataType T>
auto arrays() {
  return settings().template Arg<ffi::Buffer<T>>().template Arg<ffi::Buffer<T>>().template Arg<ffi::Buffer<T>>();
}

template <ffi::DataType T>
auto bind_forces() {
  return ffi::Ffi::Bind()
      .Arg<Layout>()
      .Arg<Layout>()
      .Arg<Layout>()
      .Arg<Layout>()
      .template Arg<ffi::Buffer<T>>()
      .template Arg<ffi::Buffer<T>>()
      .template Ret<ffi::Buffer<T>>()
      .template Ret<ffi::Buffer<T>>();
}

template <ffi::DataType T>
auto bind_moments() {
  return arrays<T>().template Ret<ffi::Buffer<T>>();
}

template <ffi::DataType T>
auto bind_first() {
  return arrays<T>().template Arg<ffi::Buffer<T>>().template Ret<ffi::Buffer<T>>();
}

template <ffi::DataType T>
auto bind_second() {
  return arrays<T>()
      .template Arg<ffi::Buffer<T>>()
      .template Arg<ffi::Buffer<T>>()
      .template Ret<ffi::Buffer<T>>()
      .template Ret<ffi::Buffer<T>>();
}

}  // namespace

#define DPK_HANDLER(name, function, binding, type)                                                \
  extern "C" __attribute__((visibility("default"))) XLA_FFI_Error* name(XLA_FFI_CallFrame* frame) { \
    static auto* handler = binding<type>().To(function<type>).release();                          \
    return handler->Call(frame);                                                                  \
  }

DPK_HANDLER(dpk_jax_forces_f64, forces, bind_forces, ffi::F64)
DPK_HANDLER(dpk_jax_forces_f32, forces, bind_forces, ffi::F32)
DPK_HANDLER(dpk_jax_moments_f64, moments, bind_moments, ffi::F64)
DPK_HANDLER(dpk_jax_moments_f32, moments, bind_moments, ffi::F32)
DPK_HANDLER(dpk_jax_moments_first_f64, first, bind_first, ffi::F64)
DPK_HANDLER(dpk_jax_moments_first_f32, first, bind_first, ffi::F32)
DPK_HANDLER(dpk_jax_moments_second_f64, second, bind_second, ffi::F64)
DPK_HANDLER(dpk_jax_moments_second_f32, second, bind_second, ffi::F32)
DPK_HANDLER(dpk_jax_moments_learn_f64, learn, bind_first, ffi::F64)
DPK_HANDLER(dpk_jax_moments_learn_f32, learn, bind_first, ffi::F32)
DPK_HANDLER(dpk_jax_moments_learn_first_f64, learn_first, bind_second, ffi::F64)
DPK_HANDLER(dpk_jax_moments_learn_first_f32, learn_first, bind_second, ffi::F32)
