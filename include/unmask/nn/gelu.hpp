#pragma once

/// Gaussian error linear unit, the exact one (Hendrycks, Gimpel 2016).
///   forward   y = x Phi(x) = x/2 (1 + erf(x / sqrt 2))
///   gradient  dx = dy (Phi(x) + x phi(x)),  phi(x) = exp(-x^2/2) / sqrt(2 pi)
///   shapes    any, contiguous; y may be x, dx may be dy
/// Serial.

#include <cmath>
#include <numbers>

#include "../core/backend.hpp"
#include "../core/view.hpp"

namespace unmask::inline UNMASK_ABI {

namespace op {
struct gelu {};
}  // namespace op

namespace detail {
inline constexpr double inv_sqrt_2 = 1 / std::numbers::sqrt2;
inline constexpr double inv_sqrt_2pi = std::numbers::inv_sqrtpi / std::numbers::sqrt2;
}  // namespace detail

template <>
struct kernel<op::gelu, ref> : no_scratch {
  template <class T>
  static void forward(const ref&, T* y, const T* x, index_t n) {
    for (index_t i = 0; i < n; ++i) y[i] = x[i] / 2 * (1 + std::erf(x[i] * static_cast<T>(detail::inv_sqrt_2)));
  }

  template <class T>
  static void backward(const ref&, T* dx, const T* dy, const T* x, index_t n) {
    for (index_t i = 0; i < n; ++i) {
      const T cdf = (1 + std::erf(x[i] * static_cast<T>(detail::inv_sqrt_2))) / 2;
      const T pdf = std::exp(-x[i] * x[i] / 2) * static_cast<T>(detail::inv_sqrt_2pi);
      dx[i] = dy[i] * (cdf + x[i] * pdf);
    }
  }
};

template <>
struct kernel<op::gelu, cpu>;  // nn/cpu/gelu.hpp

}  // namespace unmask::inline UNMASK_ABI
