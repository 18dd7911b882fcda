#pragma once

#include <unmask/optics/cassi.hpp>
#include <unmask/optics/spectral.hpp>
#include <unmask/scenes/generate.hpp>

using namespace unmask;

/// A generated scene through a grey mask, 28 bands, step 2, noise-free.
struct snapshot {
  tensor<float, 3> truth;
  tensor<float, 2> mask, y;
  optics::cassi_geometry g;
};

inline snapshot take(index_t height, index_t width, std::uint64_t seed) {
  snapshot s{scenes::generate(height, width, optics::benchmark_wavelength_list(), seed),
             scenes::grey_mask(height, width, seed),
             {},
             {height, width, 28, 2}};
  s.y = tensor<float, 2>({height, s.g.measurement_width()});
  optics::cassi_forward(ref{}, s.y.view(), s.truth.view(), s.mask.view(), s.g.step);
  return s;
}
