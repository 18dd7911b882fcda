#pragma once

/// Softmax along the image width, per row and channel: the released network's last step from mask to embedding.
///   forward   e[w, c] = exp(z[w, c] - max_w z) / sum_w exp(z[w, c] - max_w z)
///   gradient  dz[w, c] = e[w, c] (de[w, c] - sum_w de[w, c] e[w, c])
///   shapes    one image row [W, C], in place; `channel` is scratch of C numbers
/// Serial.

#include <algorithm>
#include <cmath>

#include "../core/backend.hpp"
#include "../core/view.hpp"

namespace unmask::inline UNMASK_ABI {

namespace op {
struct width_softmax {};
}  // namespace op

template <>
struct kernel<op::width_softmax, ref> {
  template <class T>
  static void forward(T* row, T* /*channel*/, index_t width, index_t c) {
    for (index_t k = 0; k < c; ++k) {
      T top = row[k], sum = 0;
      for (index_t w = 1; w < width; ++w) top = std::max(top, row[w * c + k]);
      for (index_t w = 0; w < width; ++w) sum += row[w * c + k] = std::exp(row[w * c + k] - top);
      for (index_t w = 0; w < width; ++w) row[w * c + k] /= sum;
    }
  }

  /// d holds de on entry and dz on return.
  template <class T>
  static void backward(T* d, const T* e, T* /*channel*/, index_t width, index_t c) {
    for (index_t k = 0; k < c; ++k) {
      T dot = 0;
      for (index_t w = 0; w < width; ++w) dot += d[w * c + k] * e[w * c + k];
      for (index_t w = 0; w < width; ++w) d[w * c + k] = e[w * c + k] * (d[w * c + k] - dot);
    }
  }
};

template <>
struct kernel<op::width_softmax, cpu>;  // nn/cpu/width_softmax.hpp

}  // namespace unmask::inline UNMASK_ABI
