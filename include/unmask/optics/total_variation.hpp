#pragma once

/// The prior of GAP-TV over the image: total variation in the dual form that is solved row by row.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include "../core/view.hpp"

namespace unmask::inline UNMASK_ABI::optics {

namespace detail {

/// The dual variable p [H, W, C], for differences with the pixels to the right and below.
struct dual_images {
  float *right, *down;
};

/// Which of an image's rows, of W C values.
struct image_row {
  index_t number, rows, size, bands;
};

/// u = f + lambda div p over row h of [H, W C] values. Pixels left of and above the image count as p = 0; p itself is
/// kept 0 across the right and lower edge.
inline void tv_primal(float* u, const float* f, const dual_images& p, float lambda, const image_row& r) {
  const index_t h = r.number, row = r.size, C = r.bands, at = h * row;
  const float *px = p.right, *py = p.down;
  for (index_t j = 0; j < std::min(C, row); ++j) u[at + j] = f[at + j] + lambda * (px[at + j] + py[at + j]);
  for (index_t j = at + C; j < at + row; ++j) u[j] = f[j] + lambda * (px[j] - px[j - C] + py[j]);
  if (h > 0)
    for (index_t j = at; j < at + row; ++j) u[j] -= lambda * py[j - row];
}

/// p = P(p + tau grad u) over row h; P scales a pixel's 2 C values onto the unit ball.
inline void tv_dual(const float* u, const dual_images& p, float tau, const image_row& r) {
  const index_t h = r.number, H = r.rows, row = r.size, C = r.bands, at = h * row;
  float *px = p.right, *py = p.down;
  if (h + 1 < H)
    for (index_t j = at; j < at + row; ++j) py[j] += tau * (u[j + row] - u[j]);
  for (index_t j = at; j < at + row - C; ++j) px[j] += tau * (u[j + C] - u[j]);
  for (index_t j = at; j < at + row; j += C) {
    // Four partial sums: strict floating point would otherwise wait for one add after the other.
    std::array<float, 4> squares{};
    index_t c = 0;
    for (; c + 4 <= C; c += 4)
      for (index_t i = 0; i < 4; ++i) {
        const float x = px[j + c + i], y = py[j + c + i];
        squares[static_cast<std::size_t>(i)] += x * x + y * y;
      }
    for (; c < C; ++c) squares[0] += px[j + c] * px[j + c] + py[j + c] * py[j + c];
    const float norm = (squares[0] + squares[1]) + (squares[2] + squares[3]);
    if (norm <= 1) continue;
    const float scale = 1 / std::sqrt(norm);
    for (c = 0; c < C; ++c) px[j + c] *= scale, py[j + c] *= scale;
  }
}

}  // namespace detail

}  // namespace unmask::inline UNMASK_ABI::optics
