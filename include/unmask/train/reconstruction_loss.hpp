#pragma once

/// Reconstruction loss: L = outer(mean w phi(F^ - F)), the mean over all elements, weight or not.
/// Gradient: dL/dF^ = outer'(mean) / n * w phi'(F^ - F); see penalty.hpp for phi and outer.
/// Sums run in double and in an order that the thread count does not change. No heap.

#include "penalty.hpp"

namespace unmask::inline UNMASK_ABI::train {

/// `destimate` (overwritten, or data() == nullptr: not wanted), `estimate`, `truth` and `weight` (or data() == nullptr:
/// all ones) are [B, H, W, C].
template <class T, class Backend>
double reconstruction_loss(const Backend& backend, const penalty& rho, out<T, 4> destimate, in<T, 4> estimate,
                           in<T, 4> truth, in<T, 4> weight = {}) {
  const index_t batch = truth.extent(0), height = truth.extent(1), n = truth.extent(2) * truth.extent(3);
  return detail::with_penalty(rho, [&](auto form) {
    const auto mean = detail::ordered_sum(backend, batch * height,
                                          [&](index_t i) {
                                            const T* y = detail::row(estimate, i / height, i % height);
                                            const T* x = detail::row(truth, i / height, i % height);
                                            const T* w =
                                                weight.data() ? detail::row(weight, i / height, i % height) : nullptr;
                                            double sum = 0;
                                            for (index_t k = 0; k < n; ++k)
                                              sum += static_cast<double>((w ? w[k] : T{1}) * form.value(y[k] - x[k]));
                                            return sum;
                                          }) /
                      static_cast<double>(truth.size());
    if (destimate.data()) {
      const auto scale = static_cast<T>(form.outer_slope(mean) / static_cast<double>(truth.size()));
      detail::each_row(backend, batch, height, [&](index_t b, index_t h) {
        const T* y = detail::row(estimate, b, h);
        const T* x = detail::row(truth, b, h);
        const T* w = weight.data() ? detail::row(weight, b, h) : nullptr;
        T* dy = detail::row(destimate, b, h);
        for (index_t k = 0; k < n; ++k) dy[k] = scale * (w ? w[k] : T{1}) * form.slope(y[k] - x[k]);
      });
    }
    return form.outer(mean);
  });
}

}  // namespace unmask::inline UNMASK_ABI::train
