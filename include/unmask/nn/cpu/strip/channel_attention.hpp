#pragma once

/// Attention of channels to channels over the tokens of one window, for all heads at once (spectral_attention.hpp has
/// the mathematics). The small matrices lie as [i][all rows j] with i < D the channel of q inside a head and j < C the
/// channel of k: their softmax over i is vertical, and a column of a head is a panel for `combine`.

#include <cmath>

#include "../../../core/arena.hpp"
#include "../../../simd/math.hpp"
#include "../../spectral_attention.hpp"
#include "product.hpp"

namespace unmask::inline UNMASK_ABI::strip {

/// Memory of one window's attention; [D][padded C] unless stated.
template <class T>
struct channel_matrices {
  T *unit, *attention;        ///< normalised k'q; A
  T *dunit, *scaled;          ///< gradients
  T *turned, *scaled_turned;  ///< A and `scaled` with the roles of i and j exchanged inside each head
  T* lengths;                 ///< [2, C] lengths of q and k
  T* diagonal;                ///< [2, C] factors of q and k in their own gradients
  index_t ld;

  void carve(arena& a, index_t c, index_t d, bool training) {
    ld = padded<T>(c);
    for (T** p : {&unit, &attention}) *p = a.take<T>(d * ld);
    lengths = a.take<T>(2 * c);
    if (!training) return;
    for (T** p : {&dunit, &scaled, &turned, &scaled_turned}) *p = a.take<T>(d * ld);
    diagonal = a.take<T>(2 * c);
  }
};

namespace detail {

/// put(r, c, sum over tokens of a[r][t] b[c][t]) for R x C rows.
template <int R, int C, class T, class Put>
[[gnu::always_inline]] inline void dot_tile(rows<const T> a, rows<const T> b, index_t count, Put put) {
  using P = simd::pack<T>;
  constexpr index_t s = width<T>;
  typename P::type sum[static_cast<std::size_t>(R)][static_cast<std::size_t>(C)];
#pragma GCC unroll 2
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 5
    for (int c = 0; c < C; ++c) sum[r][c] = P::all(T(0));
  for (index_t i = 0; i < count; ++i)
    for (index_t half = 0; half < s; half += P::lanes) {
      typename P::type left[static_cast<std::size_t>(R)];
#pragma GCC unroll 2
      for (int r = 0; r < R; ++r) left[r] = P::load(a.data + i * a.stride + r * s + half);
#pragma GCC unroll 5
      for (int c = 0; c < C; ++c) {
        const auto right = P::load(b.data + i * b.stride + c * s + half);
#pragma GCC unroll 2
        for (int r = 0; r < R; ++r) sum[r][c] = P::fma(left[r], right, sum[r][c]);
      }
    }
#pragma GCC unroll 2
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 5
    for (int c = 0; c < C; ++c) put(r, c, P::sum(sum[r][c]));
}

/// put(r, c, a_r . b_c) for n rows of each.
template <class T, class Put>
void dots(std::type_identity_t<rows<const T>> a, std::type_identity_t<rows<const T>> b, index_t n, index_t count,
          Put put) {
  for (index_t r = 0; r < n; r += 2)
    for (index_t c = 0; c < n; c += 5) {
      const auto place = [&](int i, int j, T value) { put(r + i, c + j, value); };
      const auto left = a.from(r), right = b.from(c);
      with_height(std::min<index_t>(5, n - c), [&]<int C>() {
        if (n - r > 1)
          dot_tile<2, std::min(C, 5), T>(left, right, count, place);
        else
          dot_tile<1, std::min(C, 5), T>(left, right, count, place);
      });
    }
}

/// Vertical softmax over the d rows of x.
template <class T>
void softmax_rows(T* x, index_t d, index_t ld) {
  using P = simd::pack<T>;
  for (index_t j = 0; j < ld; j += P::lanes) {
    auto most = P::load(x + j), sum = P::all(T(0));
    for (index_t i = 1; i < d; ++i) most = P::max(most, P::load(x + i * ld + j));
    for (index_t i = 0; i < d; ++i) {
      const auto e = simd::exp<T>(P::load(x + i * ld + j) - most);
      P::store(x + i * ld + j, e);
      sum = sum + e;
    }
    sum = P::all(T(1)) / sum;
    for (index_t i = 0; i < d; ++i) P::store(x + i * ld + j, P::load(x + i * ld + j) * sum);
  }
}

/// y[h rows] = matrix of head h times x[h rows], for every head.
template <bool Add, class T>
void apply_heads(rows<T> y, std::type_identity_t<rows<const T>> x, const T* matrix, index_t ld, index_t c, index_t d,
                 index_t count) {
  using tile = register_tile<T>;
  using P = simd::pack<T>;
  for (index_t i = 0; i < count; ++i)
    for (index_t h = 0; h < c; h += d)
      for (index_t t = 0; t < tiles(d); ++t) {
        const index_t begin = h + tile_begin(t, d);
        T* to = y.data + i * y.stride + begin * tile::s;
        const auto at = [&](int r, int half) { return to + r * tile::s + half * tile::lanes; };
        with_height(h + tile_begin(t + 1, d) - begin, [&]<int H>() {
          tile::template combine<H>(
              x.data + i * x.stride + h * tile::s, matrix + begin, ld, d,
              [&](int r, int half) { return Add ? P::load(at(r, half)) : P::all(T(0)); },
              [&](int r, int half, auto sum) { P::store(at(r, half), sum); });
        });
      }
}

/// turned[j][h D + i] = m[i][h D + j].
template <class T>
void turn_heads(T* turned, const T* m, index_t ld, index_t c, index_t d) {
  for (index_t h = 0; h < c; h += d)
    for (index_t i = 0; i < d; ++i)
      for (index_t j = 0; j < d; ++j) turned[j * ld + h + i] = m[i * ld + h + j];
}

}  // namespace detail

/// m.attention from q, k (masked) [C] of one window.
template <class T>
void channel_scores(const channel_matrices<T>& m, std::type_identity_t<rows<const T>> q,
                    std::type_identity_t<rows<const T>> k, const T* rescale, index_t c, index_t d, index_t count) {
  for (index_t i = 0; i < c; ++i) {
    const auto length = [&](rows<const T> x, T* to) {
      detail::dot_tile<1, 1, T>(x.from(i), x.from(i), count, [&](int, int, T v) {
        to[i] = std::max(std::sqrt(v), static_cast<T>(shortest_length));
      });
    };
    length(q, m.lengths);
    length(k, m.lengths + c);
  }
  for (index_t h = 0; h < c; h += d)
    detail::dots<T>(k.from(h), q.from(h), d, count, [&](index_t j, index_t i, T value) {
      const T unit = value / (m.lengths[c + h + j] * m.lengths[h + i]);
      m.unit[i * m.ld + h + j] = unit;
      m.attention[i * m.ld + h + j] = unit * rescale[h / d];
    });
  detail::softmax_rows(m.attention, d, m.ld);
}

/// y = A v.
template <class T>
void channel_apply(rows<T> y, std::type_identity_t<rows<const T>> v, const channel_matrices<T>& m, index_t c, index_t d,
                   index_t count) {
  detail::apply_heads<false>(y, v, m.attention, m.ld, c, d, count);
}

template <class T>
struct channel_rows {
  rows<T> q, k, v;
};

/// C, D, and strips of tokens.
struct channel_shape {
  index_t channels, width, count;
};

/// After channel_scores: the gradients of q, k, v overwrite from dy, drescale accumulates.
template <class T>
void channel_backward(const channel_rows<T>& d_rows, T* drescale, rows<const T> dy, const channel_rows<const T>& in,
                      const T* rescale, const channel_matrices<T>& m, channel_shape shape) {
  using P = simd::pack<T>;
  const rows<T> dq = d_rows.q, dk = d_rows.k, dv = d_rows.v;
  const rows<const T> q = in.q, k = in.k, v = in.v;
  const index_t c = shape.channels, d = shape.width, count = shape.count;
  detail::turn_heads(m.turned, m.attention, m.ld, c, d);
  detail::apply_heads<false>(dv, dy, m.turned, m.ld, c, d, count);
  for (index_t h = 0; h < c; h += d)
    detail::dots<T>(dy.from(h), v.from(h), d, count,
                    [&](index_t j, index_t i, T value) { m.dunit[i * m.ld + h + j] = value; });
  for (index_t j = 0; j < m.ld; j += P::lanes) {
    auto dot = P::all(T(0));
    for (index_t i = 0; i < d; ++i)
      dot = P::fma(P::load(m.dunit + i * m.ld + j), P::load(m.attention + i * m.ld + j), dot);
    for (index_t i = 0; i < d; ++i) {
      T* at = m.dunit + i * m.ld + j;
      P::store(at, P::load(m.attention + i * m.ld + j) * (P::load(at) - dot));
    }
  }
  std::fill_n(m.diagonal, 2 * c, T(0));
  for (index_t i = 0; i < d; ++i)
    for (index_t j = 0; j < c; ++j) {
      const index_t h = j / d, at = i * m.ld + j, col = h * d + i;
      const T ql = m.lengths[col], kl = m.lengths[c + j], dlogit = m.dunit[at], du = rescale[h] * dlogit;
      drescale[h] += dlogit * m.unit[at];
      m.scaled[at] = du / (ql * kl);
      // a length that was raised to the minimum does not change with its channel
      if (ql > static_cast<T>(shortest_length)) m.diagonal[col] -= du * m.unit[at] / (ql * ql);
      if (kl > static_cast<T>(shortest_length)) m.diagonal[c + j] -= du * m.unit[at] / (kl * kl);
    }
  detail::turn_heads(m.scaled_turned, m.scaled, m.ld, c, d);
  const auto own = [&](rows<T> to, rows<const T> from, const T* factor) {
    for (index_t s = 0; s < count; ++s)
      for (index_t r = 0; r < c; ++r) {
        const index_t at = r * width<T>;
        map(
            to.data + s * to.stride + at, width<T>, [f = P::all(factor[r])](auto x) { return x * f; },
            from.data + s * from.stride + at);
      }
  };
  own(dq, q, m.diagonal);
  own(dk, k, m.diagonal + c);
  // dq_i += sum_j k_j scaled[i][j]: rows of the result are i, so the panel is the turned matrix
  detail::apply_heads<true>(dq, k, m.scaled_turned, m.ld, c, d, count);
  detail::apply_heads<true>(dk, q, m.scaled, m.ld, c, d, count);
}

}  // namespace unmask::inline UNMASK_ABI::strip
