#pragma once

/// Hyperspectral scenes and masks made from a seed, for programs that have no data: shapes with smooth reflectances and
/// textures, shaded, under one illuminant. Equal arguments give equal scenes.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

#include "../core/random.hpp"
#include "../core/tensor.hpp"
#include "spectra.hpp"

namespace unmask::inline UNMASK_ABI::scenes {

namespace detail {

/// Smooth noise in [0, 1]: random values on a lattice of unit cells, joined by cubic steps.
class value_noise {
 public:
  explicit value_noise(std::uint64_t seed) : seed_(seed) {}

  double operator()(double y, double x) const {
    const double fy = std::floor(y), fx = std::floor(x), v = step(y - fy), u = step(x - fx);
    const auto iy = static_cast<std::int64_t>(fy), ix = static_cast<std::int64_t>(fx);
    const double top = at(iy, ix) * (1 - u) + at(iy, ix + 1) * u;
    return top * (1 - v) + (at(iy + 1, ix) * (1 - u) + at(iy + 1, ix + 1) * u) * v;
  }
  /// Three octaves.
  double fractal(double y, double x) const {
    return (4 * (*this)(y, x) + 2 * (*this)(2 * y + 17, 2 * x + 5) + (*this)(4 * y + 3, 4 * x + 29)) / 7;
  }

 private:
  static double step(double t) { return t * t * (3 - 2 * t); }
  double at(std::int64_t y, std::int64_t x) const {
    const auto key = static_cast<std::uint64_t>(y) * 0x9e3779b97f4a7c15u ^ static_cast<std::uint64_t>(x) << 32;
    return static_cast<double>(unmask::detail::mix64(unmask::detail::mix64(key + seed_) + seed_) >> 11) * 0x1p-53;
  }
  std::uint64_t seed_;
};

enum class outline { everywhere, ellipse, polygon };
enum class pattern { plain, gradient, stripes, checker, noise, dots };

/// One object: where it is, how it is lit, and two spectra that its pattern mixes. Lengths are shares of the image.
struct shape {
  outline form = outline::everywhere;
  double y = .5, x = .5, height = 1, width = 1, angle = 0;
  int corners = 4;
  pattern fill = pattern::plain;
  double period = .1, direction = 0;
  bool round = false;  ///< shaded like a ball instead of a sheet
  spectrum light, dark;
  value_noise texture{0};

  /// 1 inside, 0 outside; `soft` (a pixel) wide at the edge. `radius` gets 0 in the middle, 1 at the edge.
  double cover(double py, double px, double soft, double& radius) const {
    radius = 0;
    if (form == outline::everywhere) return 1;
    const double dy = py - y, dx = px - x, c = std::cos(angle), s = std::sin(angle);
    const double v = (c * dy - s * dx) / height, u = (s * dy + c * dx) / width;
    radius = std::sqrt(u * u + v * v);
    if (form == outline::polygon) {
      // A regular polygon in polar form, before it was stretched and turned.
      const double sector = 6.28318530717958647693 / corners, turn = std::atan2(v, u);
      radius *= std::cos(turn - sector * std::round(turn / sector)) / std::cos(sector / 2);
    }
    return std::clamp((1 - radius) * std::min(height, width) / soft + .5, 0., 1.);
  }

  /// How much of `dark` is mixed into `light`, in [0, 1].
  double mix(double py, double px) const {
    const double c = std::cos(direction), s = std::sin(direction);
    const double v = (c * py - s * px) / period, u = (s * py + c * px) / period;
    const auto wave = [](double t) { return std::sin(6.28318530717958647693 * t); };
    switch (fill) {
      case pattern::plain:
        return .25 * texture.fractal(py * 12, px * 12);
      case pattern::gradient:
        return std::clamp(.5 + (u - .5 / period) * period * .8, 0., 1.);
      case pattern::stripes:
        return std::clamp(.5 + 2 * wave(u), 0., 1.);
      case pattern::checker:
        return std::clamp(.5 + 4 * wave(u) * wave(v), 0., 1.);
      case pattern::noise:
        return std::clamp(2.2 * texture.fractal(v * 2, u * 2) - .6, 0., 1.);
      case pattern::dots:
        break;
    }
    return std::clamp(2.5 * (wave(u) + wave(v)) - 1.5, 0., 1.);
  }
};

inline shape random_shape(const std::vector<double>& wavelengths, unmask::random& draw, bool background) {
  shape s;
  if (!background) {
    s.form = draw.below(5) < 2 ? outline::polygon : outline::ellipse;
    s.y = draw.uniform(0, 1), s.x = draw.uniform(0, 1);
    const double size = .04 * std::pow(8, draw.uniform());
    const double aspect = std::pow(2, draw.uniform(-.8, .8));
    s.height = size * aspect, s.width = size / aspect;
    s.angle = draw.uniform(0, 6.2831853);
    s.corners = 3 + static_cast<int>(draw.below(4));
    s.round = s.form == outline::ellipse && draw.below(2) == 0;
  }
  // Half of the objects are calm: with every pattern equally likely the scene is busier than any photograph.
  constexpr std::array<pattern, 10> fills{pattern::plain,    pattern::plain, pattern::plain, pattern::gradient,
                                          pattern::gradient, pattern::noise, pattern::noise, pattern::stripes,
                                          pattern::checker,  pattern::dots};
  s.fill = fills[static_cast<std::size_t>(draw.below(10))];
  s.period = .02 * std::pow(6, draw.uniform());
  s.direction = draw.uniform(0, 6.2831853);
  s.texture = value_noise(draw.next());
  s.light = reflectance(wavelengths, draw);
  s.dark = reflectance(wavelengths, draw);
  return s;
}

}  // namespace detail

/// A scene [height, width, wavelengths] with values in [0, 1], the brightest between 0.9 and 1. `wavelengths` in nm,
/// ascending, at least one. About thirty objects, so that a 256 x 256 scene has edges in most 32 x 32 windows.
inline tensor<float, 3> generate(index_t height, index_t width, const std::vector<double>& wavelengths,
                                 std::uint64_t seed) {
  unmask::random draw(seed, 1);
  const auto C = static_cast<index_t>(wavelengths.size());
  const spectrum lamp = blackbody(wavelengths, draw.uniform(3500, 8000));
  std::vector<detail::shape> shapes{detail::random_shape(wavelengths, draw, true)};
  for (index_t i = 24 + draw.below(13); i > 0; --i) shapes.push_back(detail::random_shape(wavelengths, draw, false));
  const detail::value_noise shade(draw.next());
  const double light_y = draw.uniform(-.6, .6), light_x = draw.uniform(-.6, .6);

  tensor<float, 3> cube({height, width, C});
  // One unit is the image's longer side, so shapes keep their proportions.
  const double unit = 1 / static_cast<double>(std::max(height, width));
  std::vector<double> colour(static_cast<std::size_t>(C));
  double peak = 0;
  for (index_t h = 0; h < height; ++h)
    for (index_t w = 0; w < width; ++w) {
      const double y = (static_cast<double>(h) + .5) * unit, x = (static_cast<double>(w) + .5) * unit;
      std::fill(colour.begin(), colour.end(), 0.);
      for (const detail::shape& s : shapes) {
        double radius = 0;
        const double cover = s.cover(y, x, unit, radius);
        if (cover <= 0) continue;
        double lit = 1;
        if (s.round) {
          const double ny = (y - s.y) / s.height, nx = (x - s.x) / s.width;
          const double nz = std::sqrt(std::max(0., 1 - radius * radius));
          lit = .15 + .85 * std::max(0., .8 * nz + .6 * (light_y * ny + light_x * nx));
        }
        const double mix = s.mix(y, x);
        for (std::size_t c = 0; c < colour.size(); ++c)
          colour[c] += cover * (lit * (s.light[c] + mix * (s.dark[c] - s.light[c])) - colour[c]);
      }
      const double fall = std::clamp(.75 + light_y * (y - .5) + light_x * (x - .5), .3, 1.2);
      const double level = fall * (.7 + .3 * shade.fractal(3 * y, 3 * x));
      for (index_t c = 0; c < C; ++c) {
        const double value = level * lamp[static_cast<std::size_t>(c)] * colour[static_cast<std::size_t>(c)];
        peak = std::max(peak, value);
        cube(h, w, c) = static_cast<float>(value);
      }
    }
  const auto gain = static_cast<float>(draw.uniform(.9, 1) / std::max(peak, 1e-6));
  for (float& v : cube) v = std::clamp(v * gain, 0.f, 1.f);
  return cube;
}

/// A mask as cameras measure it: random binary cells of one pixel seen through optics that blur, grey in 40 % of the
/// pixels, mean about 0.55, values in [0.006, 1]. The true mask of the field's benchmark has mean 0.563 and 42.6 %
/// of its values in (0.05, 0.95).
inline tensor<float, 2> grey_mask(index_t height, index_t width, std::uint64_t seed) {
  unmask::random draw(seed, 2);
  const index_t h = height + 2, w = width + 2;
  std::vector<double> cell(static_cast<std::size_t>(h * w));
  for (double& v : cell) v = draw.uniform() < .55 ? 1 : 0;
  tensor<float, 2> mask({height, width});
  for (index_t y = 0; y < height; ++y)
    for (index_t x = 0; x < width; ++x) {
      const auto at = [&](index_t dy, index_t dx) { return cell[static_cast<std::size_t>((y + dy) * w + x + dx)]; };
      const double side = at(0, 1) + at(2, 1) + at(1, 0) + at(1, 2);
      const double corner = at(0, 0) + at(0, 2) + at(2, 0) + at(2, 2);
      const double blurred = .6 * at(1, 1) + .08 * side + .02 * corner;
      // Saturation at both ends: the sensor's contrast is stretched to the brightest and the darkest cell.
      const double stretched = 1.6 * (blurred - .5) + .5 + .02 * draw.normal();
      mask(y, x) = static_cast<float>(std::clamp(stretched, .006, 1.));
    }
  return mask;
}

}  // namespace unmask::inline UNMASK_ABI::scenes
