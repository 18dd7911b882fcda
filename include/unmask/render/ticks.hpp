#pragma once

/// Axis of a chart: its range and its ticks.

#include <algorithm>
#include <cmath>
#include <vector>

#include "html.hpp"

namespace unmask::inline UNMASK_ABI::render {

struct axis {
  double lo = 0, hi = 1;
  bool log = false;
  std::vector<double> ticks;

  /// Position of v between the ends: 0 at lo, 1 at hi.
  double at(double v) const {
    return log ? (std::log10(v) - std::log10(lo)) / (std::log10(hi) - std::log10(lo)) : (v - lo) / (hi - lo);
  }
  bool shows(double v) const { return std::isfinite(v) && (!log || v > 0); }
};

namespace detail {
/// The 1-2-5 step that cuts `span` into at most `most` pieces.
inline double nice_step(double span, int most) {
  const double raw = span / most, decade = std::pow(10, std::floor(std::log10(raw)));
  for (double m : {1.0, 2.0, 5.0})
    if (m * decade >= raw * (1 - 1e-9)) return m * decade;
  return 10 * decade;
}
}  // namespace detail

/// Linear axis over [lo, hi]; `widen` moves the ends out to ticks. An empty or reversed range becomes one of width > 0.
inline axis linear_axis(double lo, double hi, int most_ticks, bool widen) {
  if (!(std::isfinite(lo) && std::isfinite(hi) && lo <= hi)) lo = 0, hi = 1;
  if (hi - lo <= 1e-12 * std::max(std::abs(lo), std::abs(hi)) || hi - lo < 1e-300) {
    const double pad = lo == 0 ? 0.5 : std::abs(lo) * 0.1;
    lo -= pad, hi += pad;
  }
  const double step = detail::nice_step(hi - lo, most_ticks);
  axis a;
  a.lo = widen ? std::floor(lo / step + 1e-9) * step : lo;
  a.hi = widen ? std::ceil(hi / step - 1e-9) * step : hi;
  const double first = std::ceil(a.lo / step - 1e-9);
  for (int i = 0; i < 64 && (first + i) * step <= a.hi + 1e-9 * step; ++i) a.ticks.push_back((first + i) * step);
  return a;
}

/// Logarithmic axis over positive values: ticks at the decades, with 2 and 5 where there are few of them.
inline axis log_axis(double lo, double hi) {
  if (!(std::isfinite(lo) && std::isfinite(hi) && lo > 0 && lo <= hi)) lo = 0.1, hi = 1;
  if (hi < lo * 1.05) lo /= 1.5, hi *= 1.5;
  axis a;
  a.log = true;
  a.lo = lo / 1.05;
  a.hi = hi * 1.05;
  const int first = static_cast<int>(std::floor(std::log10(a.lo))),
            last = static_cast<int>(std::ceil(std::log10(a.hi)));
  const int every = std::max(1, (last - first) / 8);
  for (int decade = first; decade <= last; ++decade)
    for (double m : {1.0, 2.0, 5.0}) {
      if (m > 1 && last - first > 3) continue;
      const double v = m * std::pow(10, decade);
      if (v >= a.lo && v <= a.hi && (decade - first) % every == 0) a.ticks.push_back(v);
    }
  if (a.ticks.size() < 2) {
    a.ticks = linear_axis(a.lo, a.hi, 4, false).ticks;
    std::erase_if(a.ticks, [&](double v) { return v < a.lo; });
  }
  return a;
}

}  // namespace unmask::inline UNMASK_ABI::render
