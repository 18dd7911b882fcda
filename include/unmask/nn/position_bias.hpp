#pragma once

/// Relative-position bias and shift mask of windowed attention (Liu et al. 2021).
///   forward   bias[h, p, t] = table[(pr - tr + M - 1)(2M - 1) + (pc - tc + M - 1), h] for query p = (pr, pc), key t
///   gradient  dtable[offset(p, t), h] += dscores[h, p, t]
///   shapes    table [(2M-1)^2, NH], bias [NH, N, N]

#include "window.hpp"

namespace unmask::inline UNMASK_ABI {

/// Row of the table that joins query p and key t.
constexpr index_t relative_offset(index_t p, index_t t, index_t side) {
  return (p / side - t / side + side - 1) * (2 * side - 1) + (p % side - t % side + side - 1);
}

template <class T>
void position_bias_forward(T* bias, const T* table, index_t side, index_t heads) {
  const index_t n = side * side;
  for (index_t h = 0; h < heads; ++h)
    for (index_t p = 0; p < n; ++p)
      for (index_t t = 0; t < n; ++t) bias[(h * n + p) * n + t] = table[relative_offset(p, t, side) * heads + h];
}

/// One head's scores [N, N].
template <class T>
void position_bias_backward(T* dtable, const T* dscores, index_t side, index_t heads, index_t head) {
  const index_t n = side * side;
  for (index_t p = 0; p < n; ++p)
    for (index_t t = 0; t < n; ++t) dtable[relative_offset(p, t, side) * heads + head] += dscores[p * n + t];
}

/// scores[p, t] -= 100 where query and key lie in different regions of the shifted image.
template <class T>
void add_shift_mask(T* scores, const window_grid& grid, index_t window) {
  const index_t n = grid.tokens();
  for (index_t p = 0; p < n; ++p) {
    const index_t own = grid.region(window, p);
    for (index_t t = 0; t < n; ++t)
      if (grid.region(window, t) != own) scores[p * n + t] -= T(100);
  }
}

}  // namespace unmask::inline UNMASK_ABI
