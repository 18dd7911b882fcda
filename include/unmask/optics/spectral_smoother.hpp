#pragma once

/// The prior of GAP-TV along the spectrum, as one small matrix. The only part of it that takes Eigen's decompositions.

#include <Eigen/Cholesky>
#include <algorithm>

#include "../core/view.hpp"

namespace unmask::inline UNMASK_ABI::optics::detail {

/// to = (I + mu D'D)^-1 [C, C], D the second difference; the identity for C < 3. Symmetric, rows sum to 1.
/// A template so that only who solves compiles the decomposition: 0.4 s of every file that includes the umbrella.
template <class Matrix = Eigen::MatrixXd>
void spectral_smoother(index_t C, double mu, float* to) {
  Matrix system = Matrix::Identity(C, C);
  const Eigen::Matrix<typename Matrix::Scalar, 3, 1> difference(1, -2, 1);
  for (index_t i = 0; i + 2 < C; ++i) system.template block<3, 3>(i, i) += mu * difference * difference.transpose();
  const Matrix inverse = system.llt().solve(Matrix::Identity(C, C));
  std::transform(inverse.data(), inverse.data() + C * C, to, [](double v) { return static_cast<float>(v); });
}

}  // namespace unmask::inline UNMASK_ABI::optics::detail
