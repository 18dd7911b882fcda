#pragma once

/// 8-bit pictures, and the few steps between a plane of floats and one of them.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

#include "../core/tensor.hpp"

namespace unmask::inline UNMASK_ABI::render {

struct rgb8 {
  std::uint8_t r = 0, g = 0, b = 0;
  bool operator==(const rgb8&) const = default;
};

/// Pixels that are NaN or infinite are drawn in magenta: no colour map here and hardly any natural scene contains it.
inline constexpr rgb8 nan_colour{255, 0, 255};

/// Row-major, channels interleaved: 1 channel is grey, 3 channels are RGB, both with the sRGB transfer curve.
struct image8 {
  index_t height = 0;
  index_t width = 0;
  int channels = 1;
  std::vector<std::uint8_t> pixels;

  image8() = default;
  image8(index_t h, index_t w, int c) : height(h), width(w), channels(c), pixels(static_cast<std::size_t>(h * w * c)) {}

  std::uint8_t* at(index_t h, index_t w) { return pixels.data() + (h * width + w) * channels; }
  const std::uint8_t* at(index_t h, index_t w) const { return pixels.data() + (h * width + w) * channels; }
  void set(index_t h, index_t w, rgb8 p) {
    std::uint8_t* to = at(h, w);
    to[0] = p.r;
    if (channels == 3) to[1] = p.g, to[2] = p.b;
  }
};

/// Light in [0, 1] to the sRGB code value in [0, 1] (IEC 61966-2-1); out-of-range light is clipped.
inline double srgb_encode(double light) {
  const double v = std::clamp(light, 0.0, 1.0);
  return v <= 0.0031308 ? 12.92 * v : 1.055 * std::pow(v, 1 / 2.4) - 0.055;
}

/// [0, 1] to 0..255, rounded to nearest.
inline std::uint8_t to_byte(double code) {
  return static_cast<std::uint8_t>(std::lround(std::clamp(code, 0.0, 1.0) * 255));
}

/// The p-th percentile (0..100) of the finite values, 0 where there are none.
inline double percentile(std::vector<float> values, double p) {
  std::erase_if(values, [](float v) { return !std::isfinite(v); });
  if (values.empty()) return 0;
  const double last = static_cast<double>(values.size() - 1);
  const auto nth = values.begin() + static_cast<index_t>(std::lround(std::clamp(p / 100, 0.0, 1.0) * last));
  std::nth_element(values.begin(), nth, values.end());
  return static_cast<double>(*nth);
}

/// Band c of a cube as a plane.
inline tensor<float, 2> band_plane(in<float, 3> cube, index_t c) {
  tensor<float, 2> plane({cube.extent(0), cube.extent(1)});
  for (index_t i = 0; i < plane.size(); ++i) plane.data()[i] = cube.data()[i * cube.extent(2) + c];
  return plane;
}

/// Means over k x k pixels (fewer at the right and lower border). One NaN makes its block NaN: a defect must not
/// vanish because the picture was made smaller.
inline tensor<float, 2> shrink(const tensor<float, 2>& plane, index_t k) {
  if (k <= 1) return plane;
  const index_t height = plane.extent(0), width = plane.extent(1);
  tensor<float, 2> reduced({(height + k - 1) / k, (width + k - 1) / k});
  for (index_t h = 0; h < reduced.extent(0); ++h)
    for (index_t w = 0; w < reduced.extent(1); ++w) {
      const index_t h1 = std::min(height, (h + 1) * k), w1 = std::min(width, (w + 1) * k);
      double sum = 0;
      for (index_t y = h * k; y < h1; ++y)
        for (index_t x = w * k; x < w1; ++x) sum += static_cast<double>(plane(y, x));
      reduced(h, w) = static_cast<float>(sum / static_cast<double>((h1 - h * k) * (w1 - w * k)));
    }
  return reduced;
}

/// Turned by 180 degrees.
inline image8 rotated180(const image8& picture) {
  image8 turned(picture.height, picture.width, picture.channels);
  for (index_t h = 0; h < picture.height; ++h)
    for (index_t w = 0; w < picture.width; ++w)
      std::copy_n(picture.at(h, w), picture.channels, turned.at(picture.height - 1 - h, picture.width - 1 - w));
  return turned;
}

enum class curve {
  light,   ///< values are light: shown through the sRGB transfer curve
  numbers  ///< values are numbers: code value proportional to value
};

/// Grey picture with `lo` black and `hi` white. Non-finite pixels turn it into an RGB picture that shows them in
/// `nan_colour`. Where hi <= lo everything above lo is white.
inline image8 grey_picture(in<float, 2> plane, double lo, double hi, curve how) {
  const index_t n = plane.size();
  const bool finite = std::all_of(plane.begin(), plane.end(), [](float v) { return std::isfinite(v); });
  image8 picture(plane.extent(0), plane.extent(1), finite ? 1 : 3);
  for (index_t i = 0; i < n; ++i) {
    const double v = static_cast<double>(plane.data()[i]);
    rgb8 pixel = nan_colour;
    if (std::isfinite(v)) {
      const double t = hi > lo ? (v - lo) / (hi - lo) : (v > lo ? 1.0 : 0.0);
      const std::uint8_t grey = to_byte(how == curve::light ? srgb_encode(t) : t);
      pixel = {grey, grey, grey};
    }
    picture.set(i / picture.width, i % picture.width, pixel);
  }
  return picture;
}

}  // namespace unmask::inline UNMASK_ABI::render
