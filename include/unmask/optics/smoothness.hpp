#pragma once

/// The two priors of GAP-TV: total variation over the image, in the dual form that is solved row by row, and smoothness
/// along the spectrum, as one small matrix.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <vector>

#include "../core/view.hpp"

namespace unmask::inline UNMASK_ABI::optics {

namespace detail {

/// (I + mu D'D)^-1 [C, C], D the second difference; the identity for C < 3. Symmetric, rows sum to 1.
inline void spectral_smoother(index_t C, double mu, float* to) {
  const auto n = static_cast<std::size_t>(C);
  std::vector<double> a(n * n, 0.), inverse(n * n, 0.);
  for (std::size_t i = 0; i < n; ++i) a[i * n + i] = inverse[i * n + i] = 1;
  constexpr std::array<double, 3> difference{1, -2, 1};
  for (std::size_t i = 0; i + 2 < n; ++i)
    for (std::size_t p = 0; p < 3; ++p)
      for (std::size_t q = 0; q < 3; ++q) a[(i + p) * n + i + q] += mu * difference[p] * difference[q];
  // Gauss-Jordan without pivoting: the matrix is symmetric and its eigenvalues are at least 1.
  for (std::size_t i = 0; i < n; ++i) {
    const double pivot = 1 / a[i * n + i];
    for (std::size_t j = 0; j < n; ++j) a[i * n + j] *= pivot, inverse[i * n + j] *= pivot;
    for (std::size_t r = 0; r < n; ++r) {
      if (r == i) continue;
      const double factor = a[r * n + i];
      for (std::size_t j = 0; j < n; ++j) {
        a[r * n + j] -= factor * a[i * n + j];
        inverse[r * n + j] -= factor * inverse[i * n + j];
      }
    }
  }
  std::transform(inverse.begin(), inverse.end(), to, [](double v) { return static_cast<float>(v); });
}

/// u = f + lambda div p over row h of [H, W C] values. Pixels left of and above the image count as p = 0; p itself is
/// kept 0 across the right and lower edge.
inline void tv_primal(float* u, const float* f, const float* px, const float* py, float lambda, index_t h, index_t row,
                      index_t C) {
  const index_t at = h * row;
  for (index_t j = 0; j < std::min(C, row); ++j) u[at + j] = f[at + j] + lambda * (px[at + j] + py[at + j]);
  for (index_t j = at + C; j < at + row; ++j) u[j] = f[j] + lambda * (px[j] - px[j - C] + py[j]);
  if (h > 0)
    for (index_t j = at; j < at + row; ++j) u[j] -= lambda * py[j - row];
}

/// p = P(p + tau grad u) over row h; P scales a pixel's 2 C values onto the unit ball.
inline void tv_dual(const float* u, float* px, float* py, float tau, index_t h, index_t H, index_t row, index_t C) {
  const index_t at = h * row;
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
