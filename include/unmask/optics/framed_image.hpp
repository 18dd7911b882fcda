#pragma once

/// Images of K planes as spectral TV works on them, [H, K, W]: a row of all planes is one piece, and dispersion moves
/// light only along it. Some have a frame, so that loops may read a pixel's neighbours without asking where it lies.

#include <algorithm>

#include "../core/arena.hpp"

namespace unmask::inline UNMASK_ABI::optics::detail {

struct planes {
  index_t height = 0, count = 0, width = 0;
  index_t row() const { return count * width; }
  index_t size() const { return height * row(); }
};

/// An image of H rows of n numbers with a row more above and below, and a register beside.
class framed_image {
 public:
  void carve(arena& memory, index_t height, index_t n) {
    height_ = height, row_ = n;
    float* whole = memory.take<float>((height + 2) * n + 2 * beside);
    image_ = whole ? whole + beside + n : whole;  // null while the arena only counts
  }

  /// Before a run: what lies outside weighs nothing, but has to be a number.
  void clear_frame() const {
    std::fill(image_ - row_ - beside, image_, 0.f);
    std::fill(image_ + height_ * row_, image_ + (height_ + 1) * row_ + beside, 0.f);
  }

  float* data() const { return image_; }

 private:
  static constexpr index_t beside = 16;
  index_t height_ = 0, row_ = 0;
  float* image_ = nullptr;
};

/// [H, W] each, a number for each of a pixel's three differences.
struct edge_images {
  float *right = nullptr, *down = nullptr, *corner = nullptr;
};

/// From three images of one plane.
inline edge_images edges_of(const framed_image* three) { return {three[0].data(), three[1].data(), three[2].data()}; }

}  // namespace unmask::inline UNMASK_ABI::optics::detail
