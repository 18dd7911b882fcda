#pragma once

/// Where an estimate is judged: what was hidden, and of it what lay under thin cloud, in shadow and at the rim; and
/// what was open.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <string_view>

#include "../core/tensor.hpp"

namespace unmask::inline UNMASK_ABI::clouds {

inline constexpr std::array<std::string_view, 5> region_names{"hidden", "thin", "shadow", "open", "rim"};

struct region_options {
  double hidden_below = .5;  ///< visibility
  index_t rim = 3;           ///< pixels
};

/// One plane [H, W] a region, 1 where a pixel belongs to it; `shadow` [H, W] in 0..1 may be without data. Pixels whose
/// visibility is not a number belong to none.
///   hidden  visibility < hidden_below
///   thin    hidden, but something is visible: visibility >= .05, and no shadow
///   shadow  shadow >= .08, whatever lies above it
///   open    visibility >= hidden_below
///   rim     hidden, with an open pixel at most `rim` pixels away
inline std::array<tensor<std::uint8_t, 2>, 5> find_regions(in<float, 2> visibility, in<float, 2> shadow,
                                                           const region_options& o = {}) {
  const index_t H = visibility.extent(0), W = visibility.extent(1);
  std::array<tensor<std::uint8_t, 2>, 5> all;
  for (auto& plane : all) plane = tensor<std::uint8_t, 2>({H, W});
  auto& [hidden, thin, dark, open, rim] = all;
  for (index_t i = 0; i < H * W; ++i) {
    const float v = visibility.data()[i];
    const bool hides = static_cast<double>(v) < o.hidden_below;
    const bool in_shadow = shadow.data() && shadow.data()[i] >= .08f;
    hidden.data()[i] = hides;
    open.data()[i] = static_cast<double>(v) >= o.hidden_below;
    dark.data()[i] = in_shadow && !std::isnan(v);
    thin.data()[i] = hides && v >= .05f && !in_shadow;
  }
  for (index_t h = 0; h < H; ++h)
    for (index_t w = 0; w < W; ++w) {
      if (open(h, w) == 0) continue;
      for (index_t y = std::max<index_t>(0, h - o.rim); y <= std::min(H - 1, h + o.rim); ++y)
        for (index_t x = std::max<index_t>(0, w - o.rim); x <= std::min(W - 1, w + o.rim); ++x)
          if ((y - h) * (y - h) + (x - w) * (x - w) <= o.rim * o.rim && hidden(y, x) != 0) rim(y, x) = 1;
    }
  return all;
}

}  // namespace unmask::inline UNMASK_ABI::clouds
