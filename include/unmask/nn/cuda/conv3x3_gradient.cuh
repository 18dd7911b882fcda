#pragma once

/// Gradient of a 3x3 convolution's weights: for each tap the product of the shifted image, turned, with dy. A block
/// sums one chunk of the pixels for one tap, 64 channels in and 64 out; the chunks are added in order.

#include "../conv3x3.hpp"
#include "rows.cuh"
#include "tile.cuh"

namespace unmask::inline UNMASK_ABI::detail {

template <class Math>
struct conv3x3_weight_body {
  using T = typename Math::number;
  using element = typename Math::element;
  static constexpr int threads = 128, rows = threads / 2, depth = 64, lda = depth + Math::padding;
  T* partials;  ///< [chunks, 9, C, O]
  const T *dy, *x;
  conv_sizes s;
  index_t chunks;

  static constexpr std::size_t shared() {
    return shared_bytes<element>(rows * lda) + shared_bytes<element>(depth * tile_ldb);
  }
  index_t blocks() const {
    return chunks * 9 * blocks_for(s.in_channels, rows) * blocks_for(s.out_channels, tile_cols);
  }

  template <class Thread>
  UNMASK_DEVICE void operator()(Thread& t) const {
    element* const left = t.template shared<element>(rows * lda);
    element* const right = t.template shared<element>(depth * tile_ldb);
    const index_t across = blocks_for(s.out_channels, tile_cols), down = blocks_for(s.in_channels, rows);
    const index_t col = t.block() % across * tile_cols, row = t.block() / across % down * rows,
                  tap = t.block() / across / down % 9, chunk = t.block() / across / down / 9;
    const index_t pixels = s.batch * s.height * s.width, end = (chunk + 1) * pixels / chunks;
    tile<Math> sum;
    sum.clear();
    for (index_t p = chunk * pixels / chunks; p < end; p += depth) {
      const int used = static_cast<int>(end - p < depth ? end - p : depth), deep = rounded(used, Math::step);
      load_shifted(t, left, p, used, deep, row, tap);
      load_b<Math>(t, right, dy + p * s.out_channels, s.out_channels, used, col, s.out_channels, deep);
      t.sync();
      sum.multiply(
          t, [left](int r) { return left + r * lda; }, right, deep);
      t.sync();
    }
    T* const to = partials + (chunk * 9 + tap) * s.in_channels * s.out_channels;
    sum.each(t, [&](int c, int o, T value) {
      if (row + c < s.in_channels && col + o < s.out_channels) to[(row + c) * s.out_channels + col + o] = value;
    });
  }

 private:
  /// to[c, q] = channel c of what pixel p + q sees through the tap.
  template <class Thread>
  UNMASK_DEVICE void load_shifted(Thread& t, element* to, index_t p, int used, int deep, index_t row,
                                  index_t tap) const {
    for (int q = t.warp(); q < deep; q += threads / warp_size) {
      const index_t w = (p + q) % s.width + tap % 3 - 1, h = (p + q) / s.width % s.height + tap / 3 - 1;
      const bool inside = q < used && h >= 0 && h < s.height && w >= 0 && w < s.width;
      const T* const from = x + (inside ? (p + q + (tap / 3 - 1) * s.width + tap % 3 - 1) * s.in_channels + row : 0);
      for (int c = t.lane(); c < rows; c += warp_size)
        to[c * lda + q] = Math::store(inside && row + c < s.in_channels ? from[c] : T(0));
    }
  }
};

/// d accumulates; `partials` holds gradient_chunks(be) gradients of the weights.
template <class T>
void conv3x3_parameter_gradient(const cuda& be, conv_params<T> d, const T* dy, const T* x, conv_sizes s, T* partials) {
  const index_t pixels = s.batch * s.height * s.width;
  // nine taps a chunk fill a GPU with sixteen chunks; fewer than 64 pixels each would be slower to add than to sum
  const index_t wanted = blocks_for(pixels, 64), chunks = wanted < max_chunks ? wanted : max_chunks;
  with_math<T>(be, [&](auto math) {
    const conv3x3_weight_body<decltype(math)> body{partials, dy, x, s, chunks};
    launch(be, body.blocks(), body.shared(), body);
  });
  const index_t size = 9 * s.in_channels * s.out_channels;
  reduce_partials(be, d.weight, {partials, size, chunks}, size);
  add_row_sums<T>(be, d.bias, {dy, s.out_channels}, pixels, s.out_channels, partials);
}

}  // namespace unmask::inline UNMASK_ABI::detail
