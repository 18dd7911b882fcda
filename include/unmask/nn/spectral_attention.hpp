#pragma once

/// The D x D attention of a head of spectral attention, from sums over tokens, and its product with v.
///   matrix    unit[j, i] = sum_n k[n, j] q[n, i] / (|k_j| |q_i|),  lengths along the tokens, at least 1e-12
///             A[j, :] = softmax_i(rescale_h unit[j, :]):  row = channel of k, column = channel of q
///   gradient  dL = A (dA - sum_i dA A),  drescale = sum dL unit,  dG = rescale dL / (|k_j| |q_i|)
///   apply     y[n, j] = sum_i v[n, i] A[j, i] within a head;  gradient dv = dy A,
///             dq[n, i] = sum_j k[n, j] dG[j, i] - q[n, i] sum_j dL' unit / |q_i|^2   (likewise for k)
///   shapes    heads one after the other, [C, D] = NH blocks of D x D; qkv, dqkv [N, 3C]; y, dy [N, C]
/// `matrices` and `gradients` are what a set keeps of the two passes; only these two operations know what is in them.

#include <algorithm>
#include <cmath>

#include "softmax.hpp"
#include "spectral_sums.hpp"

namespace unmask::inline UNMASK_ABI {

namespace op {
struct spectral_matrix {};
struct spectral_apply {};
}  // namespace op

inline constexpr double shortest_length = 1e-12;

namespace detail {

/// [C, D] each, `turned` A' of every head; norms [2, C], lengths of q and k.
template <class T>
struct set_matrices {
  T *unit, *attention, *turned, *norms;
  set_matrices(T* all, const spectral_msa& l)
      : unit(all),
        attention(unit + l.channels * l.width),
        turned(attention + l.channels * l.width),
        norms(turned + l.channels * l.width) {}
  static index_t size(const spectral_msa& l) { return 3 * l.channels * l.width + 2 * l.channels; }
};

/// What turns k into dq and q into dk, [C, D], and the diagonal part of each, [C].
template <class T>
struct set_gradients {
  T *dq_from_k, *dk_from_q, *dq_scale, *dk_scale;
  set_gradients(T* all, const spectral_msa& l)
      : dq_from_k(all),
        dk_from_q(dq_from_k + l.channels * l.width),
        dq_scale(dk_from_q + l.channels * l.width),
        dk_scale(dq_scale + l.channels) {}
  static index_t size(const spectral_msa& l) { return 2 * l.channels * l.width + 2 * l.channels; }
};

}  // namespace detail

template <>
struct kernel<op::spectral_matrix, ref> : no_scratch {
  static index_t matrices(const spectral_msa& l, const batch_grid&) { return detail::set_matrices<float>::size(l); }
  static index_t gradients(const spectral_msa& l, const batch_grid&) { return detail::set_gradients<float>::size(l); }

  /// Adds the chunks of `sums` in order; `matrices` overwrites.
  template <class Backend, class T>
  static void forward(const Backend& be, T* matrices, T* sums, const T* rescale, const spectral_rows& s) {
    const spectral_msa& l = s.l;
    const index_t c = l.channels, d = l.width, size = kernel<op::spectral_sums, ref>::size(l);
    const detail::set_matrices<T> m(matrices, l);
    for (index_t k = 1; k < s.chunks(); ++k)
      for (index_t i = 0; i < size; ++i) sums[i] += sums[k * size + i];
    for (index_t i = 0; i < 2 * c; ++i)
      m.norms[i] = std::max(std::sqrt(sums[c * d + i]), static_cast<T>(shortest_length));
    for (index_t h = 0; h < l.heads(); ++h)
      for (index_t j = h * d; j < (h + 1) * d; ++j)
        for (index_t i = 0; i < d; ++i) {
          m.unit[j * d + i] = sums[j * d + i] / (m.norms[c + j] * m.norms[h * d + i]);
          m.attention[j * d + i] = rescale[h] * m.unit[j * d + i];
        }
    kernel<op::softmax, Backend>::forward(be, m.attention, m.attention, c, d);
    for (index_t h = 0; h < l.heads(); ++h) transpose(m.turned + h * d * d, d, m.attention + h * d * d, d, d, d);
  }

  /// `sums` holds chunks of dA; `gradients` overwrites, drescale accumulates.
  template <class Backend, class T>
  static void backward(const Backend& be, T* gradients, T* drescale, T* sums, T* matrices, const T* rescale,
                       const spectral_rows& s, T* /*scratch*/) {
    const spectral_msa& l = s.l;
    const index_t c = l.channels, d = l.width, size = kernel<op::spectral_sums, ref>::size(l);
    const detail::set_matrices<T> m(matrices, l);
    const detail::set_gradients<T> g(gradients, l);
    for (index_t k = 1; k < s.chunks(); ++k)
      for (index_t i = 0; i < c * d; ++i) sums[i] += sums[k * size + i];
    T* const dlogits = sums;
    kernel<op::softmax, Backend>::backward(be, dlogits, sums, m.attention, c, d);
    std::fill_n(g.dq_scale, c, T(0));
    std::fill_n(g.dk_scale, c, T(0));
    for (index_t h = 0; h < l.heads(); ++h)
      for (index_t j = 0; j < d; ++j)
        for (index_t i = 0; i < d; ++i) {
          const index_t row = h * d + j, col = h * d + i, at = row * d + i;
          const T q = m.norms[col], k = m.norms[c + row], dunit = rescale[h] * dlogits[at];
          drescale[h] += dlogits[at] * m.unit[at];
          g.dq_from_k[at] = dunit / (q * k);
          g.dk_from_q[(h * d + i) * d + j] = dunit / (q * k);
          // a length that was raised to the minimum does not change with its channel
          if (q > static_cast<T>(shortest_length)) g.dq_scale[col] -= dunit * m.unit[at] / (q * q);
          if (k > static_cast<T>(shortest_length)) g.dk_scale[row] -= dunit * m.unit[at] / (k * k);
        }
  }
};

template <>
struct kernel<op::spectral_apply, ref> : no_scratch {
  template <class Backend, class T>
  static void forward(const Backend& be, T* y, const T* qkv, T* matrices, const spectral_rows& s) {
    const index_t c = s.l.channels, d = s.l.width;
    const detail::set_matrices<T> m(matrices, s.l);
    for (index_t h = 0; h < c; h += d)
      multiply(be, {y + h, c}, rows_of(qkv + 2 * c + h, 3 * c), {m.turned + h * d, d}, {s.rows, d, d});
  }

  template <class Backend, class T>
  static void backward(const Backend& be, T* dqkv, const T* dy, const T* qkv, T* matrices, T* gradients,
                       const spectral_rows& s) {
    const index_t c = s.l.channels, d = s.l.width, n = s.rows;
    const detail::set_matrices<T> m(matrices, s.l);
    const detail::set_gradients<T> g(gradients, s.l);
    const T *const q = qkv, *const k = q + c;
    T *const dq = dqkv, *const dk = dq + c, *const dv = dk + c;
    for (index_t h = 0; h < c; h += d) {
      multiply(be, {dv + h, 3 * c}, rows_of(dy + h, c), {m.attention + h * d, d}, {n, d, d});
      multiply(be, {dq + h, 3 * c}, rows_of(k + h, 3 * c), {g.dq_from_k + h * d, d}, {n, d, d});
      multiply(be, {dk + h, 3 * c}, rows_of(q + h, 3 * c), {g.dk_from_q + h * d, d}, {n, d, d});
    }
    for (index_t i = 0; i < n; ++i)
      for (index_t j = 0; j < c; ++j) {
        dq[i * 3 * c + j] += q[i * 3 * c + j] * g.dq_scale[j];
        dk[i * 3 * c + j] += k[i * 3 * c + j] * g.dk_scale[j];
      }
  }
};

}  // namespace unmask::inline UNMASK_ABI
