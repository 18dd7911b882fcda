#pragma once

/// Checks a hand-written gradient against central differences, (f(x + h u) - f(x - h u)) / 2h, in double.
///
/// The step 1e-5 balances two errors of a function of size and curvature about 1: rounding, 1e-16 / 1e-5 = 1e-11, and
/// truncation, h^2 f''' / 6 = 1e-11. The error is norm-wise, |numeric - analytic| / |analytic|, because an element that
/// is small by cancellation has no meaningful relative error of its own. NaN anywhere makes the check fail.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "../core/random.hpp"

namespace unmask::inline UNMASK_ABI::train {

struct gradient_check_options {
  double step = 1e-5;
  int projections = 4;  ///< random directions (check_gradient_along)
  std::uint64_t seed = 1;
};

struct gradient_check_report {
  double error = 0;     ///< norm-wise relative error; NaN where anything was NaN
  index_t worst = 0;    ///< element or projection with the largest absolute error
  double analytic = 0;  ///< its two values
  double numeric = 0;
  /// False for NaN.
  bool passed(double tolerance) const { return error <= tolerance; }
};

namespace detail {

inline gradient_check_report compare(std::span<const double> numeric, std::span<const double> analytic) {
  gradient_check_report report;
  double difference = 0, size = 0, worst = -1;
  for (std::size_t i = 0; i < numeric.size(); ++i) {
    const double d = std::abs(numeric[i] - analytic[i]);
    difference += d * d;
    size += analytic[i] * analytic[i];
    if (d <= worst || std::isnan(worst)) continue;  // the first NaN stays
    worst = d;
    report.worst = static_cast<index_t>(i);
    report.analytic = analytic[i];
    report.numeric = numeric[i];
  }
  // Both zero is a right answer (a detached branch); an analytic zero against anything else is not.
  report.error = difference == 0 && size == 0 ? 0 : std::sqrt(difference / size);
  return report;
}

}  // namespace detail

/// Every element by itself: 2 n calls. `f` is called without arguments, reads `x`, and returns the scalar; `x` is moved
/// about and left with the bits it came with.
template <class F>
gradient_check_report check_gradient(F&& f, std::span<double> x, std::span<const double> gradient,
                                     const gradient_check_options& options = {}) {
  std::vector<double> numeric(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double saved = x[i];
    x[i] = saved + options.step;
    const double above = f();
    x[i] = saved - options.step;
    const double below = f();
    x[i] = saved;
    numeric[i] = (above - below) / (2 * options.step);
  }
  return detail::compare(numeric, gradient);
}

/// Along random directions u (normal, scaled to |u| = 1): 2 calls a direction, for functions of many elements.
template <class F>
gradient_check_report check_gradient_along(F&& f, std::span<double> x, std::span<const double> gradient,
                                           const gradient_check_options& options = {}) {
  const std::vector<double> saved(x.begin(), x.end());
  const auto directions = static_cast<std::size_t>(options.projections);
  std::vector<double> numeric(directions), analytic(directions), u(x.size());
  for (std::size_t p = 0; p < directions; ++p) {
    unmask::random draw(options.seed, p);
    double square = 0;
    for (double& e : u) e = draw.normal(), square += e * e;
    const double scale = 1 / std::sqrt(square);
    for (std::size_t i = 0; i < x.size(); ++i) analytic[p] += (u[i] *= scale) * gradient[i];
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = saved[i] + options.step * u[i];
    const double above = f();
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = saved[i] - options.step * u[i];
    const double below = f();
    numeric[p] = (above - below) / (2 * options.step);
  }
  std::copy(saved.begin(), saved.end(), x.begin());
  return detail::compare(numeric, analytic);
}

}  // namespace unmask::inline UNMASK_ABI::train
