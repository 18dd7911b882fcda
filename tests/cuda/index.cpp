/// The index arithmetic of the attention kernels against that of the reference, over sizes with one window, one token,
/// all shifts, and more than one image.

#include "../nn/tested_backend.hpp"

#include <doctest/doctest.h>

#include <unmask/nn/position_bias.hpp>

using namespace unmask;
using unmask::token_sets;

TEST_CASE("sets of tokens are the windows of the reference, image by image") {
  const window_grid grids[] = {{3, 3, 3, 0}, {3, 3, 3, 1}, {4, 8, 4, 2},   {8, 12, 4, 3},
                               {5, 7, 1, 0}, {6, 9, 3, 2}, {16, 24, 8, 4}, {256, 256, 8, 4}};
  for (const window_grid& grid : grids) {
    const token_sets sets = token_sets::windows(grid);
    const int windows = static_cast<int>(grid.windows()), pixels = static_cast<int>(grid.height * grid.width);
    CHECK(sets.sets() == windows);
    bool same = true;
    for (int image = 0; image < 3; ++image)
      for (int n = 0; n < windows; ++n)
        for (int t = 0; t < sets.tokens(); ++t) {
          const int set = image * windows + n, pixel = sets.pixel(set, t);
          const token_sets::place at = sets.find(pixel);
          same = same && pixel == image * pixels + grid.pixel(n, t);
          same = same && at.set == set && at.row * sets.cols + at.col == t;
          // regions are only compared with each other, within a window
          if (grid.mixed(n)) same = same && sets.region(set, t) == grid.region(n, t);
          if (!grid.mixed(n)) same = same && sets.region(set, t) == sets.region(set, 0);
        }
    INFO(grid.height, " x ", grid.width, " side ", grid.side, " shift ", grid.shift);
    CHECK(same);
  }
}

TEST_CASE("an image is one set") {
  const window_grid grid{6, 9, 3, 1};
  const token_sets sets = token_sets::image(grid);
  CHECK(sets.sets() == 1);
  for (int pixel = 0; pixel < 2 * 54; ++pixel) CHECK(sets.pixel(pixel / 54, pixel % 54) == pixel);
}

TEST_CASE("a convolution sees its own set only") {
  const token_sets sets = token_sets::windows({4, 4, 2, 1});
  int inside = 0;
  for (int pixel = 0; pixel < 16; ++pixel)
    for (int tap = 0; tap < 9; ++tap) {
      const token_sets::place at = sets.find(pixel);
      const int seen = detail::set_neighbour(sets, at, tap / 3 - 1, tap % 3 - 1);
      if (seen < 0) continue;
      ++inside;
      CHECK(sets.find(seen).set == at.set);
    }
  CHECK(inside == 16 * 4);
}
