#pragma once

/// Which open pixels are hidden on purpose: those under a copy of the hidden area, mirrored or moved, so that the areas
/// to judge by have the size and shape of those to fill.

#include <cstdint>

#include "blur.hpp"

namespace unmask::inline UNMASK_ABI::clouds {

namespace detail {

/// Where copy number `copy` (0..4) of the mask takes pixel (h, w) from.
inline index_t moved(grid g, index_t h, index_t w, int copy) noexcept {
  switch (copy) {
    case 0:
      return (g.height - 1 - h) * g.width + w;
    case 1:
      return h * g.width + g.width - 1 - w;
    case 2:
      return (g.height - 1 - h) * g.width + g.width - 1 - w;
    case 3:
      return (h + g.height - g.height / 2) % g.height * g.width + (w + g.width - g.width / 3) % g.width;
    default:
      return (h + g.height - g.height / 3) % g.height * g.width + (w + g.width - g.width / 2) % g.width;
  }
}

}  // namespace detail

/// The pixels that are hidden on purpose: how many, which, and under which copy of the hidden area they lie.
struct held_copy {
  index_t count = 0;
  const std::uint8_t* held = nullptr;
  int copy = 0;
};

/// held [H, W] becomes 1 at open pixels under the copy that covers most of them; of more than half, every other square
/// of 16 x 16. Copies that cover more than 35 % count as equal and the first is taken.
inline held_copy hold_out(grid g, const std::uint8_t* open, std::uint8_t* held) noexcept {
  index_t all = 0;
  for (index_t i = 0; i < g.size(); ++i) all += open[i] != 0;
  const auto covered = [&](int copy) {
    index_t count = 0;
    for (index_t h = 0; h < g.height; ++h)
      for (index_t w = 0; w < g.width; ++w)
        count += open[h * g.width + w] != 0 && open[detail::moved(g, h, w, copy)] == 0;
    return count;
  };
  int best = 0;
  index_t most = -1;
  for (int copy = 0; copy < 5; ++copy) {
    const index_t count = covered(copy);
    const index_t counted = 100 * count > 35 * all ? 35 * all : 100 * count;
    if (counted > most) most = counted, best = copy;
  }
  const bool thinned = 2 * covered(best) > all;
  index_t count = 0;
  for (index_t h = 0; h < g.height; ++h)
    for (index_t w = 0; w < g.width; ++w) {
      const index_t i = h * g.width + w;
      const bool chosen = open[i] != 0 && open[detail::moved(g, h, w, best)] == 0;
      held[i] = chosen && (!thinned || (h / 16 + w / 16) % 2 == 0);
      count += held[i];
    }
  return {count, held, best};
}

}  // namespace unmask::inline UNMASK_ABI::clouds
