#pragma once

/// 3x3 convolution. Forward, a block makes 64 output channels of 8 x 16 pixels: their neighbourhood lies in shared
/// memory once, and each of the nine taps is a product of it, shifted, with that tap's weights. The gradient of the
/// input is the same convolution of dy with the weights turned round.

#include "../conv3x3.hpp"
#include "conv3x3_gradient.cuh"

namespace unmask::inline UNMASK_ABI {

namespace detail {

template <class Math>
struct conv3x3_body {
  using T = typename Math::number;
  using element = typename Math::element;
  static constexpr int threads = 256, tall = 8, wide = 16, around = (tall + 2) * (wide + 2);
  static constexpr int depth = sizeof(T) == 4 ? 64 : 32, lda = depth + Math::padding;
  static_assert(tall * wide == threads / 2);
  T* y;
  const T *x, *weight, *bias, *add;  ///< bias and add may be null
  conv_sizes s;

  static constexpr std::size_t shared() {
    return shared_bytes<element>(around * lda) + shared_bytes<element>(2 * depth * tile_ldb);
  }
  index_t blocks() const {
    return s.batch * blocks_for(s.height, tall) * blocks_for(s.width, wide) * blocks_for(s.out_channels, tile_cols);
  }

  template <class Thread>
  UNMASK_DEVICE void operator()(Thread& t) const {
    static_assert(shared() <= most_shared_bytes);
    element* const pixels = t.template shared<element>(around * lda);
    element* const taps = t.template shared<element>(2 * depth * tile_ldb);
    const index_t groups = blocks_for(s.out_channels, tile_cols), columns = blocks_for(s.width, wide),
                  rows = blocks_for(s.height, tall), col = t.block() % groups * tile_cols, at = t.block() / groups;
    const index_t left = at % columns * wide, top = at / columns % rows * tall, b = at / columns / rows;
    tile<Math> sum;
    sum.clear();
    for (index_t c = 0; c < s.in_channels; c += depth) {
      const int used = static_cast<int>(s.in_channels - c < depth ? s.in_channels - c : depth);
      const int deep = rounded(used, Math::step);
      load_pixels(t, pixels, b, top - 1, left - 1, c, used, deep);
      const auto load_tap = [&](int tap) {
        load_b<Math>(t, taps + tap % 2 * depth * tile_ldb, weight + (tap * s.in_channels + c) * s.out_channels,
                     s.out_channels, used, col, s.out_channels, deep);
      };
      load_tap(0);
      t.sync();
      for (int tap = 0; tap < 9; ++tap) {
        if (tap < 8) load_tap(tap + 1);  // into the other half, while slower warps still multiply
        const element* from = pixels + (tap / 3 * (wide + 2) + tap % 3) * lda;
        sum.multiply(
            t, [from](int r) { return from + (r / wide * (wide + 2) + r % wide) * lda; },
            taps + tap % 2 * depth * tile_ldb, deep);
        t.sync();
      }
    }
    sum.each(t, [&](int r, int o, T value) {
      const index_t h = top + r / wide, w = left + r % wide;
      if (h >= s.height || w >= s.width || col + o >= s.out_channels) return;
      const index_t to = ((b * s.height + h) * s.width + w) * s.out_channels + col + o;
      if (bias) value += bias[col + o];
      y[to] = add ? value + add[to] : value;
    });
  }

 private:
  template <class Thread>
  UNMASK_DEVICE void load_pixels(Thread& t, element* to, index_t b, index_t top, index_t left, index_t c, int used,
                                 int deep) const {
    for (int p = t.warp(); p < around; p += threads / warp_size) {
      const index_t h = top + p / (wide + 2), w = left + p % (wide + 2);
      const bool inside = h >= 0 && h < s.height && w >= 0 && w < s.width;
      const T* const from = x + (inside ? ((b * s.height + h) * s.width + w) * s.in_channels + c : 0);
      for (int k = t.lane(); k < deep; k += warp_size)
        to[p * lda + k] = Math::store(inside && k < used ? from[k] : T(0));
    }
  }
};

/// packed [tap', O, C] = weight [8 - tap', C, O].
template <class T>
struct turn_taps_each {
  T* packed;
  const T* weight;
  index_t in_channels, out_channels;
  UNMASK_DEVICE void operator()(index_t i) const {
    const index_t c = i % in_channels, o = i / in_channels % out_channels, tap = i / in_channels / out_channels;
    packed[i] = weight[((8 - tap) * in_channels + c) * out_channels + o];
  }
};

}  // namespace detail

template <>
struct kernel<op::conv3x3, cuda> {
  /// In training: the turned weights, and behind them the chunks' gradients.
  static index_t scratch(const cuda& be, const conv_sizes& s, bool training) {
    return training ? weights(s) + gradient_chunks(be) * std::max(weights(s), s.out_channels) : 0;
  }

  template <class T>
  static void forward(const cuda& be, T* y, const T* x, conv_params<const T> p, conv_sizes s, T* /*scratch*/,
                      const T* add = nullptr) {
    run<T>(be, y, x, p.weight, p.bias, add, s);
  }

  template <class T>
  static void backward(const cuda& be, T* dx, conv_params<T> d, const T* dy, const T* x, conv_params<const T> p,
                       conv_sizes s, T* scratch) {
    T *const packed = scratch, *const partials = scratch + weights(s);
    detail::conv3x3_parameter_gradient<T>(be, d, dy, x, s, partials);
    if (!dx) return;
    launch_each(be, weights(s), detail::turn_taps_each<T>{packed, p.weight, s.in_channels, s.out_channels});
    run<T>(be, dx, dy, packed, nullptr, nullptr, {s.batch, s.height, s.width, s.out_channels, s.in_channels});
  }

 private:
  static index_t weights(const conv_sizes& s) { return 9 * s.in_channels * s.out_channels; }

  template <class T>
  static void run(const cuda& be, T* y, const T* x, const T* weight, const T* bias, const T* add, conv_sizes s) {
    detail::with_math<T>(be, [&](auto math) {
      const detail::conv3x3_body<decltype(math)> body{y, x, weight, bias, add, s};
      launch(be, body.blocks(), body.shared(), body);
    });
  }
};

}  // namespace unmask::inline UNMASK_ABI
