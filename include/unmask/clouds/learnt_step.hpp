#pragma once

/// A network after the stack (network_view.hpp): what it gains on pixels hidden on purpose, and its result.

#include "network_view.hpp"

namespace unmask::inline UNMASK_ABI::clouds {

/// dB, mean over bands, over the stack whose error [n, C] on the asked pixels is given. Below 0 the network does harm.
/// `v` needs no base; `base` and `mended` [n, C] are scratch.
inline double network_gain(network_view v, const float* error, const network_step& network, float* base,
                           float* mended) noexcept {
  const index_t n = v.size.size(), C = v.bands;
  for (index_t i = 0; i < n; ++i)
    for (index_t c = 0; c < C && v.asked[i] != 0; ++c) base[i * C + c] = v.y[i * C + c] - error[i * C + c];
  v.base = base;
  network(v, mended);
  double sum = 0;
  for (index_t c = 0; c < C; ++c) {
    double before = 1e-30, after = 1e-30;
    for (index_t i = c; i < n * C; i += C) {
      if (v.asked[i / C] == 0) continue;
      const double d = static_cast<double>(v.y[i]) - static_cast<double>(mended[i]);
      before += static_cast<double>(error[i]) * static_cast<double>(error[i]), after += d * d;
    }
    sum += 10 * std::log10(before / after) / static_cast<double>(C);
  }
  return sum;
}

/// value [n, C], the view's base, moves to the network's result as far as the ground is seen: all the way from a
/// transmission of .3 on, and not at all where nothing is seen. How many pixels moved. `mended` [n, C] is scratch.
///
/// On pixels that show nothing networks gain less than they may lose on another sensor, so the stack's result stays.
inline index_t mend(const network_view& v, float* value, const network_step& network, float* mended) noexcept {
  index_t count = 0;
  network(v, mended);
  for (index_t i = 0; i < v.size.size(); ++i) {
    if (v.asked[i] == 0) continue;
    bool moved = false;
    for (index_t at = i * v.bands; at < (i + 1) * v.bands; ++at) {
      const float share = std::min(1.f, v.transmission[at] / .3f);
      value[at] += share * (mended[at] - value[at]);
      moved = moved || share > 0;
    }
    count += moved;
  }
  return count;
}

}  // namespace unmask::inline UNMASK_ABI::clouds
