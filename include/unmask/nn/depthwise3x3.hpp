#pragma once

/// Depthwise 3x3 convolution of a channels-last image, zero padding that keeps the size, no bias.
///   forward   y[h, w, c] = sum_{i, j} x[h+i-1, w+j-1, c] W[i, j, c]
///   gradient  dx[h, w, c] = sum_{i, j} dy[h-i+1, w-j+1, c] W[i, j, c]
///             dW[i, j, c] += sum_{h, w} x[h+i-1, w+j-1, c] dy[h, w, c]
///   shapes    x [B, H, W, C] with pixels `ld` apart, y [B, H, W, C] contiguous, W [3, 3, C] (files: [C, 1, 3, 3])
/// The backward pass adds its weight gradient to chunk `i` of `chunks` buffers `stride` apart.

#include "matmul.hpp"
#include "partial_sums.hpp"

namespace unmask::inline UNMASK_ABI {

namespace op {
struct depthwise3x3 {};
}  // namespace op

/// Images of contiguous rows.
struct depthwise_sizes {
  index_t height, width, channels, batch = 1;
};

namespace detail {

/// body(tap, neighbour pixel) for the taps of pixel (h, w) that lie inside H x W.
template <class Body>
void each_neighbour(index_t h, index_t w, index_t height, index_t width, Body&& body) {
  for (index_t i = 0; i < 3; ++i) {
    const index_t row = h + i - 1;
    if (row < 0 || row >= height) continue;
    for (index_t j = 0; j < 3; ++j) {
      const index_t col = w + j - 1;
      if (col < 0 || col >= width) continue;
      body(i * 3 + j, row * width + col);
    }
  }
}

}  // namespace detail

template <>
struct kernel<op::depthwise3x3, ref> : no_scratch {
  template <class T>
  static void forward(const ref&, T* y, matrix<const T> x, const T* weight, const depthwise_sizes& s) {
    each_output(s, [&](index_t h, index_t w, index_t first) {
      for (index_t k = 0; k < s.channels; ++k) {
        T sum = 0;
        detail::each_neighbour(h, w, s.height, s.width, [&](index_t tap, index_t at) {
          sum += x.data[(first + at) * x.ld + k] * weight[tap * s.channels + k];
        });
        y[(first + h * s.width + w) * s.channels + k] = sum;
      }
    });
  }

  template <class T>
  static void backward(const ref&, T* dx, chunk_buffers<T> dweight, const T* dy, matrix<const T> x, const T* weight,
                       const depthwise_sizes& s) {
    const index_t c = s.channels;
    std::fill_n(dx, s.batch * s.height * s.width * c, T(0));
    each_output(s, [&](index_t h, index_t w, index_t first) {
      detail::each_neighbour(h, w, s.height, s.width, [&](index_t tap, index_t at) {
        for (index_t k = 0; k < c; ++k) {
          const T g = dy[(first + h * s.width + w) * c + k];
          dweight.first[tap * c + k] += x.data[(first + at) * x.ld + k] * g;
          dx[(first + at) * c + k] += g * weight[tap * c + k];
        }
      });
    });
  }

 private:
  /// body(row, column, first pixel of the image).
  template <class Body>
  static void each_output(const depthwise_sizes& s, Body&& body) {
    for (index_t b = 0; b < s.batch; ++b)
      for (index_t h = 0; h < s.height; ++h)
        for (index_t w = 0; w < s.width; ++w) body(h, w, b * s.height * s.width);
  }
};

template <>
struct kernel<op::depthwise3x3, cpu>;  // nn/cpu/depthwise3x3.hpp

}  // namespace unmask::inline UNMASK_ABI
