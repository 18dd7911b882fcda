#pragma once

/// Layer normalisation of rows over their channels (Ba, Kiros, Hinton 2016).
///   forward   n = (x - mean) * r,  y = n g + b,  r = 1/sqrt(var + 1e-5), biased variance in two passes
///   gradient  dn = dy g,  dx = r (dn - mean(dn) - n mean(dn n)),  dg += dy n,  db += dy
///   shapes    x, y [N, C] contiguous; g, b [C]; saved: mean, r [N]
/// Serial.

#include <cmath>

#include "../core/backend.hpp"
#include "../core/view.hpp"

namespace unmask::inline UNMASK_ABI {

namespace op {
struct layer_norm {};
}  // namespace op

template <class T>
struct norm_params {
  T* weight;
  T* bias;
};

inline constexpr double layer_norm_epsilon = 1e-5;

template <>
struct kernel<op::layer_norm, ref> {
  template <class T>
  static void forward(T* y, T* mean, T* rstd, const T* x, norm_params<const T> p, index_t n, index_t c) {
    for (index_t i = 0; i < n; ++i, x += c, y += c) {
      T sum = 0, square = 0;
      for (index_t k = 0; k < c; ++k) sum += x[k];
      mean[i] = sum / static_cast<T>(c);
      for (index_t k = 0; k < c; ++k) square += (x[k] - mean[i]) * (x[k] - mean[i]);
      rstd[i] = 1 / std::sqrt(square / static_cast<T>(c) + static_cast<T>(layer_norm_epsilon));
      for (index_t k = 0; k < c; ++k) y[k] = (x[k] - mean[i]) * rstd[i] * p.weight[k] + p.bias[k];
    }
  }

  /// dx is accumulated: the rows of a residual block collect several gradients.
  template <class T>
  static void backward(T* dx, norm_params<T> d, const T* dy, const T* x, norm_params<const T> p, const T* mean,
                       const T* rstd, index_t n, index_t c) {
    for (index_t i = 0; i < n; ++i, x += c, dy += c, dx += c) {
      T sum = 0, dot = 0;
      for (index_t k = 0; k < c; ++k) {
        const T normal = (x[k] - mean[i]) * rstd[i], dn = dy[k] * p.weight[k];
        d.weight[k] += dy[k] * normal;
        d.bias[k] += dy[k];
        sum += dn;
        dot += dn * normal;
      }
      sum /= static_cast<T>(c);
      dot /= static_cast<T>(c);
      for (index_t k = 0; k < c; ++k) dx[k] += rstd[i] * (dy[k] * p.weight[k] - sum - (x[k] - mean[i]) * rstd[i] * dot);
    }
  }
};

template <>
struct kernel<op::layer_norm, cpu>;  // nn/cpu/layer_norm.hpp

}  // namespace unmask::inline UNMASK_ABI
