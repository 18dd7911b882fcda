#pragma once

/// Finer textures from the same scenes.

#include <algorithm>
#include <unmask/core/tensor.hpp>

namespace program {

/// A scene [H, W, C] at half its size (means of 2 x 2 pixels), four times, mirrored so that nothing breaks at the
/// seams.
inline unmask::tensor<float, 3> halved(const unmask::tensor<float, 3>& x) {
  using unmask::index_t;
  const index_t H = x.extent(0), W = x.extent(1), C = x.extent(2);
  unmask::tensor<float, 3> small(x.extents());
  for (index_t h = 0; h < H; ++h)
    for (index_t w = 0; w < W; ++w) {
      const index_t top = 2 * std::min(h, H - 1 - h), left = 2 * std::min(w, W - 1 - w);
      const index_t bottom = std::min(top + 1, H - 1), right = std::min(left + 1, W - 1);
      for (index_t c = 0; c < C; ++c)
        small(h, w, c) = (x(top, left, c) + x(top, right, c) + x(bottom, left, c) + x(bottom, right, c)) / 4;
    }
  return small;
}

}  // namespace program
