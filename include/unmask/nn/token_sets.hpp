#pragma once

/// The tokens that attend to one another, as index arithmetic in 32 bits (a division of 64-bit numbers costs a GPU a
/// hundred instructions): the windows of a cyclically shifted image, or the image as a single set. Pixels, sets and
/// tokens are numbered as in `window_grid`; sets of a batch, of fewer than 2^31 pixels, follow one another.

#include "window.hpp"

namespace unmask::inline UNMASK_ABI {

/// Which tokens spectral attention sees: the whole image (the released default) or one window (the paper's text).
enum class spectral_scope { image, window };

struct token_sets {
  int height, width;  ///< of the image, in pixels: multiples of rows and cols
  int rows, cols;     ///< of a set
  int shift;

  static token_sets windows(const window_grid& g) {
    const int side = static_cast<int>(g.side);
    return {static_cast<int>(g.height), static_cast<int>(g.width), side, side, static_cast<int>(g.shift)};
  }
  static token_sets image(const window_grid& g) {
    const int h = static_cast<int>(g.height), w = static_cast<int>(g.width);
    return {h, w, h, w, 0};
  }
  static token_sets of(const window_grid& g, spectral_scope scope) {
    return scope == spectral_scope::window ? windows(g) : image(g);
  }

  constexpr int pixels() const { return height * width; }
  constexpr int tokens() const { return rows * cols; }
  constexpr int across() const { return width / cols; }
  constexpr int sets() const { return height / rows * across(); }

  /// Pixel of token (row, col) of set `set`; a set of image b >= 1 gives a pixel of that image, b * pixels() on.
  constexpr int pixel(int set, int row, int col) const {
    const int image = set / sets(), own = set % sets();
    const int h = own / across() * rows + row + shift, w = own % across() * cols + col + shift;
    return (image * height + (h < height ? h : h - height)) * width + (w < width ? w : w - width);
  }
  constexpr int pixel(int set, int token) const { return pixel(set, token / cols, token % cols); }

  /// Tokens of a window attend to each other freely where their regions are equal.
  constexpr int region(int set, int token) const {
    const int own = set % sets();
    return 3 * label(own / across() * rows + token / cols, height, rows) +
           label(own % across() * cols + token % cols, width, cols);
  }

  struct place {
    int set, row, col;
  };
  /// The inverse of `pixel`.
  constexpr place find(int pixel) const {
    const int image = pixel / pixels(), own = pixel % pixels();
    const int h = own / width - shift, w = own % width - shift;
    const int r = h < 0 ? h + height : h, c = w < 0 ? w + width : w;
    return {image * sets() + r / rows * across() + c / cols, r % rows, c % cols};
  }

 private:
  constexpr int label(int i, int size, int side) const {
    return shift == 0 || i < size - side ? 0 : i < size - shift ? 1 : 2;
  }
};

}  // namespace unmask::inline UNMASK_ABI
