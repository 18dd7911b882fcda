#pragma once

/// Weights of the candidates by band, and how far off their mean is, both from pixels that were hidden on purpose.

#include <algorithm>
#include <array>
#include <cmath>

#include "../parallel/parallel_for.hpp"
#include "dense.hpp"
#include "scene.hpp"

namespace unmask::inline UNMASK_ABI::clouds {

/// Candidates of `count` pixels: E[m] [count, C].
struct candidate_values {
  std::array<float*, candidates> E{};
  index_t count = 0, bands = 0;

  using spectrum = std::array<double, candidates>;
  spectrum at(index_t i, index_t band) const noexcept {
    spectrum e;
    for (std::size_t m = 0; m < candidates; ++m) e[m] = static_cast<double>(E[m][i * bands + band]);
    return e;
  }
};

/// One band's mixture. Its standard deviation at a pixel is scale x sqrt(floor^2 + variance of the candidates there):
/// where methods that look at different things disagree, none is to be believed.
struct mixture {
  std::array<double, candidates> weight{};
  double scale = 0, floor = 0;

  /// Mean and variance of a pixel's candidates under the weights.
  void combine(const std::array<double, candidates>& e, double& mean, double& variance) const noexcept {
    mean = variance = 0;
    for (std::size_t m = 0; m < candidates; ++m) mean += weight[m] * e[m];
    for (std::size_t m = 0; m < candidates; ++m)
      variance += (e[m] - mean) * (e[m] - mean) / static_cast<double>(candidates);
  }
  double deviation(double variance) const noexcept { return scale * std::sqrt(floor * floor + variance); }
};

/// Weights that are all the same for the candidates that need no held-out pixels to be sound, and no known deviation.
inline mixture equal_mixture() {
  mixture m;
  m.weight = {1. / 3, 0, 1. / 3, 1. / 3, 0};
  m.scale = std::nan("");
  return m;
}

/// Weights are shrunk towards equal ones by this share of the signal's power: held-out pixels are few and open ground
/// is not hidden ground. On 24 Sentinel-2 scenes 0 gave 40.00 dB, .005 to .025 40.46 to 40.51; elsewhere it changes 0.1
/// dB.
inline constexpr double towards_equal = .01;

/// The share of held-out errors that one deviation covers. Above 68 %, because held-out pixels flatter: their weights
/// were fitted to them, and open ground is easier than hidden ground. On real hidden pixels 62 to 74 % are within.
inline constexpr double within_one = .73;

/// The mixture of one band; truth(i) is the known value of pixel i. `scratch` [count] is overwritten. `rmse` is added
/// to: squared errors of each candidate, and of the mixture.
template <class Truth>
mixture fit_mixture(const candidate_values& values, index_t band, const Truth& truth, float* scratch,
                    std::array<double, candidates + 1>& squares) noexcept {
  std::array<std::array<double, candidates>, candidates> G{};
  std::array<double, candidates> b{};
  const double n = static_cast<double>(values.count);
  // about the truth: sum of weights is 1, so moments of errors give the same minimum, and do not cancel
  for (index_t i = 0; i < values.count; ++i) {
    const auto e = values.at(i, band);
    const double y = truth(i);
    for (std::size_t p = 0; p < candidates; ++p)
      for (std::size_t q = 0; q <= p; ++q) G[p][q] += (e[p] - y) * (e[q] - y) / n;
  }
  for (std::size_t p = 0; p < candidates; ++p)
    for (std::size_t q = p + 1; q < candidates; ++q) G[p][q] = G[q][p];
  mixture m;
  auto H = G;
  double power = 0;
  for (index_t i = 0; i < values.count; ++i) power += truth(i) * truth(i) / n;
  for (std::size_t p = 0; p < candidates; ++p) {
    b[p] = towards_equal * power / static_cast<double>(candidates);
    H[p][p] += towards_equal * power;
  }
  m.weight = simplex_least_squares<candidates>(H, b);
  double total = 0;
  for (index_t i = 0; i < values.count; ++i) {
    double mean, variance;
    m.combine(values.at(i, band), mean, variance);
    const double error = mean - truth(i);
    scratch[i] = static_cast<float>(std::abs(error));
    total += error * error;
  }
  for (std::size_t p = 0; p < candidates; ++p) squares[p] += G[p][p] * n;
  squares[candidates] += total;
  const auto at_share = [&](double share) {
    const auto nth = scratch + static_cast<index_t>(share * (n - 1));
    std::nth_element(scratch, nth, scratch + values.count);
    return static_cast<double>(*nth);
  };
  m.floor = std::max(at_share(.5), 1e-7);
  for (index_t i = 0; i < values.count; ++i) {
    double mean, variance;
    m.combine(values.at(i, band), mean, variance);
    scratch[i] = static_cast<float>(std::abs(mean - truth(i)) / std::sqrt(m.floor * m.floor + variance));
  }
  m.scale = at_share(within_one);
  return m;
}

}  // namespace unmask::inline UNMASK_ABI::clouds
