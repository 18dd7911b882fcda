#pragma once

/// What `spectral_tv` has to know of the world: how spectra differ between neighbouring pixels. Not part of the
/// umbrella header, because it takes <Eigen/Eigenvalues> and only training needs it.

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "../core/finite.hpp"
#include "../core/result.hpp"
#include "../core/tensor.hpp"

namespace unmask::inline UNMASK_ABI::optics {

/// The spectral basis [K, C] of scenes [H, W, C], K = min(rank, C): principal directions of the differences between
/// neighbours, in units of each scene's mean level, times their deviations, largest first; squared they sum to 1. A
/// difference counts with the inverse of its length, much as `spectral_tv` will weigh it. Errors: no scene, scenes of
/// different C, smaller than 2 x 2, dark or not finite (by number), rank < 1.
inline result<tensor<float, 2>> learn_spectral_basis(const std::vector<tensor<float, 3>>& scenes, index_t rank) {
  const auto refuse = [](std::size_t i, const std::string& what) {
    return error(errc::wrong_value, "spectra: scene " + std::to_string(i) + " " + what);
  };
  if (scenes.empty() || rank < 1)
    return error(errc::bad_argument, "spectra: " + std::to_string(scenes.size()) + " scenes and rank " +
                                         std::to_string(rank) + ", expected at least 1 of each");
  const index_t C = scenes[0].extent(2), K = std::min(rank, C);
  Eigen::MatrixXd sum = Eigen::MatrixXd::Zero(C, C);
  for (std::size_t i = 0; i < scenes.size(); ++i) {
    const tensor<float, 3>& x = scenes[i];
    const index_t H = x.extent(0), W = x.extent(1);
    if (x.extent(2) != C || H < 2 || W < 2)
      return refuse(i, "is [" + std::to_string(H) + " x " + std::to_string(W) + " x " + std::to_string(x.extent(2)) +
                           "], expected at least 2 x 2 pixels of " + std::to_string(C) + " bands");
    double level = 0;
    for (const float v : x) level += static_cast<double>(v) / static_cast<double>(x.size());
    if (!(level > 0 && is_finite(level))) return refuse(i, "has mean " + std::to_string(level) + ", expected > 0");
    Eigen::MatrixXd part = Eigen::MatrixXd::Zero(C, C);
    Eigen::VectorXd difference(C);
    const auto add = [&](const float* a, const float* b) {
      for (index_t c = 0; c < C; ++c) difference[c] = (static_cast<double>(a[c]) - static_cast<double>(b[c])) / level;
      // below a hundredth of the level it is noise, and would count alike however small
      part.selfadjointView<Eigen::Lower>().rankUpdate(difference, 1 / std::max(difference.norm(), .01));
    };
    for (index_t h = 0; h < H; ++h)
      for (index_t w = 0; w < W; ++w) {
        if (h + 1 < H) add(&x(h + 1, w, 0), &x(h, w, 0));
        if (w + 1 < W) add(&x(h, w + 1, 0), &x(h, w, 0));
      }
    sum += part / static_cast<double>(H * W);
  }
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solved(sum);  // reads the lower triangle, values ascend
  const double total = solved.eigenvalues().sum();
  if (!(total > 0)) return error(errc::wrong_value, "spectra: all scenes are of one colour, expected differences");
  tensor<float, 2> basis({K, C});
  for (index_t k = 0; k < K; ++k) {
    const double deviation = std::sqrt(std::max(0., solved.eigenvalues()[C - 1 - k] / total));
    const auto direction = solved.eigenvectors().col(C - 1 - k);
    const double sign = direction.sum() < 0 ? -1 : 1;  // a direction has none: light is positive
    for (index_t c = 0; c < C; ++c) basis(k, c) = static_cast<float>(sign * deviation * direction[c]);
  }
  return basis;
}

}  // namespace unmask::inline UNMASK_ABI::optics
