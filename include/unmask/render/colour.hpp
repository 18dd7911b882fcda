#pragma once

/// Spectra to colours: CIE 1931 2-degree observer -> XYZ -> linear sRGB -> sRGB.
///
/// Colour matching: the multi-lobe fit of Wyman, Sloan, Shirley, "Simple Analytic Approximations to the CIE XYZ Color
/// Matching Functions", JCGT 2(2), 2013. White: a spectrum that is equal in all bands; it is mapped to the white of
/// sRGB (D65) by the Bradford transform, so cubes that cover only 450..650 nm are not tinted by what they miss.

#include <array>
#include <cmath>
#include <optional>
#include <vector>

#include "image.hpp"

namespace unmask::inline UNMASK_ABI::render {

using triple = std::array<double, 3>;
using matrix3 = std::array<triple, 3>;

namespace detail {

inline constexpr matrix3 xyz_to_srgb{{{3.2404542, -1.5371385, -0.4985314},  // IEC 61966-2-1
                                      {-0.9692660, 1.8760108, 0.0415560},
                                      {0.0556434, -0.2040259, 1.0572252}}};
inline constexpr matrix3 bradford{{{0.8951, 0.2664, -0.1614}, {-0.7502, 1.7135, 0.0367}, {0.0389, -0.0685, 1.0296}}};
inline constexpr matrix3 bradford_inverse{
    {{0.9869929, -0.1470543, 0.1599627}, {0.4323053, 0.5183603, 0.0492912}, {-0.0085287, 0.0400428, 0.9684867}}};
inline constexpr triple d65{0.95047, 1.0, 1.08883};

inline triple times(const matrix3& m, const triple& v) {
  triple r{};
  for (std::size_t i = 0; i < 3; ++i) r[i] = m[i][0] * v[0] + m[i][1] * v[1] + m[i][2] * v[2];
  return r;
}

inline double lobe(double x, double centre, double below, double above) {
  const double t = (x - centre) / (x < centre ? below : above);
  return std::exp(-0.5 * t * t);
}

/// Width in nm that each band stands for (trapezoidal rule); 1 for a single band.
inline std::vector<double> band_widths(const std::vector<double>& nm) {
  const std::size_t n = nm.size();
  std::vector<double> width(n, 1.0);
  for (std::size_t i = 0; n > 1 && i < n; ++i)
    width[i] = 0.5 * std::abs(nm[i + 1 < n ? i + 1 : i] - nm[i > 0 ? i - 1 : 0]);
  return width;
}

}  // namespace detail

/// XYZ of monochromatic light; nm in nanometres.
inline triple cie_xyz(double nm) {
  using detail::lobe;
  return {
      1.056 * lobe(nm, 599.8, 37.9, 31.0) + 0.362 * lobe(nm, 442.0, 16.0, 26.7) - 0.065 * lobe(nm, 501.1, 20.4, 26.2),
      0.821 * lobe(nm, 568.8, 46.9, 40.5) + 0.286 * lobe(nm, 530.9, 16.3, 31.1),
      1.217 * lobe(nm, 437.0, 11.8, 36.0) + 0.681 * lobe(nm, 459.0, 26.0, 13.8)};
}

inline double luminance(const triple& linear) { return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]; }

/// Linear sRGB to a pixel. A colour outside the gamut is mixed with the grey of its own luminance until it fits.
inline rgb8 srgb_pixel(triple linear) {
  const double y = luminance(linear), least = std::min({linear[0], linear[1], linear[2]});
  if (!std::isfinite(y)) return nan_colour;
  if (least < 0) {
    const double keep = y > 0 ? y / (y - least) : 0;
    for (double& v : linear) v = y + keep * (v - y);
  }
  return {to_byte(srgb_encode(linear[0])), to_byte(srgb_encode(linear[1])), to_byte(srgb_encode(linear[2]))};
}

/// The colour that stands for one wavelength, as bright as the screen can show it; nothing outside 380..780 nm.
inline std::optional<rgb8> wavelength_colour(double nm) {
  if (!(nm >= 380 && nm <= 780)) return std::nullopt;
  // Beyond these ends the hue changes no more, but the fit's lobes fall off at different rates: 720 nm would be yellow.
  triple v = detail::times(detail::xyz_to_srgb, cie_xyz(std::clamp(nm, 410.0, 680.0)));
  const double most = std::max({v[0], v[1], v[2]});
  if (!(most > 0)) return std::nullopt;
  // Clipped, not desaturated: as a label the hue matters, and the sRGB primaries are the purest hues there are.
  for (double& x : v) x = std::max(0.02, x / most);
  return rgb8{to_byte(srgb_encode(v[0])), to_byte(srgb_encode(v[1])), to_byte(srgb_encode(v[2]))};
}

/// What a band adds to linear sRGB; an equal spectrum of 1 gives (1, 1, 1).
struct colour_weights {
  std::vector<triple> band;
  bool true_colour = false;  ///< otherwise the first, middle and last third of the bands are blue, green and red
};

/// What a picture by these weights is called.
inline const char* colour_name(const colour_weights& weights) {
  return weights.true_colour ? "True colour" : weights.band.size() == 1 ? "Picture" : "False colour";
}

/// How these weights make colours of spectra, a sentence for people.
inline const char* colour_rule(const colour_weights& weights) {
  if (weights.true_colour) return "CIE 1931 2\u00b0 observer to sRGB; a spectrum that is equal in all bands is white.";
  if (weights.band.size() == 1) return "The only band, sRGB curve.";
  return "The wavelengths are unknown or do not span the visible range: the first, middle and last third of the bands "
         "are shown as blue, green and red.";
}

/// Wavelengths in nm, or empty where they are unknown. True colour needs bands that together excite all three cones:
/// each at least 4 % of the strongest; one band is always grey.
inline colour_weights make_colour_weights(const std::vector<double>& wavelengths, index_t bands) {
  const std::size_t n = static_cast<std::size_t>(bands);
  colour_weights weights;
  weights.band.assign(n, triple{1, 1, 1});
  if (n < 2) return weights;
  if (wavelengths.size() == n) {
    const std::vector<double> width = detail::band_widths(wavelengths);
    triple white{};
    for (std::size_t c = 0; c < n; ++c)
      for (std::size_t i = 0; i < 3; ++i) white[i] += width[c] * cie_xyz(wavelengths[c])[i];
    const triple have = detail::times(detail::bradford, white), want = detail::times(detail::bradford, detail::d65);
    triple gain{};
    for (std::size_t i = 0; i < 3; ++i) gain[i] = have[i] > 0 ? want[i] / have[i] : INFINITY;
    const auto [least, most] = std::minmax_element(gain.begin(), gain.end());
    if (*most < 25 * *least) {
      for (std::size_t c = 0; c < n; ++c) {
        triple cone = detail::times(detail::bradford, cie_xyz(wavelengths[c]));
        for (std::size_t i = 0; i < 3; ++i) cone[i] *= gain[i] * width[c];
        weights.band[c] = detail::times(detail::xyz_to_srgb, detail::times(detail::bradford_inverse, cone));
      }
      weights.true_colour = true;
      return weights;
    }
  }
  triple count{};
  const auto third = [n](std::size_t c) { return 2 - std::min<std::size_t>(2, c * 3 / n); };
  for (std::size_t c = 0; c < n; ++c) count[third(c)] += 1;
  for (std::size_t c = 0; c < n; ++c) {
    weights.band[c] = {0, 0, 0};
    weights.band[c][third(c)] = 1 / count[third(c)];
  }
  if (n == 2) weights.band = {{0, 0.5, 1}, {1, 0.5, 0}};  // no middle third: green is the mean of both
  return weights;
}

/// Linear sRGB of the pixel whose spectrum starts at `spectrum`.
inline triple linear_srgb(const float* spectrum, const colour_weights& weights) {
  triple v{};
  for (std::size_t c = 0; c < weights.band.size(); ++c)
    for (std::size_t i = 0; i < 3; ++i) v[i] += weights.band[c][i] * static_cast<double>(spectrum[c]);
  return v;
}

/// The factor that brings the given percentile of the luminance to white. Take it from one cube (the truth) and use it
/// for all pictures that are compared. 1 for a black cube.
inline double exposure_of(in<float, 3> cube, const colour_weights& weights, double at_percentile = 99.5) {
  std::vector<float> y(static_cast<std::size_t>(cube.extent(0) * cube.extent(1)));
  for (std::size_t i = 0; i < y.size(); ++i)
    y[i] = static_cast<float>(luminance(linear_srgb(cube.data() + static_cast<index_t>(i) * cube.extent(2), weights)));
  const double white = percentile(std::move(y), at_percentile);
  return white > 0 ? 1 / white : 1;
}

/// [H, W, C] to RGB. A pixel with a non-finite band is drawn in `nan_colour`.
inline image8 colour_picture(in<float, 3> cube, const colour_weights& weights, double exposure) {
  image8 picture(cube.extent(0), cube.extent(1), 3);
  for (index_t h = 0; h < picture.height; ++h)
    for (index_t w = 0; w < picture.width; ++w) {
      triple v = linear_srgb(cube.data() + (h * picture.width + w) * cube.extent(2), weights);
      for (double& x : v) x *= exposure;
      picture.set(h, w, srgb_pixel(v));
    }
  return picture;
}

}  // namespace unmask::inline UNMASK_ABI::render
