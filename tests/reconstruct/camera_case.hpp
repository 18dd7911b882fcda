#pragma once

/// A generated scene in front of a camera, a small model that fits it, and their parts one by one.

#include <algorithm>
#include <unmask/models/initialise.hpp>
#include <unmask/nn/cpu/all.hpp>
#include <unmask/optics/learn_spectra.hpp>
#include <unmask/optics/spectral.hpp>
#include <unmask/reconstruct/reconstructor.hpp>
#include <unmask/scenes/generate.hpp>
#include <vector>

#include "instances.hpp"

namespace unmask_test {

using namespace unmask;

inline constexpr index_t height = 24, width = 32, bands = 8;

inline std::vector<double> wavelengths() { return {450, 475, 500, 525, 550, 575, 600, 625}; }

inline tensor<float, 3> scene(std::uint64_t seed, index_t h = height, index_t w = width) {
  return scenes::generate(h, w, wavelengths(), seed);
}

inline optics::camera camera_of(dispersion_direction direction = dispersion_direction::right, index_t h = height,
                                index_t w = width, std::vector<float> positions = {}) {
  const auto mask = scenes::grey_mask(h, w, 5);
  return optics::camera::create(mask.view(), bands, 2, direction, std::move(positions)).value();
}

inline tensor<float, 2> snapshot_of(const optics::camera& camera, const tensor<float, 3>& x) {
  tensor<float, 2> y(camera.geometry().measurement_extents());
  camera.forward(cpu{}, y.view(), x.view());
  return y;
}

/// A network whose output differs from its input everywhere, by little.
inline model model_of(initial_kind kind) {
  model m;
  m.config = {.bands = bands,
              .channels = 16,
              .stages = 1,
              .depths = {2},
              .heads = {2},
              .spectral_head_width = 8,
              .window = 8,
              .pad_multiple = 8,
              .hidden = 16,
              .scope = spectral_scope::window,
              .embedding = mask_embedding_kind::tile_safe};
  const manifest list = make_manifest(m.config);
  m.parameters.resize(static_cast<std::size_t>(list.size));
  initialise(m.parameters.data(), list, 3);
  m.initial.kind = kind;
  if (kind == initial_kind::spectral_tv)
    m.initial.spectral_basis = optics::learn_spectral_basis({scene(100), scene(101)}, 4).value();
  return m;
}

inline tensor<float, 3> run(reconstructor<cpu>& r, const tensor<float, 2>& y) {
  tensor<float, 3> x(r.camera().geometry().cube_extents(), -1);
  r.run(x.view(), y.view());
  return x;
}

template <class T, std::size_t Rank>
bool equal_bits(const tensor<T, Rank>& a, const tensor<T, Rank>& b) {
  return a.extents() == b.extents() && std::equal(a.begin(), a.end(), b.begin());
}

inline constexpr initial_kind all_kinds[] = {initial_kind::hm, initial_kind::gap_tv, initial_kind::gap_tv_camera,
                                             initial_kind::spectral_tv};

}  // namespace unmask_test
