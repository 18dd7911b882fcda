#pragma once

/// Tokens on the lanes: a set of N tokens x C channels as [N / S strips][C][S], S = two packs.
/// A strip is what a register tile reads (6 output channels x S tokens: 12 accumulators), layer norm and softmax become
/// vertical, and one strip of 60 channels is 4 KB on AVX2. A plain [C][64] would have rows of 256 bytes and use a
/// quarter of the L1 sets.

#include <algorithm>
#include <cstdint>

#include "../../../simd/transpose.hpp"
#include "../../window.hpp"

namespace unmask::inline UNMASK_ABI::strip {

/// S, tokens of a strip.
template <class T>
inline constexpr index_t width = 2 * simd::pack<T>::lanes;

/// n rounded up to whole strips: the row length of token-major copies, whose channels lie on the lanes.
template <class T>
constexpr index_t padded(index_t n) {
  return (n + width<T> - 1) / width<T> * width<T>;
}

/// 32 bits: no more alignment than a float's, so that a window's memory may begin wherever numbers may.
struct place {
  std::int32_t row, column;
  place() = default;
  place(index_t r, index_t c) : row(static_cast<std::int32_t>(r)), column(static_cast<std::int32_t>(c)) {}
};

/// Where the tokens of a window lie in the image; the cyclic shift costs two comparisons a row.
inline void window_places(place* at, const window_grid& grid, index_t window) {
  const index_t top = window / grid.columns() * grid.side + grid.shift,
                left = window % grid.columns() * grid.side + grid.shift;
  for (index_t i = 0; i < grid.side; ++i) {
    const index_t row = top + i < grid.height ? top + i : top + i - grid.height;
    for (index_t j = 0; j < grid.side; ++j) *at++ = {row, left + j < grid.width ? left + j : left + j - grid.width};
  }
}

/// x [N / S][C][S] from the rows row(t), t < N. Where C is no multiple of a group, the last group overlaps the one
/// before it: writing the same numbers twice costs less than a tail. `stride`: distance of strips where x is part of a
/// taller buffer.
template <class T, class Row>
void from_rows(T* x, Row row, index_t tokens, index_t c, index_t stride = 0) {
  constexpr index_t lanes = simd::pack<T>::lanes, group = simd::groups<T>::size, s = width<T>;
  for (index_t t = 0; t < tokens; t += lanes) {
    T* to = x + t / s * (stride > 0 ? stride : c * s) + t % s;
    if (c < group) {
      for (index_t i = 0; i < lanes; ++i)
        for (index_t k = 0; k < c; ++k) to[k * s + i] = row(t + i)[k];
      continue;
    }
    for (index_t k = 0; k < c; k += group) {
      const index_t at = std::min(k, c - group);
      simd::turn_rows_to_columns<T>([&](index_t j) { return to + (at + j) * s; },
                                    [&](index_t i) -> const T* { return row(t + i) + at; });
    }
  }
}

/// The rows row(t), t < N, from x [N / S][C][S].
template <class T, class Row>
void to_rows(Row row, const T* x, index_t tokens, index_t c) {
  constexpr index_t lanes = simd::pack<T>::lanes, group = simd::groups<T>::size, s = width<T>;
  for (index_t t = 0; t < tokens; t += lanes) {
    const T* from = x + t / s * (c * s) + t % s;
    if (c < group) {
      for (index_t i = 0; i < lanes; ++i)
        for (index_t k = 0; k < c; ++k) row(t + i)[k] = from[k * s + i];
      continue;
    }
    for (index_t k = 0; k < c; k += group) {
      const index_t at = std::min(k, c - group);
      simd::turn_columns_to_rows<T>([&](index_t i) { return row(t + i) + at; },
                                    [&](index_t j) { return from + (at + j) * s; });
    }
  }
}

/// body(pack index) for all packs of n numbers, n a multiple of the lanes; y = f(x...) elementwise.
template <class T, class F, class... In>
void map(T* y, index_t n, F&& f, const In*... x) {
  using P = simd::pack<T>;
  for (index_t i = 0; i < n; i += P::lanes) P::store(y + i, f(P::load(x + i)...));
}

}  // namespace unmask::inline UNMASK_ABI::strip
