#pragma once

/// Products of a few rows of numbers with a small matrix, two of its rows at a time.

#include "../simd/loop.hpp"

namespace unmask::inline UNMASK_ABI::optics::detail {

/// Two rows of a matrix, `terms` numbers each.
struct row_pair {
  const float *first, *second;
  index_t terms;
};

/// body(i, access, s0, s1), s = sum over t of row[t] x[t stride + i], for i in [0, n): four registers of x times two
/// numbers each, because more loads than multiply-adds would be what it waits for (0.56 to 0.34 ms for A' of 256 x 256
/// pixels).
template <class Body>
UNMASK_INLINE void weighted_sums(index_t n, const row_pair& rows, const float* x, index_t stride, Body&& body) {
  using pack = simd::pack<float>;
  constexpr index_t lanes = pack::lanes;
  const float *a0 = rows.first, *a1 = rows.second;
  const index_t terms = rows.terms;
  index_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    pack::type s0[4], s1[4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) s0[j] = s1[j] = pack::all(0.f);
    const float* from = x + i;
    for (index_t t = 0; t < terms; ++t, from += stride) {
      const auto f0 = pack::held(pack::all(a0[t])), f1 = pack::held(pack::all(a1[t]));
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) {
        const auto one = pack::held(pack::load(from + j * lanes));
        s0[j] = pack::fma(f0, one, s0[j]);
        s1[j] = pack::fma(f1, one, s1[j]);
      }
    }
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) body(i + j * lanes, simd::whole_pack<float>{}, s0[j], s1[j]);
  }
  simd::each_pack<float>(n - i, [&](index_t j, auto access) {
    auto s0 = pack::all(0.f), s1 = s0;
    for (index_t t = 0; t < terms; ++t) {
      const auto one = access.load(x + t * stride + i + j);
      s0 = pack::fma(pack::all(a0[t]), one, s0);
      s1 = pack::fma(pack::all(a1[t]), one, s1);
    }
    body(i + j, access, s0, s1);
  });
}

}  // namespace unmask::inline UNMASK_ABI::optics::detail
