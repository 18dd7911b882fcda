#pragma once

/// The D x D attention of each head of a set, from the sums over its tokens (in its first chunk), and its gradient:
/// spectral_attention.hpp has the formulas. A block is one set; a thread owns rows, then columns.

#include "../spectral_attention.hpp"
#include "reduce_partials.cuh"
#include "spectral_sums.cuh"

namespace unmask::inline UNMASK_ABI {

namespace detail {

/// What a set keeps of its forward pass.
template <class T>
struct spectral_matrices {
  T *unit, *attention;  ///< [C, D]
  T *q_norm, *k_norm;   ///< [C]

  UNMASK_DEVICE spectral_matrices(T* all, const spectral_sets& s, index_t set) {
    const index_t c = s.channels;
    unit = all + set * s.matrices;
    attention = unit + c * s.width;
    q_norm = attention + c * s.width;
    k_norm = q_norm + c;
  }
};

/// What turns k into dq and q into dk.
template <class T>
struct spectral_gradients {
  T* mix;                ///< [C, D]: dG
  T *q_scale, *k_scale;  ///< [C]
  T* row;                ///< [C]: sum_i dL unit

  UNMASK_DEVICE spectral_gradients(T* all, const spectral_sets& s, index_t set) {
    mix = all + set * s.gradients;
    q_scale = mix + index_t(s.channels) * s.width;
    k_scale = q_scale + s.channels;
    row = k_scale + s.channels;
  }
};

template <class T>
struct spectral_matrix_body {
  static constexpr int threads = 128;
  T* matrices;
  const T *sums, *rescale;
  spectral_sets s;

  template <class Thread>
  UNMASK_DEVICE void operator()(Thread& t) const {
    const index_t set = t.block();
    const int c = s.channels, d = s.width;
    const spectral_matrices<T> m(matrices, s, set);
    const T* const sum = sums + set * s.chunks * s.sums;
    for (int i = t.thread(); i < 2 * c; i += threads) {
      const T length = std::sqrt(sum[index_t(c) * d + i]);
      m.q_norm[i] = length > static_cast<T>(shortest_length) ? length : static_cast<T>(shortest_length);
    }
    t.sync();
    for (int j = t.thread(); j < c; j += threads) {
      const int h = j / d;
      T *unit = m.unit + index_t(j) * d, *row = m.attention + index_t(j) * d;
      T top = std::numeric_limits<T>::lowest(), all = 0;
      for (int i = 0; i < d; ++i) {
        unit[i] = sum[index_t(j) * d + i] / (m.k_norm[j] * m.q_norm[h * d + i]);
        row[i] = rescale[h] * unit[i];
        top = row[i] > top ? row[i] : top;
      }
      for (int i = 0; i < d; ++i) all += row[i] = std::exp(row[i] - top);
      for (int i = 0; i < d; ++i) row[i] /= all;
    }
  }
};

template <class T>
struct spectral_matrix_gradient_body {
  static constexpr int threads = 128;
  T *gradients, *drescale;  ///< drescale [sets, NH]
  T* matrices;              ///< read only
  const T *sums, *rescale;  ///< of dA
  spectral_sets s;

  template <class Thread>
  UNMASK_DEVICE void operator()(Thread& t) const {
    const index_t set = t.block();
    const int c = s.channels, d = s.width, heads = c / d;
    const spectral_matrices<T> m(matrices, s, set);
    const spectral_gradients<T> g(gradients, s, set);
    const T* const sum = sums + set * s.chunks * s.sums;
    for (int j = t.thread(); j < c; j += threads) {
      const int h = j / d;
      const T *a = m.attention + index_t(j) * d, *unit = m.unit + index_t(j) * d, k = m.k_norm[j];
      T* mix = g.mix + index_t(j) * d;
      T dot = 0, row = 0;
      for (int i = 0; i < d; ++i) {
        mix[i] = sum[index_t(j) * d + i];
        dot += mix[i] * a[i];
      }
      for (int i = 0; i < d; ++i) {
        const T dlogit = a[i] * (mix[i] - dot);
        row += dlogit * unit[i];
        mix[i] = rescale[h] * dlogit / (m.q_norm[h * d + i] * k);
      }
      g.row[j] = row;
      // a length that was raised to the minimum does not change with its channel
      g.k_scale[j] = k > static_cast<T>(shortest_length) ? -rescale[h] * row / (k * k) : T(0);
    }
    t.sync();
    for (int col = t.thread(); col < c; col += threads) {
      const int h = col / d, i = col % d;
      const T q = m.q_norm[col];
      T all = 0;
      for (int j = h * d; j < (h + 1) * d; ++j)
        all += g.mix[index_t(j) * d + i] * m.k_norm[j] * m.unit[index_t(j) * d + i];
      g.q_scale[col] = q > static_cast<T>(shortest_length) ? -all / q : T(0);
    }
    for (int h = t.thread(); h < heads; h += threads) {
      T all = 0;
      for (int j = h * d; j < (h + 1) * d; ++j) all += g.row[j];
      drescale[set * heads + h] = all;
    }
  }
};

}  // namespace detail

template <>
struct kernel<op::spectral_matrix, cuda> {
  static index_t matrices(const spectral_msa& l, const batch_grid& s) {
    const detail::spectral_sets sets(l, s.grid, s.batch);
    return sets.count * sets.matrices;
  }
  static index_t gradients(const spectral_msa& l, const batch_grid& s) {
    const detail::spectral_sets sets(l, s.grid, s.batch);
    return sets.count * sets.gradients;
  }
  /// The gradient of the scales, of each set.
  static index_t scratch(const cuda&, const spectral_msa& l, const batch_grid& s) {
    return detail::spectral_sets(l, s.grid, s.batch).count * l.heads();
  }

  template <class T>
  static void forward(const cuda& be, T* matrices, T* sums, const T* rescale, const spectral_rows& s) {
    const detail::spectral_sets sets(s.l, s.part.from.grid, s.part.images);
    gather_chunks(be, sums, sets.count, sets.chunks, sets.sums);
    launch(be, sets.count, 0, detail::spectral_matrix_body<T>{matrices, sums, rescale, sets});
  }
  template <class T>
  static void backward(const cuda& be, T* gradients, T* drescale, T* sums, T* matrices, const T* rescale,
                       const spectral_rows& s, T* scratch) {
    const detail::spectral_sets sets(s.l, s.part.from.grid, s.part.images);
    gather_chunks(be, sums, sets.count, sets.chunks, sets.sums);
    launch(be, sets.count, 0,
           detail::spectral_matrix_gradient_body<T>{gradients, scratch, matrices, sums, rescale, sets});
    reduce_partials(be, drescale, {scratch, s.l.heads(), sets.count}, s.l.heads());
  }
};

}  // namespace unmask::inline UNMASK_ABI
