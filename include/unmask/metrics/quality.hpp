#pragma once

/// PSNR, SSIM, spectral angle and ERGAS of an estimated cube, over the whole image and the pixels that the mask hid.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "../core/finite.hpp"
#include "../core/result.hpp"
#include "../core/view.hpp"
#include "definition.hpp"
#include "ssim.hpp"

namespace unmask::inline UNMASK_ABI::metrics {

/// Equal images have no noise; every band's PSNR is cut at this, so that means stay finite and can be written to JSON.
inline constexpr double psnr_limit = 100;

/// How far the truth may lie outside 0..1: noise and highlights, but no other unit.
inline constexpr float truth_slack = 1;

/// Over one set of pixels. Every number is finite.
struct quality {
  double psnr = 0;   ///< dB, by definition, at most `psnr_limit`
  double ssim = 0;   ///< -1..1
  double sam = 0;    ///< mean spectral angle in degrees
  double ergas = 0;  ///< ratio 1
};

/// `all` is the whole image; the other two are empty where the mask has no such pixel.
struct regional_quality {
  quality all;
  std::optional<quality> hidden;  ///< mask < 0.5
  std::optional<quality> open;    ///< mask >= 0.5
};

namespace detail {

/// body(truth, estimate) for the counted pixels: pointers to their C values.
template <class Body>
void for_pixels(in<float, 3> truth, in<float, 3> estimate, const region& where, Body&& body) {
  const index_t C = truth.extent(2), pixels = truth.extent(0) * truth.extent(1);
  for (index_t i = 0; i < pixels; ++i)
    if (where.empty() || where[static_cast<std::size_t>(i)] != 0) body(truth.data() + i * C, estimate.data() + i * C);
}

struct band_sums {
  std::vector<double> error, truth;  ///< mean squared error and mean truth, by band
};

inline band_sums sum_bands(in<float, 3> truth, in<float, 3> estimate, definition d, const region& where) {
  const auto C = static_cast<std::size_t>(truth.extent(2));
  band_sums sums{std::vector<double>(C, 0.), std::vector<double>(C, 0.)};
  double pixels = 0;
  for_pixels(truth, estimate, where, [&](const float* t, const float* e) {
    ++pixels;
    for (std::size_t c = 0; c < C; ++c) {
      const double value = compared(d, static_cast<double>(t[c]));
      const double difference = value - compared(d, static_cast<double>(e[c]));
      sums.error[c] += difference * difference;
      sums.truth[c] += value;
    }
  });
  for (std::size_t c = 0; c < C; ++c) sums.error[c] /= pixels, sums.truth[c] /= pixels;
  return sums;
}

inline double decibel(double peak, double mean_squared_error) {
  return mean_squared_error > 0 ? std::min(psnr_limit, 10 * std::log10(peak * peak / mean_squared_error)) : psnr_limit;
}

inline double mean(const std::vector<double>& values) {
  double sum = 0;
  for (double v : values) sum += v;
  return sum / static_cast<double>(values.size());
}

inline double psnr_of(const band_sums& sums, in<float, 3> truth, definition d) {
  if (d == definition::global_mse) return decibel(1, mean(sums.error));
  double peak = d == definition::dpu_float ? 1 : 255;
  // The peak of the whole reference, for regions too: otherwise hidden and open could not be compared.
  if (d == definition::tsa_max) peak = static_cast<double>(*std::max_element(truth.begin(), truth.end()));
  double sum = 0;
  for (double e : sums.error) sum += peak > 0 ? decibel(peak, e) : e > 0 ? 0 : psnr_limit;
  return sum / static_cast<double>(sums.error.size());
}

inline double ergas_of(const band_sums& sums) {
  double sum = 0;
  index_t bands = 0;
  for (std::size_t c = 0; c < sums.error.size(); ++c) {
    if (sums.truth[c] == 0) continue;
    sum += sums.error[c] / (sums.truth[c] * sums.truth[c]);
    ++bands;
  }
  if (bands > 0) return 100 * std::sqrt(sum / static_cast<double>(bands));
  return mean(sums.error) == 0 ? 0 : std::numeric_limits<double>::quiet_NaN();
}

/// Shapes agree, nothing is empty, every value is finite, and the truth is on the scale of 0..1: two cubes of 16-bit
/// counts, clipped to 0..1, would be equal. An estimate may be anything.
inline result<> check_pair(in<float, 3> truth, in<float, 3> estimate) {
  char text[200];
  const auto& t = truth.extents();
  const auto& e = estimate.extents();
  if (t != e) {
    std::snprintf(text, sizeof text, "estimate: found [%td x %td x %td], expected [%td x %td x %td] as the truth", e[0],
                  e[1], e[2], t[0], t[1], t[2]);
    return error(errc::wrong_shape, text);
  }
  if (truth.size() < 1) {
    std::snprintf(text, sizeof text, "truth: found [%td x %td x %td], expected sizes of at least 1", t[0], t[1], t[2]);
    return error(errc::wrong_shape, text);
  }
  for (const auto& [name, cube] : {std::pair{"truth", truth}, std::pair{"estimate", estimate}})
    for (index_t i = 0; i < cube.size(); ++i)
      if (!is_finite(cube.data()[i])) {
        std::snprintf(text, sizeof text, "%s: value at [%td, %td, %td] is %g, expected a finite number", name,
                      i / (t[1] * t[2]), i / t[2] % t[1], i % t[2], static_cast<double>(cube.data()[i]));
        return error(errc::wrong_value, text);
      }
  const auto [low, high] = std::minmax_element(truth.begin(), truth.end());
  if (*low >= -truth_slack && *high <= 1 + truth_slack) return {};
  std::snprintf(text, sizeof text, "truth: found values of %g to %g, expected 0..1 (divide both cubes by full scale)",
                static_cast<double>(*low), static_cast<double>(*high));
  return error(errc::wrong_value, text);
}

}  // namespace detail

/// Peak signal-to-noise ratio in dB over the counted pixels. This and the next two take finite cubes [H, W, C] of one
/// shape and a region that is not without pixels; `evaluate` checks that.
inline double psnr(in<float, 3> truth, in<float, 3> estimate, definition d = definition::official_8bit,
                   const region& where = {}) {
  return detail::psnr_of(detail::sum_bands(truth, estimate, d, where), truth, d);
}

/// Mean spectral angle in degrees. Pixels that are all zero in either cube have no angle and are left out, as in the
/// field's MATLAB code; where every pixel is, 0 for two black cubes and else
/// NaN: a cube that rounds to black has no angle, and no perfect one.
inline double sam(in<float, 3> truth, in<float, 3> estimate, definition d = definition::official_8bit,
                  const region& where = {}) {
  const index_t C = truth.extent(2);
  double sum = 0;
  index_t pixels = 0;
  bool differs = false;
  detail::for_pixels(truth, estimate, where, [&](const float* t, const float* e) {
    double tt = 0, ee = 0, te = 0;
    for (index_t c = 0; c < C; ++c) {
      const double x = detail::compared(d, static_cast<double>(t[c]));
      const double y = detail::compared(d, static_cast<double>(e[c]));
      tt += x * x, ee += y * y, te += x * y;
    }
    differs = differs || (tt > 0) != (ee > 0);
    if (!(tt > 0 && ee > 0)) return;
    // Rounding can push the cosine of equal spectra past 1.
    sum += std::acos(std::clamp(te / (std::sqrt(tt) * std::sqrt(ee)), -1., 1.));
    ++pixels;
  });
  if (pixels > 0) return sum / static_cast<double>(pixels) * 57.295779513082320877;
  return differs ? std::numeric_limits<double>::quiet_NaN() : 0;
}

/// 100 sqrt(mean over bands of MSE / mean(truth)^2): ERGAS with ratio 1. Bands whose truth has mean 0 are left out; NaN
/// where all are.
inline double ergas(in<float, 3> truth, in<float, 3> estimate, definition d = definition::official_8bit,
                    const region& where = {}) {
  return detail::ergas_of(detail::sum_bands(truth, estimate, d, where));
}

/// All four. Errors: `wrong_shape` (cubes differ or are empty), `wrong_value` (a value that is not finite, and where; a
/// truth in another unit than 0..1).
inline result<quality> evaluate(in<float, 3> truth, in<float, 3> estimate, definition d = definition::official_8bit,
                                const region& where = {}) {
  if (auto ok = detail::check_pair(truth, estimate); !ok) return ok.error();
  const detail::band_sums sums = detail::sum_bands(truth, estimate, d, where);
  return quality{detail::psnr_of(sums, truth, d), ssim(truth, estimate, d, where), sam(truth, estimate, d, where),
                 detail::ergas_of(sums)};
}

/// The whole image, and the pixels with mask < 0.5 and >= 0.5 by themselves. PSNR, SAM and ERGAS see the region's
/// pixels only; SSIM is the mean of the windows centred in it.
inline result<regional_quality> evaluate_regions(in<float, 3> truth, in<float, 3> estimate, in<float, 2> mask,
                                                 definition d = definition::official_8bit) {
  auto all = evaluate(truth, estimate, d);
  if (!all) return all.error();
  if (mask.extent(0) != truth.extent(0) || mask.extent(1) != truth.extent(1)) {
    char text[128];
    std::snprintf(text, sizeof text, "mask: found [%td x %td], expected [%td x %td] as the truth", mask.extent(0),
                  mask.extent(1), truth.extent(0), truth.extent(1));
    return error(errc::wrong_shape, text);
  }
  regional_quality q{*all, {}, {}};
  for (const bool hidden : {true, false}) {
    region where(static_cast<std::size_t>(mask.size()));
    std::transform(mask.begin(), mask.end(), where.begin(),
                   [=](float m) { return static_cast<std::uint8_t>((m < .5f) == hidden); });
    if (std::find(where.begin(), where.end(), 1) == where.end()) continue;
    auto part = evaluate(truth, estimate, d, where);
    if (!part) return part.error();
    (hidden ? q.hidden : q.open) = *part;
  }
  return q;
}

}  // namespace unmask::inline UNMASK_ABI::metrics
