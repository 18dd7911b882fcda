#pragma once

/// The filter of one group of similar patches (similar_patches.hpp): R becomes (R R' + s)^-1 R, where the rows of R are
/// patches of d numbers less their mean. By Cholesky's factors of the n x n matrix. A row of R lies in whole registers,
/// and so does a column of the factors; where a product has both, four numbers of one meet a few registers of the other
/// and the sums stay in registers: 0.1 of a general solver's time at n = 64, d = 72.

#include <algorithm>
#include <cmath>

#include "../core/arena.hpp"
#include "../simd/loop.hpp"
#include "../simd/transpose.hpp"

namespace unmask::inline UNMASK_ABI::optics::detail {

class patch_filter {
 public:
  using pack = simd::pack<float>;
  static constexpr index_t lanes = pack::lanes;
  static constexpr index_t most = 64;  ///< patches in a group; 100 give up to .05 dB more

  explicit patch_filter(index_t numbers) : numbers_(numbers), stride_((numbers + lanes - 1) / lanes * lanes) {}

  void carve_scratch(arena& memory) {
    rest_ = memory.take<float>(most * stride_);
    turned_ = memory.take<float>(most * stride_);
    factors_ = memory.take<float>(most * most);
    inverse_ = memory.take<float>(most);
  }

  /// Row q of R, d numbers.
  float* row(index_t q) const { return rest_ + q * stride_; }

  /// Where rows 0..n hold patches, n in [1, most]: takes their mean off and solves.
  void run(index_t n, float s) {
    const index_t filled = (n + block - 1) / block * block, padded = std::max(filled, (n + lanes - 1) / lanes * lanes);
    take_mean_off(n, padded);
    turn(padded);
    for (index_t j = 0; j < filled; j += block) factor(j, padded, s);
    substitute<widest>(filled, 0);
  }

 private:
  static constexpr index_t block = 4;                      // columns or rows that share what is loaded
  static constexpr index_t tallest = lanes == 16 ? 4 : 2;  // registers of a column at once
  static constexpr index_t widest = lanes == 16 ? 5 : 3;   // registers of a row at once: AVX2 has 16 in all

  void take_mean_off(index_t n, index_t padded) {
    for (index_t d = 0; d < stride_; d += lanes) {
      const bool whole = d + lanes <= numbers_;
      const auto load = [&](index_t q) {
        return whole ? pack::load(row(q) + d) : pack::load_part(row(q) + d, numbers_ - d, 0.f);
      };
      auto sum = pack::all(0.f);
      for (index_t q = 0; q < n; ++q) sum = sum + load(q);
      const auto mean = sum * pack::all(1 / static_cast<float>(n));
      for (index_t q = 0; q < n; ++q) pack::store(row(q) + d, load(q) - mean);
      for (index_t q = n; q < padded; ++q) pack::store(row(q) + d, pack::all(0.f));
    }
  }

  /// turned_[d][q] = R[q][d]
  void turn(index_t padded) {
    constexpr index_t size = simd::groups<float>::size;
    for (index_t d = 0; d < stride_; d += size)
      for (index_t q = 0; q < padded; q += lanes)
        simd::turn_rows_to_columns<float>([&](index_t j) { return turned_ + (d + j) * most + q; },
                                          [&](index_t i) { return row(q + i) + d; });
  }

  /// Columns j..j + 3 of the factors from those before. Rows above the diagonal hold what nobody reads.
  void factor(index_t j, index_t padded, float s) {
    const index_t first = j / lanes * lanes;
    multiply_below<tallest>(first, j, padded);
    for (index_t c = j; c < j + block; ++c) {
      float* column = factors_ + c * most;
      const float inverse = inverse_[c] = 1 / std::sqrt(column[c] + s);
      for (index_t i = first; i < padded; i += lanes)
        pack::store(column + i, pack::load(column + i) * pack::all(inverse));
      for (index_t later = c + 1; later < j + block; ++later) {
        const auto factor = pack::all(column[later]);
        float* to = factors_ + later * most;
        for (index_t i = first; i < padded; i += lanes)
          pack::store(to + i, pack::fnma(factor, pack::load(column + i), pack::load(to + i)));
      }
    }
  }

  /// `multiply` for all rows from i on, as many registers at once as there are.
  template <index_t Registers>
  void multiply_below(index_t i, index_t j, index_t padded) {
    for (; i + Registers * lanes <= padded; i += Registers * lanes) multiply<Registers>(i, j);
    if constexpr (Registers > 1) multiply_below<Registers - 1>(i, j, padded);
  }

  /// Rows i.. of columns j..j + 3 of R R' less what the factors' columns before j make of them.
  template <index_t Registers>
  void multiply(index_t i, index_t j) {
    pack::type sum[block][Registers];
#pragma GCC unroll 4
    for (index_t c = 0; c < block; ++c)
#pragma GCC unroll 4
      for (index_t v = 0; v < Registers; ++v) sum[c][v] = pack::all(0.f);
    const auto add = [&](const float* from, auto&& fma) {
      pack::type x[Registers];
#pragma GCC unroll 4
      for (index_t v = 0; v < Registers; ++v) x[v] = pack::held(pack::load(from + i + v * lanes));
#pragma GCC unroll 4
      for (index_t c = 0; c < block; ++c) {
        const auto f = pack::held(pack::all(from[j + c]));
#pragma GCC unroll 4
        for (index_t v = 0; v < Registers; ++v) sum[c][v] = fma(f, x[v], sum[c][v]);
      }
    };
    for (index_t d = 0; d < numbers_; ++d)
      add(turned_ + d * most, [](auto a, auto b, auto c) { return pack::fma(a, b, c); });
    for (index_t k = 0; k < j; ++k)
      add(factors_ + k * most, [](auto a, auto b, auto c) { return pack::fnma(a, b, c); });
#pragma GCC unroll 4
    for (index_t c = 0; c < block; ++c)
#pragma GCC unroll 4
      for (index_t v = 0; v < Registers; ++v) pack::store(factors_ + (j + c) * most + i + v * lanes, sum[c][v]);
  }

  /// Both triangles for registers v.. of all rows, as many at once as there are.
  template <index_t Registers>
  void substitute(index_t rows, index_t v) {
    for (; (v + Registers) * lanes <= stride_; v += Registers) {
      for (index_t i = 0; i < rows; i += block) forward<Registers>(i, v * lanes);
      for (index_t i = rows - block; i >= 0; i -= block) backward<Registers>(i, rows, v * lanes);
    }
    if constexpr (Registers > 1) substitute<Registers - 1>(rows, v);
  }

  template <index_t Registers>
  void forward(index_t i, index_t at) {
    solve_block<Registers>(
        i, at, 0, i, [&](index_t r, index_t k) { return factors_[k * most + i + r]; }, [](index_t r) { return r; });
  }
  template <index_t Registers>
  void backward(index_t i, index_t rows, index_t at) {
    solve_block<Registers>(
        i, at, i + block, rows, [&](index_t r, index_t k) { return factors_[(i + r) * most + k]; },
        [](index_t r) { return block - 1 - r; });
  }

  /// Rows i..i + 3: less factor(r, k) times the solved rows k of [begin, end), then in the order nth(0), nth(1)... less
  /// those of their own that came before.
  template <index_t Registers, class Factor, class Nth>
  UNMASK_INLINE void solve_block(index_t i, index_t at, index_t begin, index_t end, Factor&& factor, Nth&& nth) {
    pack::type sum[block][Registers];
#pragma GCC unroll 4
    for (index_t r = 0; r < block; ++r)
#pragma GCC unroll 5
      for (index_t v = 0; v < Registers; ++v) sum[r][v] = pack::load(row(i + r) + at + v * lanes);
    for (index_t k = begin; k < end; ++k) {
      const float* from = row(k) + at;
      pack::type x[Registers];
#pragma GCC unroll 5
      for (index_t v = 0; v < Registers; ++v) x[v] = pack::held(pack::load(from + v * lanes));
#pragma GCC unroll 4
      for (index_t r = 0; r < block; ++r) {
        const auto f = pack::held(pack::all(factor(r, k)));
#pragma GCC unroll 5
        for (index_t v = 0; v < Registers; ++v) sum[r][v] = pack::fnma(f, x[v], sum[r][v]);
      }
    }
#pragma GCC unroll 4
    for (index_t m = 0; m < block; ++m) {
      const index_t r = nth(m);
#pragma GCC unroll 4
      for (index_t l = 0; l < m; ++l) {
        const auto f = pack::all(factor(r, i + nth(l)));
#pragma GCC unroll 5
        for (index_t v = 0; v < Registers; ++v) sum[r][v] = pack::fnma(f, sum[nth(l)][v], sum[r][v]);
      }
      const auto inverse = pack::all(inverse_[i + r]);
#pragma GCC unroll 5
      for (index_t v = 0; v < Registers; ++v) {
        sum[r][v] = sum[r][v] * inverse;
        pack::store(row(i + r) + at + v * lanes, sum[r][v]);
      }
    }
  }

  index_t numbers_, stride_;
  float *rest_ = nullptr, *turned_ = nullptr, *factors_ = nullptr, *inverse_ = nullptr;
};

}  // namespace unmask::inline UNMASK_ABI::optics::detail
