#pragma once

/// Small dense algebra without heap: Cholesky, leading eigenvectors, least squares on the simplex. Matrices are
/// row-major.

#include <algorithm>
#include <array>
#include <cmath>

#include "../core/random.hpp"
#include "../core/view.hpp"

namespace unmask::inline UNMASK_ABI::clouds {

/// A [n, n], symmetric and positive definite (its lower triangle is read), becomes L with A = L L' in its lower
/// triangle. False where a pivot is not positive.
inline bool cholesky(double* A, index_t n) noexcept {
  for (index_t i = 0; i < n; ++i) {
    double* row = A + i * n;
    for (index_t j = 0; j <= i; ++j) {
      double sum = row[j];
      for (index_t k = 0; k < j; ++k) sum -= row[k] * A[j * n + k];
      if (i > j)
        row[j] = sum / A[j * n + j];
      else if (sum > 0)
        row[j] = std::sqrt(sum);
      else
        return false;
    }
  }
  return true;
}

/// Solves A X = B: A [n, n] symmetric positive definite (its lower triangle is read and overwritten), B [n, m] becomes
/// X. False where a pivot is not positive; B is then undefined.
inline bool cholesky_solve(double* A, index_t n, double* B, index_t m) noexcept {
  if (!cholesky(A, n)) return false;
  for (index_t i = 0; i < n; ++i) {
    for (index_t k = 0; k < i; ++k)
      for (index_t c = 0; c < m; ++c) B[i * m + c] -= A[i * n + k] * B[k * m + c];
    for (index_t c = 0; c < m; ++c) B[i * m + c] /= A[i * n + i];
  }
  for (index_t i = n - 1; i >= 0; --i) {
    for (index_t k = i + 1; k < n; ++k)
      for (index_t c = 0; c < m; ++c) B[i * m + c] -= A[k * n + i] * B[k * m + c];
    for (index_t c = 0; c < m; ++c) B[i * m + c] /= A[i * n + i];
  }
  return true;
}

/// X [n, n] = L^-1 of L's lower triangle; above its diagonal X is 0.
inline void invert_lower(double* X, const double* L, index_t n) noexcept {
  std::fill_n(X, n * n, 0.);
  for (index_t i = 0; i < n; ++i) {
    for (index_t k = 0; k < i; ++k)
      for (index_t c = 0; c <= k; ++c) X[i * n + c] -= L[i * n + k] * X[k * n + c];
    X[i * n + i] = 1;
    for (index_t c = 0; c <= i; ++c) X[i * n + c] /= L[i * n + i];
  }
}

/// M [n, n] += weight v v', its lower triangle only; `mirror` copies that to the upper one.
inline void add_outer(double* M, index_t n, double weight, const double* v) noexcept {
  for (index_t r = 0; r < n; ++r)
    for (index_t c = 0; c <= r; ++c) M[r * n + c] += weight * v[r] * v[c];
}
inline void mirror(double* M, index_t n) noexcept {
  for (index_t r = 0; r < n; ++r)
    for (index_t c = 0; c < r; ++c) M[c * n + r] = M[r * n + c];
}

/// The q leading eigenvectors of G [n, n] (symmetric, not negative) as the rows of Q [q, n], by orthogonal iteration;
/// `next` [q, n] is scratch. q <= n. Eigenvalues that nearly agree leave a mixture of their vectors, whose span is
/// right.
inline void leading_eigenvectors(const double* G, index_t n, double* Q, index_t q, double* next) noexcept {
  unmask::random start(1);
  for (index_t i = 0; i < q * n; ++i) Q[i] = start.normal();
  for (int iteration = 0; iteration <= 60; ++iteration) {
    for (index_t i = 0; i < q; ++i) {
      double* v = Q + i * n;
      for (index_t j = 0; j < i; ++j) {
        const double* u = Q + j * n;
        double along = 0;
        for (index_t k = 0; k < n; ++k) along += u[k] * v[k];
        for (index_t k = 0; k < n; ++k) v[k] -= along * u[k];
      }
      double length = 0;
      for (index_t k = 0; k < n; ++k) length += v[k] * v[k];
      const double scale = length > 0 ? 1 / std::sqrt(length) : 0;
      for (index_t k = 0; k < n; ++k) v[k] *= scale;
    }
    if (iteration == 60) break;
    for (index_t i = 0; i < q; ++i)
      for (index_t r = 0; r < n; ++r) {
        double sum = 0;
        for (index_t k = 0; k < n; ++k) sum += G[r * n + k] * Q[i * n + k];
        next[i * n + r] = sum;
      }
    std::copy_n(next, q * n, Q);
  }
}

/// Weights w >= 0 that sum to 1 and minimise w' G w - 2 w' b, by projected gradients (Duchi et al. 2008). G [M, M] is
/// the candidates' second moments, b their products with the truth, both means over pixels.
template <std::size_t M>
std::array<double, M> simplex_least_squares(const std::array<std::array<double, M>, M>& G,
                                            const std::array<double, M>& b) noexcept {
  double bound = 1e-12;  // the trace is at least the largest eigenvalue
  for (std::size_t i = 0; i < M; ++i) bound += G[i][i];
  std::array<double, M> w, step;
  w.fill(1. / static_cast<double>(M));
  // Candidates are nearly equal, so the trace is nearly the largest eigenvalue and the small ones decide: 4000 steps of
  // Nesterov's method take microseconds and are converged.
  std::array<double, M> ahead = w;
  double momentum = 1;
  for (int iteration = 0; iteration < 4000; ++iteration) {
    for (std::size_t i = 0; i < M; ++i) {
      double gradient = -b[i];
      for (std::size_t j = 0; j < M; ++j) gradient += G[i][j] * ahead[j];
      step[i] = ahead[i] - gradient / bound;
    }
    std::array<double, M> sorted = step;
    std::sort(sorted.begin(), sorted.end(), [](double x, double y) { return x > y; });
    double sum = 0, shift = 0;
    for (std::size_t i = 0; i < M; ++i) {
      sum += sorted[i];
      const double t = (sum - 1) / static_cast<double>(i + 1);
      if (sorted[i] > t) shift = t;
    }
    const double next = (1 + std::sqrt(1 + 4 * momentum * momentum)) / 2;
    for (std::size_t i = 0; i < M; ++i) {
      const double now = std::max(step[i] - shift, 0.);
      ahead[i] = now + (momentum - 1) / next * (now - w[i]);
      w[i] = now;
    }
    momentum = next;
  }
  return w;
}

}  // namespace unmask::inline UNMASK_ABI::clouds
