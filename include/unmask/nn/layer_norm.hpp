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

/// Rows of contiguous channels.
struct row_sizes {
  index_t rows, channels;
};

/// [N] each.
template <class T>
struct norm_saved {
  T *mean, *rstd;
};

/// What the gradient reads of the forward pass.
template <class T>
struct norm_input {
  const T* x;
  norm_params<const T> p;
  norm_saved<const T> saved;
};

inline constexpr double layer_norm_epsilon = 1e-5;

template <>
struct kernel<op::layer_norm, ref> : no_scratch {
  template <class T>
  static void forward(const ref&, T* y, norm_saved<T> saved, const T* x, norm_params<const T> p, row_sizes s) {
    const index_t c = s.channels;
    for (index_t i = 0; i < s.rows; ++i, x += c, y += c) {
      T sum = 0, square = 0;
      for (index_t k = 0; k < c; ++k) sum += x[k];
      const T mean = saved.mean[i] = sum / static_cast<T>(c);
      for (index_t k = 0; k < c; ++k) square += (x[k] - mean) * (x[k] - mean);
      const T rstd = saved.rstd[i] = 1 / std::sqrt(square / static_cast<T>(c) + static_cast<T>(layer_norm_epsilon));
      for (index_t k = 0; k < c; ++k) y[k] = (x[k] - mean) * rstd * p.weight[k] + p.bias[k];
    }
  }

  /// dx is accumulated: the rows of a residual block collect several gradients. So is d.
  template <class T>
  static void backward(const ref&, T* dx, norm_params<T> d, const T* dy, const norm_input<T>& in, row_sizes s,
                       T* /*scratch*/) {
    const index_t c = s.channels;
    const T* x = in.x;
    for (index_t i = 0; i < s.rows; ++i, x += c, dy += c, dx += c) {
      const T mean = in.saved.mean[i], rstd = in.saved.rstd[i];
      T sum = 0, dot = 0;
      for (index_t k = 0; k < c; ++k) {
        const T normal = (x[k] - mean) * rstd, dn = dy[k] * in.p.weight[k];
        d.weight[k] += dy[k] * normal;
        d.bias[k] += dy[k];
        sum += dn;
        dot += dn * normal;
      }
      sum /= static_cast<T>(c);
      dot /= static_cast<T>(c);
      for (index_t k = 0; k < c; ++k) dx[k] += rstd * (dy[k] * in.p.weight[k] - sum - (x[k] - mean) * rstd * dot);
    }
  }
};

template <>
struct kernel<op::layer_norm, cpu>;  // nn/cpu/layer_norm.hpp

}  // namespace unmask::inline UNMASK_ABI
