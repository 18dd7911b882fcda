#pragma once

/// The two products that everything on strips is made of, each a register tile of H <= 6 rows x S tokens.
///   combine    y[r][t] = sum_k w[k][r] x[k][t]      weights or keys are broadcast, x comes from one strip
///   contract   y[r][j] = sum_t a[r][t] x[t][j]      over the tokens of all strips: P v, weight gradients
/// g++ 12 keeps accumulators in registers only where every loop over them is unrolled, their start and end included
/// (otherwise 25-30 instead of 70-88 GFLOP/s). N rows are cut into equal tiles: 10 = 5 + 5, 32 = 6+5+5+5+5+6; a tile of
/// 4 still hides the latency of FMA.

#include "../../../parallel/parallel_for.hpp"
#include "layout.hpp"

namespace unmask::inline UNMASK_ABI::strip {

inline constexpr index_t tile_rows = 6;
constexpr index_t tiles(index_t n) { return (n + tile_rows - 1) / tile_rows; }
constexpr index_t tile_begin(index_t tile, index_t n) { return tile * n / tiles(n); }

template <class T>
struct register_tile {
  using P = simd::pack<T>;
  using type = typename P::type;
  static constexpr index_t s = width<T>, lanes = P::lanes;

  /// x [K][S], w [K][ldw]; start(r, half) and done(r, half, sum).
  template <int H, class Depth, class Start, class Done>
  [[gnu::always_inline]] static void combine(const T* x, const T* w, index_t ldw, Depth k, Start start, Done done) {
    type sum[static_cast<std::size_t>(H)][2];
#pragma GCC unroll 8
    for (int r = 0; r < H; ++r) {
      sum[r][0] = start(r, 0);
      sum[r][1] = start(r, 1);
    }
    for (index_t p = 0; p < k; ++p, x += s, w += ldw) {
      const type x0 = P::held(P::load(x)), x1 = P::held(P::load(x + lanes));
#pragma GCC unroll 8
      for (int r = 0; r < H; ++r) {
        const type one = P::all(w[r]);
        sum[r][0] = P::fma(one, x0, sum[r][0]);
        sum[r][1] = P::fma(one, x1, sum[r][1]);
      }
    }
#pragma GCC unroll 8
    for (int r = 0; r < H; ++r) {
      done(r, 0, sum[r][0]);
      done(r, 1, sum[r][1]);
    }
  }

  /// a [strips][..][S] with strips lda apart, rows S apart; x [strips * S][ldx], the tile's S columns.
  template <int H, class Start, class Done>
  [[gnu::always_inline]] static void contract(const T* a, index_t lda, const T* x, index_t ldx, index_t strips,
                                              Start start, Done done) {
    type sum[static_cast<std::size_t>(H)][2];
#pragma GCC unroll 8
    for (int r = 0; r < H; ++r) {
      sum[r][0] = start(r, 0);
      sum[r][1] = start(r, 1);
    }
    for (index_t strip = 0; strip < strips; ++strip, a += lda)
      for (index_t t = 0; t < s; ++t, x += ldx) {
        const type x0 = P::load(x), x1 = P::load(x + lanes);
#pragma GCC unroll 8
        for (int r = 0; r < H; ++r) {
          const type one = P::all(a[r * s + t]);
          sum[r][0] = P::fma(one, x0, sum[r][0]);
          sum[r][1] = P::fma(one, x1, sum[r][1]);
        }
      }
#pragma GCC unroll 8
    for (int r = 0; r < H; ++r) {
      done(r, 0, sum[r][0]);
      done(r, 1, sum[r][1]);
    }
  }
};

/// `f.template operator()<H>()` for a height known at run time.
template <class F>
[[gnu::always_inline]] inline void with_height(index_t h, F&& f) {
  switch (h) {
    case 1:
      return f.template operator()<1>();
    case 2:
      return f.template operator()<2>();
    case 3:
      return f.template operator()<3>();
    case 4:
      return f.template operator()<4>();
    case 5:
      return f.template operator()<5>();
    default:
      return f.template operator()<6>();
  }
}

/// Weights of a linear map as panels: tile after tile, each [K][height]. K N numbers.
template <class T>
void pack_panel(T* panel, const T* w, index_t ld_k, index_t ld_n, index_t k, index_t n) {
  for (index_t tile = 0; tile < tiles(n); ++tile)
    for (index_t p = 0; p < k; ++p)
      for (index_t r = tile_begin(tile, n); r < tile_begin(tile + 1, n); ++r) *panel++ = w[p * ld_k + r * ld_n];
}

/// The panel of the transposed map, N -> K, from that of a map K -> N.
template <class T>
void turn_panel(T* turned, const T* panel, index_t k, index_t n) {
  for (index_t to = 0; to < tiles(k); ++to)
    for (index_t tile = 0; tile < tiles(n); ++tile) {
      const index_t first = tile_begin(tile, n), height = tile_begin(tile + 1, n) - first;
      for (index_t p = 0; p < height; ++p)
        for (index_t r = tile_begin(to, k); r < tile_begin(to + 1, k); ++r)
          *turned++ = panel[k * first + r * height + p];
    }
}

/// A strip operand: strips are `stride` numbers apart, so a few rows of a taller buffer are an operand too.
template <class T>
struct rows {
  T* data;
  index_t stride;
  operator rows<const T>() const { return {data, stride}; }
  rows from(index_t row) const { return {data + row * width<std::remove_const_t<T>>, stride}; }
};

/// y[N] = W x + bias on `count` strips (y += W x + bias with Add); x [K], bias [N] or null.
template <bool Add = false, class T>
void multiply(rows<T> y, std::type_identity_t<rows<const T>> x, const T* panel, const T* bias, index_t k, index_t n,
              index_t count, index_t panel_rows = 0) {
  using tile = register_tile<T>;
  using P = simd::pack<T>;
  const index_t depth = panel_rows ? panel_rows : k;
  for (index_t i = 0; i < count; ++i)
    for (index_t t = 0; t < tiles(n); ++t) {
      const index_t begin = tile_begin(t, n);
      T* to = y.data + i * y.stride + begin * tile::s;
      const T* from = x.data + i * x.stride;
      with_height(tile_begin(t + 1, n) - begin, [&]<int H>() {
        tile::template combine<H>(
            from, panel + begin * depth, H, k, [&](int r, int) { return P::all(bias ? bias[begin + r] : T(0)); },
            [&](int r, int half, auto sum) {
              // what is added to comes last: as the sum's start it would cost a rounding of its size at every term
              T* at = to + r * tile::s + half * tile::lanes;
              P::store(at, Add ? P::load(at) + sum : sum);
            });
      });
    }
}

/// sum[n][j] += sum over tokens of a[n][t] x[t][j]: the gradient of weights. a [N] on strips, x [tokens][ld] with
/// ld = padded(K), sum [N][ld].
template <class T>
void add_outer(T* sum, std::type_identity_t<rows<const T>> a, const T* x, index_t n, index_t ld, index_t count) {
  using tile = register_tile<T>;
  using P = simd::pack<T>;
  for (index_t t = 0; t < tiles(n); ++t) {
    const index_t begin = tile_begin(t, n);
    for (index_t j = 0; j < ld; j += tile::s) {
      T* to = sum + begin * ld + j;
      const auto at = [&](int r, int half) { return to + r * ld + half * tile::lanes; };
      with_height(tile_begin(t + 1, n) - begin, [&]<int H>() {
        tile::template contract<H>(
            a.data + begin * tile::s, a.stride, x + j, ld, count, [&](int r, int half) { return P::load(at(r, half)); },
            [&](int r, int half, auto value) { P::store(at(r, half), value); });
      });
    }
  }
}

/// sum[n] += sum over tokens of a[n][t].
template <class T>
void add_tokens(T* sum, std::type_identity_t<rows<const T>> a, index_t n, index_t count) {
  using P = simd::pack<T>;
  for (index_t r = 0; r < n; ++r) {
    auto total = P::all(T(0));
    for (index_t i = 0; i < count; ++i) {
      const T* p = a.data + i * a.stride + r * width<T>;
      total = total + (P::load(p) + P::load(p + P::lanes));
    }
    sum[r] += P::sum(total);
  }
}

}  // namespace unmask::inline UNMASK_ABI::strip
