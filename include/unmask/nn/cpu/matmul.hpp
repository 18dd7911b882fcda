#pragma once

/// Register-tiled product: 6 rows x 2 packs of C stay in registers (12 accumulators of 16 on AVX2) while B is read with
/// unit stride and A is broadcast. No heap, no packing of full panels; the last columns that fill no pack are copied to
/// a zero-padded panel on the stack. Eigen's product was the first version: it packs B again for every 64-row tile, may
/// take heap, and starts threads of its own outside a parallel region (docs/decisions.md has the numbers).

#include <algorithm>
#include <array>

#include "../../core/arena.hpp"
#include "../../simd/pack.hpp"
#include "../matmul.hpp"

namespace unmask::inline UNMASK_ABI {

namespace detail {

template <class T>
struct matmul_tile {
  using P = simd::pack<T>;
  static constexpr index_t rows = 6;
  static constexpr index_t depth = 256;  // a padded panel is at most 256 x 16 floats: half of L1
  static constexpr index_t width = 2 * P::lanes;

  /// R rows x W packs. g++ 12 keeps the accumulators in registers only if every loop over them is unrolled.
  template <int R, int W>
  static void micro(T* c, index_t ldc, left_operand<T> a, const T* b, index_t ldb, index_t k, bool accumulate) {
    typename P::type sum[static_cast<std::size_t>(R)][static_cast<std::size_t>(W)];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
      for (int w = 0; w < W; ++w) sum[r][w] = accumulate ? P::load(c + r * ldc + w * P::lanes) : P::all(T(0));
    for (index_t p = 0; p < k; ++p) {
      typename P::type right[static_cast<std::size_t>(W)];
#pragma GCC unroll 8
      for (int w = 0; w < W; ++w) right[w] = P::load(b + p * ldb + w * P::lanes);
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) {
        const auto left = P::all(a.data[r * a.row + p * a.col]);
#pragma GCC unroll 8
        for (int w = 0; w < W; ++w) sum[r][w] = P::fma(left, right[w], sum[r][w]);
      }
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
      for (int w = 0; w < W; ++w) P::store(c + r * ldc + w * P::lanes, sum[r][w]);
  }

  template <int W>
  static void some_rows(index_t m, T* c, index_t ldc, left_operand<T> a, const T* b, index_t ldb, index_t k, bool acc) {
    switch (m) {
      case 1:
        return micro<1, W>(c, ldc, a, b, ldb, k, acc);
      case 2:
        return micro<2, W>(c, ldc, a, b, ldb, k, acc);
      case 3:
        return micro<3, W>(c, ldc, a, b, ldb, k, acc);
      case 4:
        return micro<4, W>(c, ldc, a, b, ldb, k, acc);
      case 5:
        return micro<5, W>(c, ldc, a, b, ldb, k, acc);
      default:
        return micro<6, W>(c, ldc, a, b, ldb, k, acc);
    }
  }

  static left_operand<T> below(left_operand<T> a, index_t i) { return {a.data + i * a.row, a.row, a.col}; }

  /// The last n < lanes columns, which must not be read or written past n.
  UNMASK_ONE_CODE static void narrow(matrix<T> to_rows, left_operand<T> a, matrix<const T> from, product_sizes s,
                                     bool accumulate) {
    const index_t ldc = to_rows.ld, ldb = from.ld, m = s.m, n = s.n, k = s.k;
    T* const c = to_rows.data;
    const T* const b = from.data;
    alignas(alignment) std::array<T, static_cast<std::size_t>(depth * P::lanes)> panel;
    alignas(alignment) std::array<T, static_cast<std::size_t>(rows * P::lanes)> tile;
    for (index_t p = 0; p < k; ++p) P::store(panel.data() + p * P::lanes, P::load_part(b + p * ldb, n, T(0)));
    for (index_t i = 0; i < m; i += rows) {
      const index_t count = std::min(rows, m - i);
      some_rows<1>(count, tile.data(), P::lanes, below(a, i), panel.data(), P::lanes, k, false);
      for (index_t r = 0; r < count; ++r) {
        T* to = c + (i + r) * ldc;
        const auto value = P::load(tile.data() + r * P::lanes);
        P::store_part(to, n, accumulate ? value + P::load_part(to, n, T(0)) : value);
      }
    }
  }
};

}  // namespace detail

template <>
struct kernel<op::matmul, cpu> : no_scratch {
  template <class T>
  UNMASK_ONE_CODE static void forward(const cpu&, matrix<T> to, left_operand<T> a, matrix<const T> from,
                                      product_sizes s, bool accumulate) {
    using tile = detail::matmul_tile<T>;
    const index_t ldc = to.ld, ldb = from.ld, m = s.m, n = s.n, k = s.k;
    T* const c = to.data;
    const T* const b = from.data;
    if (k == 0 && !accumulate)
      for (index_t i = 0; i < m; ++i) std::fill_n(c + i * ldc, n, T(0));
    for (index_t p = 0; p < k; p += tile::depth) {
      const index_t depth = std::min(tile::depth, k - p);
      const left_operand<T> left{a.data + p * a.col, a.row, a.col};
      const T* right = b + p * ldb;
      const bool add = accumulate || p > 0;
      index_t j = 0;
      for (; j + tile::width <= n; j += tile::width)
        for (index_t i = 0; i < m; i += tile::rows)
          tile::template some_rows<2>(std::min(tile::rows, m - i), c + i * ldc + j, ldc, tile::below(left, i),
                                      right + j, ldb, depth, add);
      if (j + tile::P::lanes <= n) {
        for (index_t i = 0; i < m; i += tile::rows)
          tile::template some_rows<1>(std::min(tile::rows, m - i), c + i * ldc + j, ldc, tile::below(left, i),
                                      right + j, ldb, depth, add);
        j += tile::P::lanes;
      }
      if (j < n) tile::narrow({c + j, ldc}, left, {right + j, ldb}, {m, n - j, depth}, add);
    }
  }
};

}  // namespace unmask::inline UNMASK_ABI
