#pragma once

/// Windows of M x M pixels on a cyclically shifted image (Liu et al. 2021), as index arithmetic only: gathering a
/// window is a walk over `pixel`, the shift is never carried out. Token t of a window is its row-major position.
/// Between pixels that the shift brought together from opposite edges, attention gets S = -100 (`region`).

#include "../core/view.hpp"

namespace unmask::inline UNMASK_ABI {

struct window_grid {
  index_t height, width;  ///< padded sizes: multiples of `side`
  index_t side;           ///< M
  index_t shift;          ///< 0 or M/2

  constexpr index_t tokens() const { return side * side; }
  constexpr index_t columns() const { return width / side; }
  constexpr index_t windows() const { return height / side * columns(); }

  /// Pixel h * W + w of the image that token `t` of window `n` shows.
  constexpr index_t pixel(index_t n, index_t t) const {
    const index_t h = (rolled_row(n, t) + shift) % height, w = (rolled_col(n, t) + shift) % width;
    return h * width + w;
  }

  /// Tokens of one window attend to each other freely where their regions are equal.
  constexpr index_t region(index_t n, index_t t) const {
    return 3 * label(rolled_row(n, t), height) + label(rolled_col(n, t), width);
  }

  /// Whether a window holds more than one region.
  constexpr bool mixed(index_t n) const {
    return shift > 0 && (n / columns() == height / side - 1 || n % columns() == columns() - 1);
  }

 private:
  constexpr index_t rolled_row(index_t n, index_t t) const { return n / columns() * side + t / side; }
  constexpr index_t rolled_col(index_t n, index_t t) const { return n % columns() * side + t % side; }
  constexpr index_t label(index_t i, index_t size) const { return i < size - side ? 0 : i < size - shift ? 1 : 2; }
};

/// What a layer is given: `batch` images of the grid's size, one after the other.
struct batch_grid {
  index_t batch;
  window_grid grid;

  constexpr index_t image() const { return grid.height * grid.width; }  ///< pixels of an image
  constexpr index_t pixels() const { return batch * image(); }
};

/// tile[t, :] = image[pixel(t), :] for the N tokens of a window; image [H, W, C], tile [N, C].
template <class T>
void gather_window(T* tile, const T* image, const window_grid& grid, index_t window, index_t c) {
  for (index_t t = 0; t < grid.tokens(); ++t) {
    const T* from = image + grid.pixel(window, t) * c;
    for (index_t k = 0; k < c; ++k) tile[t * c + k] = from[k];
  }
}

/// image[pixel(t), :] = tile[t, :] * scale; windows own their pixels.
template <class T>
void scatter_window(T* image, const T* tile, T scale, const window_grid& grid, index_t window, index_t c) {
  for (index_t t = 0; t < grid.tokens(); ++t) {
    T* to = image + grid.pixel(window, t) * c;
    for (index_t k = 0; k < c; ++k) to[k] = tile[t * c + k] * scale;
  }
}

/// image[pixel(t), :] += tile[t, :].
template <class T>
void scatter_add_window(T* image, const T* tile, const window_grid& grid, index_t window, index_t c) {
  for (index_t t = 0; t < grid.tokens(); ++t) {
    T* to = image + grid.pixel(window, t) * c;
    for (index_t k = 0; k < c; ++k) to[k] += tile[t * c + k];
  }
}

}  // namespace unmask::inline UNMASK_ABI
