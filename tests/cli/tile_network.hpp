#pragma once

/// Weights of a network for 4 bands that may work by tiles: windows only, a reach of 5 pixels.

#include <doctest/doctest.h>

#include <string>
#include <unmask/io/weights.hpp>
#include <unmask/models/initialise.hpp>
#include <vector>

#include "instances.hpp"

inline void write_tile_network(const std::string& path) {
  const unmask::s2_config config{.bands = 4,
                                 .channels = 8,
                                 .stages = 1,
                                 .depths = {1},
                                 .heads = {2},
                                 .spectral_head_width = 4,
                                 .window = 4,
                                 .pad_multiple = 4,
                                 .hidden = 16,
                                 .layout = unmask::arrangement::spatial,
                                 .embedding = unmask::mask_embedding_kind::tile_safe};
  std::vector<float> parameters(static_cast<std::size_t>(unmask::make_manifest(config).size));
  unmask::initialise(parameters.data(), unmask::make_manifest(config), 1);
  REQUIRE(unmask::io::write_weights(path, {config, parameters}));
}
