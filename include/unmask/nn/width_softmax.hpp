#pragma once

/// Softmax along the image width, per row and channel: the released network's last step from mask to embedding.
///   forward   e[w, c] = exp(z[w, c] - max_w z) / sum_w exp(z[w, c] - max_w z)
///   gradient  dz[w, c] = e[w, c] (de[w, c] - sum_w de[w, c] e[w, c])
///   shapes    image rows [N, W, C], in place

#include <algorithm>
#include <cmath>

#include "../core/backend.hpp"
#include "../core/view.hpp"

namespace unmask::inline UNMASK_ABI {

namespace op {
struct width_softmax {};
}  // namespace op

/// N rows of W pixels of C channels.
struct image_rows {
  index_t rows, width, channels;
};

template <>
struct kernel<op::width_softmax, ref> : no_scratch {
  template <class T>
  static void forward(const ref&, T* z, const image_rows& s, T* /*scratch*/) {
    const index_t c = s.channels;
    for (T* row = z; row < z + s.rows * s.width * c; row += s.width * c)
      for (index_t k = 0; k < c; ++k) {
        T top = row[k], sum = 0;
        for (index_t w = 1; w < s.width; ++w) top = std::max(top, row[w * c + k]);
        for (index_t w = 0; w < s.width; ++w) sum += row[w * c + k] = std::exp(row[w * c + k] - top);
        for (index_t w = 0; w < s.width; ++w) row[w * c + k] /= sum;
      }
  }

  /// d holds de on entry and dz on return.
  template <class T>
  static void backward(const ref&, T* d, const T* e, const image_rows& s, T* /*scratch*/) {
    const index_t c = s.channels;
    for (index_t r = 0; r < s.rows; ++r, d += s.width * c, e += s.width * c)
      for (index_t k = 0; k < c; ++k) {
        T dot = 0;
        for (index_t w = 0; w < s.width; ++w) dot += d[w * c + k] * e[w * c + k];
        for (index_t w = 0; w < s.width; ++w) d[w * c + k] = e[w * c + k] * (d[w * c + k] - dot);
      }
  }
};

template <>
struct kernel<op::width_softmax, cpu>;  // nn/cpu/width_softmax.hpp

}  // namespace unmask::inline UNMASK_ABI
