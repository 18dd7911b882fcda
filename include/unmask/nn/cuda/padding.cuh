#pragma once

/// Reflection and its gradient for whole batches, a thread an output. The gradient of a reflection is
/// gathered: a pixel adds up its mirror images in a fixed order, without atomics.

#include "../padding.hpp"
#include "rows.cuh"

namespace unmask::inline UNMASK_ABI {

namespace detail {

/// The smallest position after `i` that shows the same pixel `p` of [0, size).
constexpr index_t next_mirror(index_t i, index_t p, index_t size) {
  if (size == 1) return i + 1;
  const index_t period = 2 * (size - 1), at = i % period;
  return i - at + (at < period - p ? period - p : period + p);
}

template <class T>
struct reflect_each {
  T* y;
  const T* x;
  pad_sizes s;
  UNMASK_DEVICE void operator()(index_t pixel, int k) const {
    const index_t w = pixel % s.padded_width, row = pixel / s.padded_width, h = row % s.padded_height,
                  b = row / s.padded_height;
    y[pixel * s.channels + k] =
        x[((b * s.height + reflect(h, s.height)) * s.width + reflect(w, s.width)) * s.channels + k];
  }
};

template <class T>
struct reflect_backward_each {
  T* dx;
  const T* dy;
  pad_sizes s;
  UNMASK_DEVICE void operator()(index_t pixel, int k) const {
    const index_t w = pixel % s.width, row = pixel / s.width, h = row % s.height, b = row / s.height;
    T sum = 0;
    for (index_t r = h; r < s.padded_height; r = next_mirror(r, h, s.height))
      for (index_t c = w; c < s.padded_width; c = next_mirror(c, w, s.width))
        sum += dy[((b * s.padded_height + r) * s.padded_width + c) * s.channels + k];
    dx[pixel * s.channels + k] = sum;
  }
};

}  // namespace detail

template <>
struct kernel<op::reflect_pad, cuda> : no_scratch {
  template <class T>
  static void forward(const cuda& be, T* y, const T* x, const pad_sizes& s) {
    launch_rows(be, s.batch * s.padded_height * s.padded_width, s.channels, detail::reflect_each<T>{y, x, s});
  }
  template <class T>
  static void backward(const cuda& be, T* dx, const T* dy, const pad_sizes& s) {
    launch_rows(be, s.batch * s.height * s.width, s.channels, detail::reflect_backward_each<T>{dx, dy, s});
  }
};

}  // namespace unmask::inline UNMASK_ABI
