#pragma once

/// Depthwise 3x3 convolution of a channels-last image, zero padding that keeps the size, no bias.
///   forward   y[h, w, c] = sum_{i, j} x[h+i-1, w+j-1, c] W[i, j, c]
///   gradient  dx[h, w, c] = sum_{i, j} dy[h-i+1, w-j+1, c] W[i, j, c],  dW[i, j, c] += sum_{h, w} x[h+i-1, w+j-1, c]
///   dy[h, w, c] shapes    x [H, W, C] with pixels `ldx` apart, y [H, W, C] contiguous, W [3, 3, C] (files: [C, 1, 3,
///   3])
/// The backward pass adds its weight gradient to chunk `i` of `chunks` buffers `stride` apart.

#include "../parallel/parallel_for.hpp"

namespace unmask::inline UNMASK_ABI {

namespace op {
struct depthwise3x3 {};
}  // namespace op

/// Buffers that collect gradients: chunk c of a fixed number of slices writes at first + c * stride.
template <class T>
struct chunk_buffers {
  T* first;
  index_t stride;
  index_t limit;  ///< at most this many chunks
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
struct kernel<op::depthwise3x3, ref> {
  template <class T>
  static void forward(const ref&, T* y, const T* x, index_t ldx, const T* weight, index_t height, index_t width,
                      index_t c) {
    for (index_t h = 0; h < height; ++h)
      for (index_t w = 0; w < width; ++w)
        for (index_t k = 0; k < c; ++k) {
          T sum = 0;
          detail::each_neighbour(h, w, height, width,
                                 [&](index_t tap, index_t at) { sum += x[at * ldx + k] * weight[tap * c + k]; });
          y[(h * width + w) * c + k] = sum;
        }
  }

  template <class T>
  static void backward(const ref&, T* dx, chunk_buffers<T> dweight, const T* dy, const T* x, index_t ldx,
                       const T* weight, index_t height, index_t width, index_t c) {
    std::fill_n(dx, height * width * c, T(0));
    for (index_t h = 0; h < height; ++h)
      for (index_t w = 0; w < width; ++w)
        detail::each_neighbour(h, w, height, width, [&](index_t tap, index_t at) {
          for (index_t k = 0; k < c; ++k) {
            const T g = dy[(h * width + w) * c + k];
            dweight.first[tap * c + k] += x[at * ldx + k] * g;
            dx[at * c + k] += g * weight[tap * c + k];
          }
        });
  }
};

template <>
struct kernel<op::depthwise3x3, cpu>;  // nn/cpu/depthwise3x3.hpp

}  // namespace unmask::inline UNMASK_ABI
