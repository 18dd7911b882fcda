#pragma once

/// One head of windowed attention on strips. Scores are kept as [query strip][key][S queries]: a query's softmax is
/// then vertical, and P v is a contraction over keys.
///   forward   P = 2^(q k' + B - max) / sum;  y = v P      (scale and log2 e are folded into q's weights and into B)
///   gradient  dP = v' dy,  dS = ln2 P (dP - sum_keys P dP),  dv = dy P',  dq = k dS,  dk = q dS',  dB = dS
/// The second half of the gradient contracts over queries and reads P and dS transposed.

#include "../../../simd/math.hpp"
#include "product.hpp"

namespace unmask::inline UNMASK_ABI::strip {

/// The sizes of a head; `stride`: distance of q's, k's and v's strips.
struct head_shape {
  index_t strips, depth, stride;
};

namespace detail {

/// f(depth): the widths of heads that are worth a loop of known length.
template <class F>
void with_depth(index_t depth, F&& f) {
  if (depth == 10) return f(std::integral_constant<index_t, 10>{});
  if (depth == 8) return f(std::integral_constant<index_t, 8>{});
  f(depth);
}

/// y[d][t] = scale_t sum over keys of a[d][key] p[key][t] for one strip of t; p [keys][S].
template <bool Add, class T, class Scale>
void apply(T* y, const T* a, const T* p, head_shape h, Scale scale) {
  using tile = register_tile<T>;
  using P = simd::pack<T>;
  for (index_t t = 0; t < tiles(h.depth); ++t) {
    const index_t begin = tile_begin(t, h.depth);
    T* to = y + begin * tile::s;
    with_height(tile_begin(t + 1, h.depth) - begin, [&]<int H>() {
      tile::template contract<H>(
          a + begin * tile::s, h.stride, p, tile::s, h.strips, [](int, int) { return P::all(T(0)); },
          [&](int r, int half, auto sum) {
            T* at = to + r * tile::s + half * tile::lanes;
            const auto value = scale(half, sum);
            P::store(at, Add ? P::load(at) + value : value);
          });
    });
  }
}

/// Transposes a head's [strip][key][S] matrix.
template <class T>
void turn_scores(T* turned, const T* p, index_t strips) {
  constexpr index_t s = width<T>, lanes = simd::pack<T>::lanes, group = simd::groups<T>::size;
  const index_t n = strips * s;
  // from(i): keys, j: queries; lanes keys become one register of the transposed row
  for (index_t q = 0; q < n; q += group)
    for (index_t k = 0; k < n; k += lanes) {
      const T* from = p + (q / s) * n * s + q % s;
      T* to = turned + (k / s) * n * s + k % s;
      simd::turn_rows_to_columns<T>([&](index_t j) { return to + (q + j) * s; },
                                    [&](index_t i) { return from + (k + i) * s; });
    }
}

}  // namespace detail

/// p [keys][S] = P for query strip `i`. bias, shift [keys][S] belong to that strip; shift may be null.
template <class T, class Depth>
void head_scores(Depth depth, T* p, const T* q, const T* k, const T* bias, const T* shift, head_shape h, index_t i) {
  using tile = register_tile<T>;
  using P = simd::pack<T>;
  constexpr index_t s = tile::s, lanes = tile::lanes;
  constexpr int keys = s < 4 ? static_cast<int>(s) : 4;
  const index_t n = h.strips * s;
  auto m0 = P::all(std::numeric_limits<T>::lowest()), m1 = m0;
  for (index_t strip = 0; strip < h.strips; ++strip)
    for (index_t j = 0; j < s; j += keys) {
      const index_t at = (strip * s + j) * s;
      const auto store = [&](int r, int half, auto sum) {
        P::store(p + at + r * s + half * lanes, sum);
        (half == 0 ? m0 : m1) = P::max(half == 0 ? m0 : m1, sum);
      };
      const auto start = [&](int r, int half) { return P::load(bias + at + r * s + half * lanes); };
      const auto shifted = [&](int r, int half) { return start(r, half) + P::load(shift + at + r * s + half * lanes); };
      const T* key = k + strip * h.stride + j;
      const T* query = q + i * h.stride;
      if (shift)
        tile::template combine<keys>(query, key, s, depth, shifted, store);
      else
        tile::template combine<keys>(query, key, s, depth, start, store);
    }
  auto s0 = P::all(T(0)), s1 = s0;
  for (index_t j = 0; j < n; j += 2) {
    T* row = p + j * s;
    std::array<typename P::type, 4> e{P::load(row) - m0, P::load(row + lanes) - m1, P::load(row + s) - m0,
                                      P::load(row + s + lanes) - m1};
    e = simd::exp2<T>(e);
    P::store(row, e[0]), P::store(row + lanes, e[1]), P::store(row + s, e[2]), P::store(row + s + lanes, e[3]);
    s0 = s0 + (e[0] + e[2]), s1 = s1 + (e[1] + e[3]);
  }
  const auto r0 = P::all(T(1)) / s0, r1 = P::all(T(1)) / s1;
  P::store(p + n * s, r0), P::store(p + n * s + lanes, r1);
}

/// bias [strip][key][S]; shift, the same or null.
template <class T>
struct head_inputs {
  const T *q, *k, *v, *bias, *shift;
};

/// y = softmax(q k' + B) v of one head. p: scratch of (keys + 1) S numbers.
template <class T>
void head_forward(T* y, index_t stride_y, const head_inputs<std::type_identity_t<T>>& in, head_shape h, T* p) {
  const T *const q = in.q, *const k = in.k, *const v = in.v, *const bias = in.bias, *const shift = in.shift;
  using P = simd::pack<T>;
  constexpr index_t s = width<T>;
  const index_t n = h.strips * s;
  for (index_t i = 0; i < h.strips; ++i) {
    detail::with_depth(h.depth, [&](auto depth) {
      head_scores(depth, p, q, k, bias + i * n * s, shift ? shift + i * n * s : nullptr, h, i);
    });
    detail::apply<false>(y + i * stride_y, v, p, h,
                         [&](int half, auto sum) { return sum * P::load(p + n * s + half * P::lanes); });
  }
}

/// What backward works in: four matrices of a head, [strip][key][S].
template <class T>
struct head_scratch {
  T *p, *ds, *turned;
};

/// q, k, v overwrite, with strips as far apart as the inputs'; bias [strip][key][S] accumulates.
template <class T>
struct head_gradients {
  T *q, *k, *v, *bias;
};

/// y as forward. dy's strips are stride_y apart, as y's.
template <class T>
void head_backward(T* y, index_t stride_y, const head_gradients<T>& to, const T* dy, const head_inputs<T>& in,
                   head_shape h, head_scratch<T> w) {
  T *const dq = to.q, *const dk = to.k, *const dv = to.v, *const dbias = to.bias;
  const T *const q = in.q, *const k = in.k, *const v = in.v, *const bias = in.bias, *const shift = in.shift;
  using tile = register_tile<T>;
  using P = simd::pack<T>;
  constexpr index_t s = tile::s, lanes = tile::lanes;
  constexpr int keys = s < 4 ? static_cast<int>(s) : 4;
  const index_t n = h.strips * s;
  const auto plain = [](int, auto sum) { return sum; };
  const auto ln2 = P::all(static_cast<T>(0.693147180559945309));
  for (index_t i = 0; i < h.strips; ++i) {
    T *p = w.p + i * n * s, *ds = w.ds + i * n * s, *db = dbias + i * n * s;
    const T* g = dy + i * stride_y;
    T inverse[static_cast<std::size_t>(s)];
    detail::with_depth(h.depth, [&](auto depth) {
      head_scores(depth, w.turned, q, k, bias + i * n * s, shift ? shift + i * n * s : nullptr, h, i);
    });
    std::copy_n(w.turned + n * s, s, inverse);
    const auto i0 = P::load(inverse), i1 = P::load(inverse + lanes);
    for (index_t j = 0; j < n; ++j) {
      P::store(p + j * s, P::load(w.turned + j * s) * i0);
      P::store(p + j * s + lanes, P::load(w.turned + j * s + lanes) * i1);
    }
    detail::apply<false>(y + i * stride_y, v, p, h, plain);
    // sum_keys P dP = sum over the head's channels of dy y
    auto d0 = P::all(T(0)), d1 = d0;
    for (index_t d = 0; d < h.depth; ++d) {
      const index_t at = i * stride_y + d * s;
      d0 = P::fma(P::load(y + at), P::load(g + d * s), d0);
      d1 = P::fma(P::load(y + at + lanes), P::load(g + d * s + lanes), d1);
    }
    for (index_t strip = 0; strip < h.strips; ++strip)
      for (index_t j = 0; j < s; j += keys) {
        const index_t at = (strip * s + j) * s;
        tile::template combine<keys>(
            g, v + strip * h.stride + j, s, h.depth, [&](int, int half) { return half == 0 ? -d0 : -d1; },
            [&](int r, int half, auto sum) {
              const index_t o = at + r * s + half * lanes;
              const auto value = sum * ln2 * P::load(p + o);
              P::store(ds + o, value);
              P::store(db + o, P::load(db + o) + value);
            });
      }
    detail::apply<false>(dq + i * h.stride, k, ds, h, plain);
  }
  detail::turn_scores(w.turned, w.p, h.strips);
  head_shape over_y = h;
  over_y.stride = stride_y;
  for (index_t i = 0; i < h.strips; ++i)
    detail::apply<false>(dv + i * h.stride, dy, w.turned + i * n * s, over_y, plain);
  detail::turn_scores(w.turned, w.ds, h.strips);
  for (index_t i = 0; i < h.strips; ++i) detail::apply<false>(dk + i * h.stride, q, w.turned + i * n * s, h, plain);
}

}  // namespace unmask::inline UNMASK_ABI::strip
