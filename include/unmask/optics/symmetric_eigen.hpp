#pragma once

/// Eigenvalues and eigenvectors of a small symmetric matrix, without heap: Jacobi's rotations, cyclic by rows (Golub
/// and Van Loan, Matrix Computations, 8.5). Eigen's solver allocates for sizes that are not known when it compiles, and
/// `run` may not.

#include <algorithm>
#include <cmath>

#include "../core/view.hpp"

namespace unmask::inline UNMASK_ABI::optics::detail {

/// a [n, n], row-major and symmetric, becomes diagonal: the eigenvalues, not sorted. Row i of `vectors` [n, n] is the
/// unit vector of a[i, i]. n at most some dozens: n^3 a sweep. NaN stays NaN.
inline void diagonalise(double* a, double* vectors, index_t n) {
  constexpr int most_sweeps = 30;  // six do for matrices of 16
  std::fill_n(vectors, n * n, 0.);
  for (index_t i = 0; i < n; ++i) vectors[i * n + i] = 1;
  double all = 0;
  for (index_t i = 0; i < n * n; ++i) all += a[i] * a[i];
  for (int sweep = 0; sweep < most_sweeps; ++sweep) {
    double off = 0;
    for (index_t i = 0; i < n; ++i)
      for (index_t j = 0; j < i; ++j) off += a[i * n + j] * a[i * n + j];
    if (!(off > 1e-30 * all)) return;
    for (index_t p = 0; p < n; ++p)
      for (index_t q = p + 1; q < n; ++q) {
        const double apart = a[p * n + q];
        if (apart == 0) continue;
        const double half = (a[q * n + q] - a[p * n + p]) / (2 * apart),
                     tangent = (half < 0 ? -1 : 1) / (std::abs(half) + std::sqrt(half * half + 1)),
                     cosine = 1 / std::sqrt(tangent * tangent + 1), sine = tangent * cosine;
        const auto turn = [&](double& x, double& y) {
          const double old = x;
          x = cosine * old - sine * y;
          y = sine * old + cosine * y;
        };
        for (index_t k = 0; k < n; ++k) turn(a[k * n + p], a[k * n + q]);
        for (index_t k = 0; k < n; ++k) turn(a[p * n + k], a[q * n + k]);
        for (index_t k = 0; k < n; ++k) turn(vectors[p * n + k], vectors[q * n + k]);
      }
  }
}

}  // namespace unmask::inline UNMASK_ABI::optics::detail
