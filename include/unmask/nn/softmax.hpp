#pragma once

/// Softmax of a row.
///   forward   y_i = exp(x_i - max x) / sum_j exp(x_j - max x)
///   gradient  dx_i = y_i (dy_i - sum_j dy_j y_j)
///   shapes    [N, C] rows of stride C; in place: y may be x, dx may be dy
/// Serial.

#include <algorithm>
#include <cmath>

#include "../core/backend.hpp"
#include "../core/view.hpp"

namespace unmask::inline UNMASK_ABI {

namespace op {
struct softmax {};
}  // namespace op

template <>
struct kernel<op::softmax, ref> : no_scratch {
  template <class T>
  static void forward(const ref&, T* y, const T* x, index_t n, index_t c) {
    for (index_t i = 0; i < n; ++i, x += c, y += c) {
      const T top = *std::max_element(x, x + c);
      T sum = 0;
      for (index_t k = 0; k < c; ++k) sum += y[k] = std::exp(x[k] - top);
      for (index_t k = 0; k < c; ++k) y[k] /= sum;
    }
  }

  template <class T>
  static void backward(const ref&, T* dx, const T* dy, const T* y, index_t n, index_t c) {
    for (index_t i = 0; i < n; ++i, y += c, dy += c, dx += c) {
      T dot = 0;
      for (index_t k = 0; k < c; ++k) dot += dy[k] * y[k];
      for (index_t k = 0; k < c; ++k) dx[k] = y[k] * (dy[k] - dot);
    }
  }
};

template <>
struct kernel<op::softmax, cpu>;  // nn/cpu/softmax.hpp

}  // namespace unmask::inline UNMASK_ABI
