#pragma once

/// The Wiener filter of one class and scale, and the direction in which one covariance exceeds another. Matrices are
/// row-major [n, n] in double; scratch is planned once, for one thread.

#include "../core/arena.hpp"
#include "dense.hpp"

namespace unmask::inline UNMASK_ABI::clouds {

class wiener_gain {
 public:
  void carve(arena& a, index_t n) {
    n_ = n, q_ = std::min<index_t>(n, directions);
    for (double** m : {&lower_, &inverse_, &white_, &product_}) *m = a.take<double>(n * n);
    vectors_ = a.take<double>(2 * q_ * n);
    scratch_ = a.take<double>(n);
  }

  /// K = Sigma T G with G = S^-1 where S is held to be P = T Sigma T + noise I but for the few directions in which it
  /// is larger: cloud is in few, and a covariance measured on few pixels is too small by chance in others. sigma, S [n,
  /// n], T [n] the diagonal. K is 0 where P is not positive.
  void gain(double* K, const double* sigma, const double* T, const double* S, double noise) noexcept {
    const index_t n = n_;
    for (index_t r = 0; r < n; ++r)
      for (index_t c = 0; c <= r; ++c) lower_[r * n + c] = T[r] * sigma[r * n + c] * T[c] + (r == c ? noise : 0.);
    std::fill_n(K, n * n, 0.);
    if (!whiten(S)) return;
    leading_eigenvectors(white_, n, vectors_, q_, vectors_ + q_ * n);
    // W = I - sum of (1 - 1 / lambda) q q', G = L'^-1 W L^-1
    std::fill_n(product_, n * n, 0.);
    for (index_t i = 0; i < n; ++i) product_[i * n + i] = 1;
    for (index_t j = 0; j < q_; ++j) {
      const double* q = vectors_ + j * n;
      const double excess = eigenvalue(q);
      if (excess > 1) add_outer(product_, n, 1 / excess - 1, q);
    }
    mirror(product_, n);
    multiply(white_, product_, inverse_);
    multiply_transposed(product_, inverse_, white_);
    for (index_t r = 0; r < n; ++r)
      for (index_t k = 0; k < n; ++k)
        for (index_t c = 0; c < n; ++c) K[r * n + c] += sigma[r * n + k] * T[k] * product_[k * n + c];
  }

  /// along [n]: the linear form that is largest on vectors of second moment S beside those of `error` [n, n].
  void strongest(double* along, const double* S, const double* error, double noise) noexcept {
    const index_t n = n_;
    for (index_t r = 0; r < n; ++r)
      for (index_t c = 0; c <= r; ++c) lower_[r * n + c] = error[r * n + c] + (r == c ? noise : 0.);
    std::fill_n(along, n, 0.);
    if (!whiten(S)) return;
    leading_eigenvectors(white_, n, vectors_, 1, vectors_ + n);
    for (index_t k = 0; k < n; ++k)
      for (index_t c = 0; c <= k; ++c) along[c] += inverse_[k * n + c] * vectors_[k];
  }

  /// T [n]: minimises the sum of (y - T b)' R^-1 (y - T b) where bb = sum of b b', by = sum of b y'. `flat` is added to
  /// the squares of b. Unchanged where R is not positive.
  void weighted_slopes(double* T, const double* R, const double* bb, const double* by, double flat) noexcept {
    const index_t n = n_;
    std::copy_n(R, n * n, lower_);
    if (!cholesky(lower_, n)) return;
    invert_lower(inverse_, lower_, n);
    multiply_transposed(product_, inverse_, inverse_);  // R^-1
    for (index_t r = 0; r < n; ++r) {
      double right = 0;
      for (index_t c = 0; c < n; ++c) {
        right += product_[r * n + c] * by[r * n + c];
        white_[r * n + c] = product_[r * n + c] * (bb[r * n + c] + (r == c ? flat : 0.));
      }
      scratch_[r] = right;
    }
    if (cholesky_solve(white_, n, scratch_, 1)) std::copy_n(scratch_, n, T);
  }

  double* scratch() const { return scratch_; }  ///< [n]

 private:
  static constexpr index_t directions = 8;  // 5 or more give the same, 3 differ by .2 dB either way

  /// inverse = L^-1 of lower = L L', white = L^-1 S L'^-1.
  bool whiten(const double* S) noexcept {
    if (!cholesky(lower_, n_)) return false;
    invert_lower(inverse_, lower_, n_);
    multiply(product_, inverse_, S);
    for (index_t r = 0; r < n_; ++r)
      for (index_t c = 0; c < n_; ++c) {
        double sum = 0;
        for (index_t k = 0; k <= c; ++k) sum += product_[r * n_ + k] * inverse_[c * n_ + k];
        white_[r * n_ + c] = sum;
      }
    return true;
  }

  double eigenvalue(const double* q) const noexcept {
    double sum = 0;
    for (index_t r = 0; r < n_; ++r)
      for (index_t c = 0; c < n_; ++c) sum += q[r] * white_[r * n_ + c] * q[c];
    return sum;
  }

  /// out = A B
  void multiply(double* out, const double* A, const double* B) const noexcept {
    std::fill_n(out, n_ * n_, 0.);
    for (index_t r = 0; r < n_; ++r)
      for (index_t k = 0; k < n_; ++k)
        for (index_t c = 0; c < n_; ++c) out[r * n_ + c] += A[r * n_ + k] * B[k * n_ + c];
  }

  /// out = A' B
  void multiply_transposed(double* out, const double* A, const double* B) const noexcept {
    std::fill_n(out, n_ * n_, 0.);
    for (index_t k = 0; k < n_; ++k)
      for (index_t r = 0; r < n_; ++r)
        for (index_t c = 0; c < n_; ++c) out[r * n_ + c] += A[k * n_ + r] * B[k * n_ + c];
  }

  index_t n_ = 0, q_ = 0;
  double *lower_ = nullptr, *inverse_ = nullptr, *white_ = nullptr, *product_ = nullptr;
  double *vectors_ = nullptr, *scratch_ = nullptr;
};

}  // namespace unmask::inline UNMASK_ABI::clouds
