#pragma once

/// A sequential colour map for numbers (errors, weights): black over violet, red and orange to a pale yellow. Lightness
/// is linear in Oklab (Ottosson 2020), so equal steps look equal, also in grey and to colour-blind eyes.

#include <array>
#include <cmath>
#include <numbers>

#include "colour.hpp"

namespace unmask::inline UNMASK_ABI::render {

namespace detail {

/// Oklab to linear sRGB (Ottosson, "A perceptual color space for image processing", 2020).
inline triple oklab_to_linear(double lightness, double a, double b) {
  const auto cube = [](double v) { return v * v * v; };
  const double l = cube(lightness + 0.3963377774 * a + 0.2158037573 * b);
  const double m = cube(lightness - 0.1055613458 * a - 0.0638541728 * b);
  const double s = cube(lightness - 0.0894841775 * a - 1.2914855480 * b);
  return {4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
          -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
          -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s};
}

}  // namespace detail

/// t in [0, 1] (clipped) to a colour; NaN to `nan_colour`.
inline rgb8 heat(double t) {
  if (std::isnan(t)) return nan_colour;
  t = std::clamp(t, 0.0, 1.0);
  struct stop {
    double hue, chroma;
  };
  // Hue in degrees and chroma at equal steps of t, chosen to stay inside sRGB at lightness 0.13 + 0.83 t.
  static constexpr std::array<stop, 6> path{{{285, .03}, {305, .15}, {355, .19}, {396, .195}, {432, .155}, {462, .09}}};
  const double at = t * static_cast<double>(path.size() - 1);
  const std::size_t i = std::min(path.size() - 2, static_cast<std::size_t>(at));
  const double f = at - static_cast<double>(i);
  const double hue = (path[i].hue + f * (path[i + 1].hue - path[i].hue)) * std::numbers::pi / 180;
  const double chroma = path[i].chroma + f * (path[i + 1].chroma - path[i].chroma);
  return srgb_pixel(detail::oklab_to_linear(0.13 + 0.83 * t, chroma * std::cos(hue), chroma * std::sin(hue)));
}

/// Plane to colours with `lo` and `hi` at the ends; all black where hi <= lo.
inline image8 heat_picture(in<float, 2> plane, double lo, double hi) {
  image8 picture(plane.extent(0), plane.extent(1), 3);
  const double scale = hi > lo ? 1 / (hi - lo) : 0;
  for (index_t h = 0; h < picture.height; ++h)
    for (index_t w = 0; w < picture.width; ++w) {
      const double v = static_cast<double>(plane(h, w));
      picture.set(h, w, std::isfinite(v) ? heat((v - lo) * scale) : nan_colour);
    }
  return picture;
}

/// Root-mean-square difference over the bands of each pixel; both cubes [H, W, C].
inline tensor<float, 2> error_plane(in<float, 3> truth, in<float, 3> estimate) {
  tensor<float, 2> plane({truth.extent(0), truth.extent(1)});
  const index_t bands = truth.extent(2);
  for (index_t i = 0; i < plane.size(); ++i) {
    double sum = 0;
    for (index_t c = 0; c < bands; ++c) {
      const index_t at = i * bands + c;
      const double d = static_cast<double>(estimate.data()[at]) - static_cast<double>(truth.data()[at]);
      sum += d * d;
    }
    plane.data()[i] = static_cast<float>(std::sqrt(sum / static_cast<double>(bands)));
  }
  return plane;
}

}  // namespace unmask::inline UNMASK_ABI::render
