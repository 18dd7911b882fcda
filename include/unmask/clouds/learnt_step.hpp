#pragma once

/// A network after the stack (network_view.hpp): how far its result is taken over.

#include <algorithm>

#include "network_view.hpp"

namespace unmask::inline UNMASK_ABI::clouds {

/// How far a band moves to a network's result where so much of the ground is seen: all the way from a transmission of
/// .3 on, and not at all where nothing is seen. There networks gain less than they may lose on another sensor.
inline double seen_share(float transmission) noexcept { return std::min(1., static_cast<double>(transmission) / .3); }

/// value [n, C], the view's base, moves to the network's result by share [C] and as far as the ground is seen. How many
/// pixels moved. `mended` [n, C] is scratch.
inline index_t mend(const network_view& v, const float* share, float* value, const network_step& network,
                    float* mended) noexcept {
  index_t count = 0;
  network(v, mended);
  for (index_t i = 0; i < v.size.size(); ++i) {
    if (v.asked[i] == 0) continue;
    bool moved = false;
    for (index_t c = 0; c < v.bands; ++c) {
      const index_t at = i * v.bands + c;
      const float by = share[c] * static_cast<float>(seen_share(v.transmission[at]));
      value[at] += by * (mended[at] - value[at]);
      moved = moved || by > 0;
    }
    count += moved;
  }
  return count;
}

}  // namespace unmask::inline UNMASK_ABI::clouds
