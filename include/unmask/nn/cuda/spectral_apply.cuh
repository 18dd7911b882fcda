#pragma once

/// The D x D attention of each head times v, and its gradient: a thread a number.

#include "rows.cuh"
#include "spectral_matrix.cuh"

namespace unmask::inline UNMASK_ABI {

namespace detail {

/// y[n, j] = sum_i v[n, i] A[j, i] within a head: a thread a number.
template <class T>
struct spectral_apply_each {
  T* y;
  const T* qkv;  ///< [N, 3C] masked
  T* matrices;   ///< read only
  spectral_sets s;

  UNMASK_DEVICE void operator()(index_t pixel, int j) const {
    const int c = s.channels, d = s.width;
    const spectral_matrices<T> m(matrices, s, s.sets.find(static_cast<int>(pixel)).set);
    const T *v = qkv + (pixel * 3 + 2) * c + j / d * d, *row = m.attention + index_t(j) * d;
    T sum = 0;
    for (int i = 0; i < d; ++i) sum += v[i] * row[i];
    y[pixel * c + j] = sum;
  }
};

/// The gradients of masked q, k and v: a thread a channel of a token.
template <class T>
struct spectral_apply_gradient_each {
  T* dqkv;
  const T *dy, *qkv;
  T *matrices, *gradients;  ///< read only
  spectral_sets s;

  UNMASK_DEVICE void operator()(index_t pixel, int own) const {
    const int c = s.channels, d = s.width, head = own / d * d, inner = own % d;
    const index_t set = s.sets.find(static_cast<int>(pixel)).set, from = pixel * 3 * c;
    const spectral_matrices<T> m(matrices, s, set);
    const spectral_gradients<T> g(gradients, s, set);
    const T *q = qkv + from, *k = q + c, *row = dy + pixel * c + head;
    T dq = q[own] * g.q_scale[own], dk = k[own] * g.k_scale[own], dv = 0;
    for (int i = 0; i < d; ++i) {
      dq += k[head + i] * g.mix[index_t(head + i) * d + inner];
      dk += q[head + i] * g.mix[index_t(own) * d + i];
      dv += row[i] * m.attention[index_t(head + i) * d + inner];
    }
    dqkv[from + own] = dq;
    dqkv[from + c + own] = dk;
    dqkv[from + 2 * c + own] = dv;
  }
};

}  // namespace detail

template <>
struct kernel<op::spectral_apply, cuda> : no_scratch {
  template <class T>
  static void forward(const cuda& be, T* y, const T* qkv, T* matrices, const spectral_rows& s) {
    const detail::spectral_sets sets(s.l, s.part.from.grid, s.part.images);
    launch_rows(be, s.rows, s.l.channels, detail::spectral_apply_each<T>{y, qkv, matrices, sets});
  }
  template <class T>
  static void backward(const cuda& be, T* dqkv, const T* dy, const T* qkv, T* matrices, T* gradients,
                       const spectral_rows& s) {
    const detail::spectral_sets sets(s.l, s.part.from.grid, s.part.images);
    launch_rows(be, s.rows, s.l.channels,
                detail::spectral_apply_gradient_each<T>{dqkv, dy, qkv, matrices, gradients, sets});
  }
};

}  // namespace unmask::inline UNMASK_ABI
