#pragma once

/// The D x D attention of a head of spectral attention, from sums over tokens; everything here is tiny.
///   forward   unit[j, i] = sum_n k[n, j] q[n, i] / (|k_j| |q_i|),  lengths along the tokens, at least 1e-12
///             A[j, :] = softmax_i(rescale_h unit[j, :]):  row = channel of k, column = channel of q
///   gradient  dL = A (dA - sum_i dA A),  drescale = sum dL unit,  dG = rescale dL / (|k_j| |q_i|)
///             dq[n, i] = sum_j k[n, j] dG[j, i] - q[n, i] sum_j dL' unit / |q_i|^2   (likewise for k)
///   shapes    heads one after the other, [C, D] = NH blocks of D x D

#include <algorithm>
#include <cmath>

#include "matmul.hpp"
#include "softmax.hpp"
#include "spectral_msa_parts.hpp"

namespace unmask::inline UNMASK_ABI {

inline constexpr double shortest_length = 1e-12;

/// Adds the chunks of `sums` in order, then fills unit, norms, attention and its transpose.
template <class Backend, class T>
void spectral_attention_forward(const Backend&, const spectral_msa& l, const T* rescale, index_t chunks,
                                const spectral_set<T>& s) {
  const index_t c = l.channels, d = l.width, size = c * d + 2 * c;
  for (index_t k = 1; k < chunks; ++k)
    for (index_t i = 0; i < size; ++i) s.sums[i] += s.sums[k * size + i];
  for (index_t i = 0; i < 2 * c; ++i)
    s.norms[i] = std::max(std::sqrt(s.sums[c * d + i]), static_cast<T>(shortest_length));
  for (index_t h = 0; h < l.heads(); ++h)
    for (index_t j = h * d; j < (h + 1) * d; ++j)
      for (index_t i = 0; i < d; ++i) {
        s.unit[j * d + i] = s.sums[j * d + i] / (s.norms[c + j] * s.norms[h * d + i]);
        s.attention[j * d + i] = rescale[h] * s.unit[j * d + i];
      }
  kernel<op::softmax, Backend>::forward(s.attention, s.attention, c, d);
  for (index_t h = 0; h < l.heads(); ++h) transpose(s.turned + h * d * d, d, s.attention + h * d * d, d, d, d);
}

/// s.sums holds chunks of dA [C, D]; fills the matrices that turn k into dq and q into dk.
template <class Backend, class T>
void spectral_attention_backward(const Backend&, const spectral_msa& l, T* drescale, const T* rescale, index_t chunks,
                                 const spectral_set<T>& s) {
  const index_t c = l.channels, d = l.width;
  for (index_t k = 1; k < chunks; ++k)
    for (index_t i = 0; i < c * d; ++i) s.sums[i] += s.sums[k * c * d + i];
  T* dlogits = s.sums;
  kernel<op::softmax, Backend>::backward(dlogits, s.sums, s.attention, c, d);
  std::fill_n(s.dq_scale, c, T(0));
  std::fill_n(s.dk_scale, c, T(0));
  for (index_t h = 0; h < l.heads(); ++h)
    for (index_t j = 0; j < d; ++j)
      for (index_t i = 0; i < d; ++i) {
        const index_t row = h * d + j, col = h * d + i, at = row * d + i;
        const T q = s.norms[col], k = s.norms[c + row], dunit = rescale[h] * dlogits[at];
        drescale[h] += dlogits[at] * s.unit[at];
        s.dq_from_k[at] = dunit / (q * k);
        s.dk_from_q[(h * d + i) * d + j] = dunit / (q * k);
        // a length that was raised to the minimum does not change with its channel
        if (q > static_cast<T>(shortest_length)) s.dq_scale[col] -= dunit * s.unit[at] / (q * q);
        if (k > static_cast<T>(shortest_length)) s.dk_scale[row] -= dunit * s.unit[at] / (k * k);
      }
}

}  // namespace unmask::inline UNMASK_ABI
