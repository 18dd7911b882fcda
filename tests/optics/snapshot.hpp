#pragma once

#include <unmask/optics/camera.hpp>
#include <unmask/optics/spectral.hpp>
#include <unmask/scenes/generate.hpp>

using namespace unmask;

/// A generated scene through a grey mask, 28 bands, step 2, noise-free.
struct snapshot {
  tensor<float, 3> truth;
  tensor<float, 2> mask, y;
  optics::cassi_geometry g;

  optics::camera camera(std::vector<float> positions = {}, optics::sensor_noise noise = {}) const {
    return optics::camera::create(mask.view(), g.bands, g.step, g.direction, std::move(positions), noise).value();
  }
};

inline snapshot take(index_t height, index_t width, std::uint64_t seed) {
  snapshot s{scenes::generate(height, width, optics::benchmark_wavelength_list(), seed),
             scenes::grey_mask(height, width, seed),
             {},
             {height, width, 28, 2}};
  s.y = tensor<float, 2>({height, s.g.measurement_width()});
  s.camera().forward(ref{}, s.y.view(), s.truth.view());
  return s;
}
