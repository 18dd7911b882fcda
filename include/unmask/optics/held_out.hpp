#pragma once

/// Measured values that are kept back from a solver and predicted by its result.

#include <algorithm>
#include <cstdint>

#include "../core/random.hpp"
#include "../core/view.hpp"

namespace unmask::inline UNMASK_ABI::optics {

/// Marks about `share` of the values, the same ones for the same seed.
template <class Marks>
void draw_held_out(Marks& marks, double share, std::uint64_t seed) {
  unmask::random draw(seed, 0);
  for (auto& mark : marks) mark = draw.uniform() < share;
}

/// Columns at each side of a sensor of V columns that see few of the bands of a scene of `width`: an error there says
/// little.
inline index_t held_out_margin(index_t V, index_t width) { return std::min(V - width + 6, V / 4); }

}  // namespace unmask::inline UNMASK_ABI::optics
