#pragma once

/// Tiles of a reconstruction: which sides are tried, and how an image is cut for a network.

#include <array>
#include <string>

#include "../models/tiled.hpp"
#include "../optics/cassi.hpp"
#include "options.hpp"

namespace unmask::inline UNMASK_ABI::detail {

/// Sides that a memory limit chooses from, pixels; larger tiles read fewer pixels twice.
inline constexpr std::array<index_t, 13> tile_sides{1024, 768, 512, 448, 384, 320, 256, 192, 128, 64, 32, 16, 8};

/// One tile: the whole image.
inline tiling whole_image(const optics::cassi_geometry& g) {
  return {{{0, g.height, 0, 0, g.height}}, {{0, g.width, 0, 0, g.width}}};
}

/// Tiles of `side` pixels; strips of that height where a network's mask embedding spans rows.
template <class Config>
tiling tiles_of(const Config& config, const optics::cassi_geometry& g, index_t side, index_t halo) {
  index_t width = side;
  if constexpr (requires { spans_rows(config); })
    if (spans_rows(config)) width = g.width;
  return {tile_spans(config, g.height, side, halo), tile_spans(config, g.width, width, halo)};
}

inline error no_tiles(const std::string& why) {
  return error(errc::bad_argument, "reconstruct: a memory limit or tiles " + why);
}

}  // namespace unmask::inline UNMASK_ABI::detail
