#pragma once

/// Structural similarity (Wang et al. 2004, K 0.01 and 0.03) of one band at a time, as a map.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

#include "../core/view.hpp"
#include "definition.hpp"

namespace unmask::inline UNMASK_ABI::metrics {

/// Which pixels count: one byte a pixel, row-major, 0 = leave out. Empty counts every pixel.
using region = std::vector<std::uint8_t>;

namespace detail {

inline constexpr index_t ssim_window = 11;

/// `taps` weights of a Gaussian of sigma 1.5, sum 1, centred on their middle (between two pixels where `taps` is even).
inline std::vector<double> gaussian(index_t taps) {
  std::vector<double> weights(static_cast<std::size_t>(taps));
  double sum = 0;
  for (index_t i = 0; i < taps; ++i) {
    const double x = static_cast<double>(i) - static_cast<double>(taps - 1) / 2;
    sum += weights[static_cast<std::size_t>(i)] = std::exp(-x * x / (2 * 1.5 * 1.5));
  }
  for (double& w : weights) w /= sum;
  return weights;
}

/// Separable valid filter of [h, w] values: rows, then columns. `scratch` and `to` are resized.
inline void filter(const std::vector<double>& from, index_t h, index_t w, const std::vector<double>& down,
                   const std::vector<double>& across, std::vector<double>& scratch, std::vector<double>& to) {
  const index_t ny = static_cast<index_t>(down.size()), nx = static_cast<index_t>(across.size());
  const index_t oh = h - ny + 1, ow = w - nx + 1;
  scratch.assign(static_cast<std::size_t>(h * ow), 0);
  to.assign(static_cast<std::size_t>(oh * ow), 0);
  for (index_t y = 0; y < h; ++y)
    for (index_t k = 0; k < nx; ++k) {
      const double weight = across[static_cast<std::size_t>(k)];
      const double* a = from.data() + y * w + k;
      double* b = scratch.data() + y * ow;
      for (index_t x = 0; x < ow; ++x) b[x] += weight * a[x];
    }
  for (index_t y = 0; y < oh; ++y)
    for (index_t k = 0; k < ny; ++k) {
      const double weight = down[static_cast<std::size_t>(k)];
      const double* a = scratch.data() + (y + k) * ow;
      double* b = to.data() + y * ow;
      for (index_t x = 0; x < ow; ++x) b[x] += weight * a[x];
    }
}

}  // namespace detail

/// Mean SSIM over bands of truth and estimate [H, W, C], over the windows whose centre lies in `where`. Valid-region
/// definitions cut the window to the image where that is smaller than 11 pixels (the weights renormalised), so every
/// size from 1x1 has a value; a region without a window's centre (only border pixels) takes the whole image's windows.
inline double ssim(in<float, 3> truth, in<float, 3> estimate, definition d = definition::official_8bit,
                   const region& where = {}) {
  const index_t H = truth.extent(0), W = truth.extent(1), C = truth.extent(2);
  const index_t pad = detail::ssim_zero_padded(d) ? detail::ssim_window / 2 : 0;
  const index_t h = H + 2 * pad, w = W + 2 * pad;
  const index_t ny = std::min(detail::ssim_window, h), nx = std::min(detail::ssim_window, w);
  const index_t oh = h - ny + 1, ow = w - nx + 1;
  const double range = detail::ssim_in_8bit(d) ? 255 : 1;
  const double c1 = .01 * range * .01 * range, c2 = .03 * range * .03 * range;
  const std::vector<double> down = detail::gaussian(ny), across = detail::gaussian(nx);

  const auto counts = [&](index_t y, index_t x) {
    return where.empty() || where[static_cast<std::size_t>((y + ny / 2 - pad) * W + x + nx / 2 - pad)] != 0;
  };
  index_t windows = 0;
  for (index_t y = 0; y < oh; ++y)
    for (index_t x = 0; x < ow; ++x) windows += counts(y, x);
  if (windows == 0) return ssim(truth, estimate, d);

  std::vector<double> a(static_cast<std::size_t>(h * w)), b(a), product(a), scratch;
  std::array<std::vector<double>, 5> mean;  // of a, b, a^2, b^2, a b
  double sum = 0;
  for (index_t c = 0; c < C; ++c) {
    for (index_t y = 0; y < H; ++y)
      for (index_t x = 0; x < W; ++x) {
        const auto at = static_cast<std::size_t>((y + pad) * w + x + pad);
        const double t = static_cast<double>(truth(y, x, c)), e = static_cast<double>(estimate(y, x, c));
        a[at] = detail::ssim_in_8bit(d) ? detail::to_8bit(t) : t;
        b[at] = detail::ssim_in_8bit(d) ? detail::to_8bit(e) : e;
      }
    const auto blur = [&](const std::vector<double>& p, const std::vector<double>& q, std::vector<double>& to) {
      std::transform(p.begin(), p.end(), q.begin(), product.begin(), [](double u, double v) { return u * v; });
      detail::filter(product, h, w, down, across, scratch, to);
    };
    detail::filter(a, h, w, down, across, scratch, mean[0]);
    detail::filter(b, h, w, down, across, scratch, mean[1]);
    blur(a, a, mean[2]);
    blur(b, b, mean[3]);
    blur(a, b, mean[4]);
    for (index_t y = 0; y < oh; ++y)
      for (index_t x = 0; x < ow; ++x) {
        if (!counts(y, x)) continue;
        const auto at = static_cast<std::size_t>(y * ow + x);
        const double ma = mean[0][at], mb = mean[1][at], mm = ma * mb;
        const double va = mean[2][at] - ma * ma, vb = mean[3][at] - mb * mb, cov = mean[4][at] - mm;
        sum += (2 * mm + c1) * (2 * cov + c2) / ((ma * ma + mb * mb + c1) * (va + vb + c2));
      }
  }
  return sum / static_cast<double>(windows * C);
}

}  // namespace unmask::inline UNMASK_ABI::metrics
