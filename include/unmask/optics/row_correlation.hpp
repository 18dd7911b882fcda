#pragma once

/// How light is expected to vary along a row, before anything is measured: covariance P of a row x [W, C],
///   P = sum over k of (R_k along the columns) (x) f_k f_k' along the bands,
///   R_k(i, j) = sum over e of share_e exp(-|i - j| / length_e).
/// The first spectral component, brightness, keeps its value over longer ways than the others, colours. Exponentials
/// are what two recursions along the row compute, so P x takes O(W) steps.

#include <algorithm>
#include <array>
#include <cmath>

#include "../core/view.hpp"

namespace unmask::inline UNMASK_ABI::optics {

/// One exponential: its share of the variance, its length in pixels.
struct row_exponential {
  double share, length;
};

/// Fitted to rows of CAVE scenes of 256 columns.
inline constexpr std::array<row_exponential, 2> brightness_along_row{{{.1, 8}, {.9, 150}}},
    colour_along_row{{{.3, 8}, {.7, 45}}};

constexpr const std::array<row_exponential, 2>& along_row(index_t component) {
  return component == 0 ? brightness_along_row : colour_along_row;
}

namespace detail {

/// y += R x for `lanes` columns of numbers side by side, [W, lanes]; `decay`, `share`: those of each lane. `state`:
/// scratch of `lanes` numbers.
template <class T>
void add_exponential(T* y, const T* x, index_t width, index_t lanes, const T* decay, const T* share, T* state) {
  std::fill_n(state, lanes, T(0));
  for (index_t w = 0; w < width; ++w)
    for (index_t k = 0; k < lanes; ++k) {
      state[k] = decay[k] * state[k] + x[w * lanes + k];
      y[w * lanes + k] += share[k] * state[k];
    }
  std::fill_n(state, lanes, T(0));
  for (index_t w = width - 1; w >= 0; --w)
    for (index_t k = 0; k < lanes; ++k) {
      y[w * lanes + k] += share[k] * state[k];
      state[k] = decay[k] * (state[k] + x[w * lanes + k]);
    }
}

}  // namespace detail

}  // namespace unmask::inline UNMASK_ABI::optics
