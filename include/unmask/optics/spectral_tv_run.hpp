#pragma once

/// The run of `spectral_tv`: outer iterations, each with the weights of the last result. Part of spectral_tv.hpp.

#include <algorithm>
#include <cmath>
#include <limits>

#include "spectral_tv.hpp"

namespace unmask::inline UNMASK_ABI::optics {

/// Row h of t (A L z - y / level); returns the sum of its squares times t, and keeps that of the plain ones.
inline double spectral_tv::residual_row(index_t h, const float* y) {
  const index_t V = measurement_.values();
  float* row = measurement_.measured() + h * V;
  const float* inverse_variance = measurement_.inverse_variance() + h * V;
  const float level = level_;
  std::transform(y + h * V, y + (h + 1) * V, row, [&](float v) { return -v / level; });
  measurement_.forward(h, z_.data());
  double sum = 0, plain = 0;
  for (index_t v = 0; v < V; ++v) {
    const double square = static_cast<double>(row[v]) * static_cast<double>(row[v]);
    plain += square;
    sum += square * static_cast<double>(inverse_variance[v]);
  }
  plain_squares_[h] = plain;
  measurement_.apply_inverse_variance(h);
  return sum;
}

template <class Backend>
void spectral_tv::weigh_measurement(const Backend& be, in<float, 2> y) {
  const index_t V = measurement_.values();
  parallel_for(be, y.extent(0), [&](index_t h, int) {
    measurement_.weigh_measurement(h, y.data(), mean_);
    if (!held_out_) return;
    for (index_t i = h * V; i < (h + 1) * V; ++i)
      if (held_out_[i]) measurement_.inverse_variance()[i] = 1e-6f;  // 0 has no inverse; the rest weigh about 1
  });
}

template <class Backend>
float spectral_tv::run(const Backend& be, out<float, 3> x, in<float, 2> y, iteration_call progress) noexcept {
  const camera& c = measurement_.seen_by();
  assert(x.extents() == c.geometry().cube_extents() && y.extents() == c.geometry().measurement_extents());
  double light = 0, energy = 0;
  for (float v : y) {
    light += static_cast<double>(v);
    energy += static_cast<double>(v) * static_cast<double>(v);
  }
  level_ = 0, noise_ = expected_noise_;
  if (light <= 0 || passed_ <= 0) {
    std::fill_n(x.data(), x.size(), 0.f);
    return energy > 0 ? 1.f : 0.f;
  }
  level_ = static_cast<float>(light / (passed_ * static_cast<double>(c.geometry().bands)));
  mean_ = static_cast<float>(light / static_cast<double>(y.size()));
  energy /= static_cast<double>(level_) * static_cast<double>(level_);
  const auto missing = [&] { return squares_.over_rows(be, [&](index_t h) { return residual_row(h, y.data()); }); };
  const auto relative = [&] { return static_cast<float>(std::sqrt(plain_squares_.total() / energy)); };
  // 1 at part 0, then geometrically down to `last` / `first` at part 1
  const auto between = [](float first, float last, float part) { return first * std::pow(last / first, part); };

  clear_frames();
  weigh_measurement(be, y);
  float* z = z_.data();
  if (options_.start == spectral_tv_start::given)
    parallel_for(be, x.extent(0), [&](index_t h, int) { measurement_.find_coefficients(h, z, x, level_); });
  else
    std::fill_n(z, measurement_.layout().size(), 0.f);
  if (options_.start == spectral_tv_start::coarse) coarse_.run(be, measurement_, z, y.data(), level_);
  std::fill_n(x.data(), x.size(), 0.f);
  double residual = missing();
  for (index_t i = 0; i < options_.outer_iterations; ++i) {
    const float part = static_cast<float>(i) / static_cast<float>(std::max<index_t>(options_.outer_iterations - 1, 1));
    const float epsilon = between(options_.first_irls_epsilon, options_.last_irls_epsilon, part);
    // what nothing, a coarse image or one from elsewhere does not explain is no noise
    if (i > 0) noise_ = residual / static_cast<double>(y.size());
    lambda_ = std::max(options_.noise_weight * static_cast<float>(noise_),
                       between(options_.first_weight, options_.last_weight, std::min(1.f, 1.5f * part)));
    edges_.update(be, z, options_, epsilon, solver_.spare_edges());
    const bool solved = solver_.solve(be, {measurement_, edges_, lambda_}, z, options_.iterations);
    residual = missing();
    const float error = solved ? relative() : std::numeric_limits<float>::quiet_NaN();
    if (progress(i + 1, error) && is_finite(error)) continue;
    add_spectra(be, x);
    return error;
  }
  add_spectra(be, x);
  return relative();
}

}  // namespace unmask::inline UNMASK_ABI::optics
