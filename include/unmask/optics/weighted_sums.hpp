#pragma once

/// Products of a few rows of numbers with a small matrix, two or four of its rows at a time.

#include "../simd/loop.hpp"

namespace unmask::inline UNMASK_ABI::optics::detail {

/// Rows of a matrix, `terms` numbers each, `stride` apart.
struct matrix_rows {
  const float* first;
  index_t stride, terms;
};

/// body(i, access, s), s[r] = sum over t of row r[t] x[t stride + i], for i in [0, n): a few registers of x times a
/// number of each row, because more loads than multiply-adds would be what it waits for (A' of 256 x 256 pixels: 0.56
/// ms one by one, 0.34 with two rows and four registers).
template <index_t Rows, class Body>
UNMASK_INLINE void weighted_sums(index_t n, const matrix_rows& rows, const float* x, index_t stride, Body&& body) {
  using pack = simd::pack<float>;
  constexpr index_t lanes = pack::lanes, registers = lanes == 16 ? 4 : 8 / Rows;
  const index_t terms = rows.terms, next = rows.stride;
  const float* matrix = rows.first;
  index_t i = 0;
  for (; i + registers * lanes <= n; i += registers * lanes) {
    pack::type s[static_cast<std::size_t>(registers)][static_cast<std::size_t>(Rows)];
#pragma GCC unroll 4
    for (index_t j = 0; j < registers; ++j)
#pragma GCC unroll 4
      for (index_t r = 0; r < Rows; ++r) s[j][r] = pack::all(0.f);
    const float* from = x + i;
    for (index_t t = 0; t < terms; ++t, from += stride) {
      pack::type f[static_cast<std::size_t>(Rows)];
#pragma GCC unroll 4
      for (index_t r = 0; r < Rows; ++r) f[r] = pack::held(pack::all(matrix[r * next + t]));
#pragma GCC unroll 4
      for (index_t j = 0; j < registers; ++j) {
        const auto one = pack::held(pack::load(from + j * lanes));
#pragma GCC unroll 4
        for (index_t r = 0; r < Rows; ++r) s[j][r] = pack::fma(f[r], one, s[j][r]);
      }
    }
#pragma GCC unroll 4
    for (index_t j = 0; j < registers; ++j) body(i + j * lanes, simd::whole_pack<float>{}, s[j]);
  }
  simd::each_pack<float>(n - i, [&](index_t j, auto access) {
    pack::type s[static_cast<std::size_t>(Rows)];
#pragma GCC unroll 4
    for (index_t r = 0; r < Rows; ++r) s[r] = pack::all(0.f);
    for (index_t t = 0; t < terms; ++t) {
      const auto one = access.load(x + t * stride + i + j);
#pragma GCC unroll 4
      for (index_t r = 0; r < Rows; ++r) s[r] = pack::fma(pack::all(matrix[r * next + t]), one, s[r]);
    }
    body(i + j, access, s);
  });
}

}  // namespace unmask::inline UNMASK_ABI::optics::detail
