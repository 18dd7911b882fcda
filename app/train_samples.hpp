#pragma once

/// What a training's samples are drawn with, from its configuration.

#include <array>

#include "noise_options.hpp"
#include "train_config.hpp"

namespace program {

inline result<unmask::optics::noise_model> noise_of(const train_config& c) {
  auto noise = noise_by_name(c.noise);
  if (!noise) return noise;
  noise->quantum_efficiency = c.quantum_efficiency;
  noise->bit_depth = c.bit_depth;
  noise->photons = c.photons;
  if (c.read_sigma != 0) noise->read_sigma = c.read_sigma;
  return noise;
}

inline result<unmask::train::sample_options> sample_options_of(const train_config& c) {
  auto noise = noise_of(c);
  if (!noise) return noise.error();
  unmask::train::sample_options o;
  o.batch = c.batch;
  o.height = o.width = c.crop;
  o.step = c.step;
  o.symmetries = c.symmetries;
  o.mosaics = c.mosaics;
  o.move_mask = c.move_mask;
  o.random_masks = c.random_masks;
  o.grey_masks = c.grey_masks;
  o.open_share = c.open_share;
  o.open_spread = c.open_spread;
  o.noise = *noise;
  o.noisy = c.noisy;
  o.cells = c.cells;
  o.variety.illuminants = c.illuminants;
  const auto range = [](const char* key, const std::vector<double>& from, auto& to) -> result<> {
    if (from.empty()) return {};
    if (from.size() != 2)
      return error(errc::wrong_value, std::string(key) + ": has " + std::to_string(from.size()) +
                                          " numbers, expected two, the least and the most, or none");
    to = std::array{from[0], from[1]};
    return {};
  };
  if (auto ok = range("scales", c.scales, o.variety.scales); !ok) return ok.error();
  if (auto ok = range("exposures", c.exposures, o.variety.exposures); !ok) return ok.error();
  return o;
}

}  // namespace program
