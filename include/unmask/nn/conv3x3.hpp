#pragma once

/// 3x3 convolution of a channels-last image, zero padding that keeps the size, stride 1.
///   forward   y[h, w, o] = b[o] + sum_{i, j, c} x[h+i-1, w+j-1, c] W[i, j, c, o] + add[h, w, o]
///   gradient  dx[h, w, c] = sum_{i, j, o} dy[h-i+1, w-j+1, o] W[i, j, c, o]
///             dW[i, j, c, o] += sum_{h, w} x[h+i-1, w+j-1, c] dy[h, w, o],  db[o] += sum dy[h, w, o]
///   shapes    x [B, H, W, C], y [B, H, W, O], W [3, 3, C, O] (files: [O, C, 3, 3]), b [O]
/// `add` is a residual or null; it may be y.

#include "linear.hpp"
#include "partial_sums.hpp"

namespace unmask::inline UNMASK_ABI {

namespace op {
struct conv3x3 {};
}  // namespace op

template <class T>
struct conv_params {
  T* weight;
  T* bias;
};

struct conv_sizes {
  index_t batch, height, width, in_channels, out_channels;
  /// The cpu kernel's tiles of 2 x 2 outputs have 16 points; a thread works on `strip` of them at once.
  static constexpr index_t points = 16, strip = 16;
  index_t rows() const { return (height + 1) / 2; }
  index_t columns() const { return (width + 1) / 2; }

  /// Channels padded to two registers of the widest instruction set: scratch does not depend on it.
  static constexpr index_t padded(index_t channels) { return (channels + 31) / 32 * 32; }
  index_t packed() const {
    return points * std::max(in_channels * padded(out_channels), out_channels * padded(in_channels));
  }
  /// Numbers from one point of a strip to the next: no power of two, or all points share a set of the first cache.
  static constexpr index_t apart(index_t lanes) { return strip * lanes + 16; }
  index_t transformed() const {
    const index_t wider = padded(std::max(in_channels, out_channels));
    return points * apart(wider) + wider;
  }
  index_t partial() const { return (points * in_channels + 1) * padded(out_channels); }
};

template <>
struct kernel<op::conv3x3, ref> : no_scratch {
  template <class T>
  static void forward(const ref&, T* y, const T* x, conv_params<const T> p, conv_sizes s, T* /*scratch*/,
                      const T* add = nullptr) {
    each_tap(
        s,
        [&](index_t to, index_t from, index_t tap) {
          if (tap == 4)  // the centre exists for every pixel: it brings the bias
            for (index_t o = 0; o < s.out_channels; ++o) y[to * s.out_channels + o] += p.bias[o];
          for (index_t c = 0; c < s.in_channels; ++c)
            for (index_t o = 0; o < s.out_channels; ++o)
              y[to * s.out_channels + o] +=
                  x[from * s.in_channels + c] * p.weight[(tap * s.in_channels + c) * s.out_channels + o];
        },
        [&] {
          const index_t size = s.batch * s.height * s.width * s.out_channels;
          if (!add) std::fill_n(y, size, T(0));
          if (add && add != y) std::copy_n(add, size, y);
        });
  }

  template <class T>
  static void backward(const ref&, T* dx, conv_params<T> d, const T* dy, const T* x, conv_params<const T> p,
                       conv_sizes s, T* /*scratch*/) {
    each_tap(
        s,
        [&](index_t to, index_t from, index_t tap) {
          if (tap == 4)
            for (index_t o = 0; o < s.out_channels; ++o) d.bias[o] += dy[to * s.out_channels + o];
          for (index_t c = 0; c < s.in_channels; ++c)
            for (index_t o = 0; o < s.out_channels; ++o) {
              const index_t w = (tap * s.in_channels + c) * s.out_channels + o;
              const T g = dy[to * s.out_channels + o];
              d.weight[w] += x[from * s.in_channels + c] * g;
              if (dx) dx[from * s.in_channels + c] += g * p.weight[w];
            }
        },
        [&] {
          if (dx) std::fill_n(dx, s.batch * s.height * s.width * s.in_channels, T(0));
        });
  }

 private:
  /// body(output pixel, input pixel, tap) for every pair that a 3x3 neighbourhood joins.
  template <class Body, class Before>
  static void each_tap(conv_sizes s, Body&& body, Before&& before) {
    before();
    for (index_t b = 0; b < s.batch; ++b)
      for (index_t h = 0; h < s.height; ++h)
        for (index_t w = 0; w < s.width; ++w)
          for (index_t tap = 0; tap < 9; ++tap) {
            const index_t row = h + tap / 3 - 1, col = w + tap % 3 - 1;
            if (row < 0 || row >= s.height || col < 0 || col >= s.width) continue;
            body((b * s.height + h) * s.width + w, (b * s.height + row) * s.width + col, tap);
          }
  }
};

template <>
struct kernel<op::conv3x3, cpu>;  // nn/cpu/conv3x3.hpp

}  // namespace unmask::inline UNMASK_ABI
