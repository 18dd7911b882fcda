#pragma once

/// Blurs of one plane [H, W] whose outside is zero. Divide a blurred product by the blurred weight to get local means.

#include <algorithm>
#include <cmath>

#include "../core/view.hpp"

namespace unmask::inline UNMASK_ABI::clouds {

struct grid {
  index_t height = 0, width = 0;
  index_t size() const { return height * width; }
};

namespace detail {

/// out[i] = sum of in[i - radius .. i + radius] times `scale` along rows or columns; outside is zero. `running` [width]
/// is scratch for columns. Sums run in double: in float they would drift by the image's length.
inline void box_rows(float* out, const float* in, grid g, index_t radius, double scale) noexcept {
  for (index_t h = 0; h < g.height; ++h) {
    const float* from = in + h * g.width;
    float* to = out + h * g.width;
    double sum = 0;
    for (index_t w = 0; w < std::min(radius, g.width); ++w) sum += static_cast<double>(from[w]);
    for (index_t w = 0; w < g.width; ++w) {
      if (w + radius < g.width) sum += static_cast<double>(from[w + radius]);
      to[w] = static_cast<float>(sum * scale);
      if (w - radius >= 0) sum -= static_cast<double>(from[w - radius]);
    }
  }
}

inline void box_columns(float* out, const float* in, grid g, index_t radius, double scale, double* running) noexcept {
  std::fill_n(running, g.width, 0.);
  const auto add = [&](index_t h, double sign) {
    for (index_t w = 0; w < g.width; ++w) running[w] += sign * static_cast<double>(in[h * g.width + w]);
  };
  for (index_t h = 0; h < std::min(radius, g.height); ++h) add(h, 1);
  for (index_t h = 0; h < g.height; ++h) {
    if (h + radius < g.height) add(h + radius, 1);
    for (index_t w = 0; w < g.width; ++w) out[h * g.width + w] = static_cast<float>(running[w] * scale);
    if (h - radius >= 0) add(h - radius, -1);
  }
}

}  // namespace detail

/// Mean over side x side pixels (side odd), pixels outside counted as zero. `between` [H, W] and `running` [W] are
/// scratch; out may be in.
inline void box_mean(float* out, const float* in, grid g, index_t side, float* between, double* running) noexcept {
  const double scale = 1 / static_cast<double>(side);
  detail::box_rows(between, in, g, side / 2, scale);
  detail::box_columns(out, between, g, side / 2, scale, running);
}

/// Gaussian of standard deviation sigma, cut at 3 sigma; from sigma 4 on three box means of the same variance, whose
/// time does not grow with sigma. Scratch as above; out may be in.
inline void gaussian(float* out, const float* in, grid g, double sigma, float* between, double* running) noexcept {
  if (sigma >= 4) {
    // widths w and w + 2 whose variances, (w^2 - 1) / 12 each, add up to sigma^2 (Kovesi 2010)
    const double ideal = std::sqrt(4 * sigma * sigma + 1);
    index_t narrow = static_cast<index_t>(ideal);
    if (narrow % 2 == 0) --narrow;
    const double n = static_cast<double>(narrow);
    const double count = (12 * sigma * sigma - 3 * n * n - 12 * n - 9) / (-4 * n - 4);
    const index_t narrows = std::clamp<index_t>(std::lround(count), 0, 3);
    for (index_t pass = 0; pass < 3; ++pass)
      box_mean(out, pass == 0 ? in : out, g, pass < narrows ? narrow : narrow + 2, between, running);
    return;
  }
  constexpr index_t most = 12;
  double kernel[most + 1], total = 0;
  const index_t radius = std::min<index_t>(most, static_cast<index_t>(3 * sigma + .5));
  for (index_t i = 0; i <= radius; ++i) {
    const double x = static_cast<double>(i) / sigma;
    kernel[i] = std::exp(-.5 * x * x);
    total += i == 0 ? kernel[i] : 2 * kernel[i];
  }
  for (index_t i = 0; i <= radius; ++i) kernel[i] /= total;
  for (index_t h = 0; h < g.height; ++h)
    for (index_t w = 0; w < g.width; ++w) {
      double sum = 0;
      for (index_t i = -std::min(radius, w); i <= std::min(radius, g.width - 1 - w); ++i)
        sum += kernel[std::abs(i)] * static_cast<double>(in[h * g.width + w + i]);
      between[h * g.width + w] = static_cast<float>(sum);
    }
  for (index_t h = 0; h < g.height; ++h) {
    std::fill_n(running, g.width, 0.);
    for (index_t i = -std::min(radius, h); i <= std::min(radius, g.height - 1 - h); ++i)
      for (index_t w = 0; w < g.width; ++w)
        running[w] += kernel[std::abs(i)] * static_cast<double>(between[(h + i) * g.width + w]);
    for (index_t w = 0; w < g.width; ++w) out[h * g.width + w] = static_cast<float>(running[w]);
  }
}

}  // namespace unmask::inline UNMASK_ABI::clouds
