#pragma once

/// Reconstruction tile by tile: the measurement is read and the cube written as it goes.

#include <unmask/io/weights.hpp>
#include <unmask/models/tiled.hpp>

#include "snapshot_files.hpp"

namespace program {

struct tile_choice {
  index_t side = 0;  ///< 0: one tile, unless `memory_limit` asks for more
  index_t halo = 32;
  double memory_limit = 0;  ///< bytes; 0: none
};

struct tile_plan {
  unmask::tiling tiles;
  double bytes = 0;  ///< that the run will take beside what the process has already
};

/// Tiles of a given side, or the largest that fit into what the limit leaves beside `used` bytes.
result<tile_plan> plan_tiles(const context&, const snapshot_files&, const unmask::s2_config&, const tile_choice&,
                             double used);

struct tiled_estimate {
  double reprojection = 0, seconds = 0;
};

/// Writes the cube to `out`; nothing appears there unless all of it was right.
result<tiled_estimate> run_tiles(const context&, const snapshot_files&, const exposure&, const unmask::io::weights&,
                                 const tile_plan&, const std::string& out, std::span<const double> wavelengths);

}  // namespace program
