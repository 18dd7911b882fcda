#pragma once

/// 3x3 convolution by Winograd's F(2 x 2, 3 x 3): strips of tiles are transformed, multiplied point by point and
/// transformed back while they are in cache. 2.25 times fewer multiply-adds than the direct sum, in all three
/// directions.

#include "../../core/arena.hpp"
#include "winograd.hpp"

namespace unmask::inline UNMASK_ABI {

template <>
struct kernel<op::conv3x3, cpu> {
  /// Transformed weights, each thread's transformed inputs, and (in training) the chunks' gradients behind them.
  static index_t scratch(const cpu& be, const conv_sizes& s, bool training) {
    return work(be, s) + (training ? max_chunks * s.partial() : 0);
  }

  template <class T>
  UNMASK_ONE_CODE static void forward(const cpu& be, T* y, const T* x, conv_params<const T> p, conv_sizes s, T* scratch,
                                      const T* add = nullptr) {
    const index_t c = s.in_channels, o = s.out_channels;
    detail::winograd<T>::weights(scratch, c, o,
                                 [=](index_t tap, index_t k, index_t i) { return p.weight[(tap * c + k) * o + i]; });
    convolve(be, y, x, scratch, p.bias, add, s);
  }

  template <class T>
  static void backward(const cpu& be, T* dx, conv_params<T> d, const T* dy, const T* x, conv_params<const T> p,
                       conv_sizes s, T* scratch) {
    T* const partials = scratch + work(be, s);
    const index_t c = s.in_channels, o = s.out_channels;
    if (dx) {
      // dx is itself a convolution of dy: taps reversed, channels exchanged
      detail::winograd<T>::weights(
          scratch, o, c, [=](index_t tap, index_t k, index_t i) { return p.weight[((8 - tap) * c + i) * o + k]; });
      convolve<T>(be, dx, dy, scratch, nullptr, nullptr, {s.batch, s.height, s.width, o, c});
    }
    parallel_chunks(be, strips(s), [&](index_t chunk, index_t begin, index_t end, int slot) {
      T* const g = partials + chunk * s.partial();
      std::fill_n(g, s.partial(), T(0));
      for (index_t i = begin; i < end; ++i) weight_gradient(g, dy, x, s, strip_at(i, s), transformed(scratch, s, slot));
    });
    reduce(be, d, partials, s);
  }

 private:
  static index_t work(const cpu& be, const conv_sizes& s) { return s.packed() + thread_slots(be) * s.transformed(); }
  static index_t strips_a_row(conv_sizes s) { return (s.columns() + conv_sizes::strip - 1) / conv_sizes::strip; }
  static index_t strips(conv_sizes s) { return s.batch * s.rows() * strips_a_row(s); }
  static detail::tile_strip strip_at(index_t i, conv_sizes s) {
    const index_t parts = strips_a_row(s), part = i % parts, row = i / parts,
                  first = chunk_begin(part, parts, s.columns());
    return {row / s.rows(), row % s.rows(), first, chunk_begin(part + 1, parts, s.columns()) - first};
  }

  /// A thread's transformed inputs, behind the weights.
  template <class T>
  static T* transformed(T* scratch, conv_sizes s, int slot) {
    return scratch + s.packed() + slot * s.transformed();
  }

  /// A pixel outside the image, behind those.
  template <class T>
  static const T* zeros(T* v, conv_sizes s) {
    T* const pixel = v + conv_sizes::points * conv_sizes::apart(conv_sizes::padded(s.in_channels));
    std::fill_n(pixel, s.in_channels, T(0));
    return pixel;
  }

  /// y = x * transformed weights + bias + add; bias and add may be null.
  template <class T>
  static void convolve(const cpu& be, T* y, const T* x, T* scratch, const T* bias, const T* add, conv_sizes s) {
    using w = detail::winograd<T>;
    const index_t c = s.in_channels, ld = conv_sizes::padded(c);
    parallel_for(be, strips(s), [=](index_t i, int slot) {
      const auto at = strip_at(i, s);
      T* const v = transformed(scratch, s, slot);
      w::input(v, x, zeros(v, s), s, at);
      alignas(alignment) std::array<T, w::points * w::apart> m;
      for (index_t lane = 0; lane < s.out_channels; lane += w::width) {
        for (index_t k = 0; k < w::points; ++k)
          w::panel::template product<w::panel::left::rows>(at.count, m.data() + k * w::apart,
                                                           v + k * conv_sizes::apart(ld), ld,
                                                           scratch + (lane * w::points + k * w::width) * c, c);
        w::output(y, m.data(), bias, add, s, at, lane);
      }
    });
  }

  /// Adds what one strip contributes to g[panel][point][C][width], behind which lies the bias [panel][width].
  template <class T>
  static void weight_gradient(T* g, const T* dy, const T* x, conv_sizes s, const detail::tile_strip& at, T* v) {
    using w = detail::winograd<T>;
    const index_t c = s.in_channels, ld = conv_sizes::padded(c);
    w::input(v, x, zeros(v, s), s, at);
    alignas(alignment) std::array<T, w::points * w::apart> d;
    for (index_t lane = 0; lane < s.out_channels; lane += w::width) {
      w::output_gradient(d.data(), dy, s, at, lane);
      for (index_t k = 0; k < w::points; ++k)
        w::panel::template product<w::panel::left::columns>(c, g + (lane * w::points + k * w::width) * c,
                                                            v + k * conv_sizes::apart(ld), ld, d.data() + k * w::apart,
                                                            at.count);
      // the point in which all four outputs of a tile meet with sign +
      T* const bias = g + w::points * c * conv_sizes::padded(s.out_channels) + lane;
      const T* const whole = d.data() + 5 * w::apart;
      for (index_t tile = 0; tile < at.count; ++tile)
        for (index_t i = 0; i < w::width; ++i) bias[i] += whole[tile * w::width + i];
    }
  }

  /// Adds the chunks' gradients in order, transforms the sum back and adds it to d.
  template <class T>
  static void reduce(const cpu& be, conv_params<T> d, T* partials, conv_sizes s) {
    using w = detail::winograd<T>;
    const index_t c = s.in_channels, o = s.out_channels, chunks = chunk_count(strips(s)), size = s.partial();
    parallel_for(be, c + 1, [=](index_t k, int) {
      for (index_t lane = 0; lane < o; lane += w::width) {
        const index_t outputs = std::min(w::width, o - lane);
        if (k == c) {
          for (index_t chunk = 0; chunk < chunks; ++chunk)
            for (index_t i = 0; i < outputs; ++i)
              d.bias[lane + i] += partials[(chunk + 1) * size - conv_sizes::padded(o) + lane + i];
          continue;
        }
        std::array<T, 9 * w::width> taps;
        w::weight_sums(taps.data(), partials + (lane * w::points * c + k * w::width), chunks, size, c * w::width);
        for (index_t tap = 0; tap < 9; ++tap)
          for (index_t i = 0; i < outputs; ++i)
            d.weight[(tap * c + k) * o + lane + i] += taps[static_cast<std::size_t>(tap * w::width + i)];
      }
    });
  }
};

}  // namespace unmask::inline UNMASK_ABI
