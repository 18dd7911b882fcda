#pragma once

/// More scenes from the same ones: a random window of a scene at a random size, under another light, exposed
/// otherwise. What is drawn is a pure function of the random numbers it is given.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <optional>
#include <string>
#include <vector>

#include "../core/random.hpp"
#include "../core/result.hpp"
#include "../core/tensor.hpp"

namespace unmask::inline UNMASK_ABI::train {

/// Off where a range is not given. Ranges are [least, most], drawn evenly in their logarithm.
struct scene_variety {
  std::optional<std::array<double, 2>> scales{};     ///< sizes a scene is shown at; also moves it by parts of a pixel
  double illuminants = 0;                            ///< how far a light's spectrum strays from flat, in its logarithm
  std::optional<std::array<double, 2>> exposures{};  ///< factors of a scene's brightness

  bool any() const { return scales || illuminants > 0 || exposures; }
};

inline result<> check(const scene_variety& v) {
  const auto number = [](double n) { return std::to_string(n); };
  const auto range = [&](const char* name, const std::optional<std::array<double, 2>>& r) -> result<> {
    constexpr double least = 1. / 64, most = 64;
    if (r && !(least <= (*r)[0] && (*r)[0] <= (*r)[1] && (*r)[1] <= most))
      return error(errc::bad_argument, std::string("samples: ") + name + " are " + number((*r)[0]) + " to " +
                                           number((*r)[1]) + ", expected the smaller first, both within 1/64 to 64");
    return {};
  };
  if (auto ok = range("scales", v.scales); !ok) return ok;
  if (auto ok = range("exposures", v.exposures); !ok) return ok;
  if (!(v.illuminants >= 0 && v.illuminants <= 4))
    return error(errc::bad_argument, "samples: illuminants is " + number(v.illuminants) + ", expected 0..4");
  return {};
}

/// Evenly in the logarithm.
inline double draw_within(unmask::random& draw, const std::array<double, 2>& range) {
  return range[0] * std::pow(range[1] / range[0], draw.uniform());
}

/// Which source pixels a resampled pixel is the mean of, and what each counts; the weights' sum is 1.
struct pixel_mean {
  std::vector<index_t> at;
  std::vector<float> weight;
};

/// Along one axis of `from` pixels: pixel i of `to` is the mean over [i, i + 1) / scale + offset where that is more
/// than a pixel, else linear between neighbours. Beyond its ends the scene is mirrored.
inline std::vector<pixel_mean> pixel_means(index_t from, index_t to, double scale, double offset) {
  std::vector<pixel_mean> means(static_cast<std::size_t>(to));
  const double width = std::max(1., 1 / scale);
  for (index_t i = 0; i < to; ++i) {
    const double begin = offset + (static_cast<double>(i) + .5) / scale - width / 2, end = begin + width;
    pixel_mean& mean = means[static_cast<std::size_t>(i)];
    for (auto j = static_cast<index_t>(std::floor(begin)); static_cast<double>(j) < end; ++j) {
      const double covered = std::min(end, static_cast<double>(j + 1)) - std::max(begin, static_cast<double>(j));
      if (!(covered > 1e-9)) continue;
      const index_t k = (j % (2 * from) + 2 * from) % (2 * from);
      mean.at.push_back(std::min(k, 2 * from - 1 - k));
      mean.weight.push_back(static_cast<float>(covered / width));
    }
  }
  return means;
}

/// A window of a scene [H, W, C] at another size: `scale` pixels for each of the scene's, from row `top` and column
/// `left` of it on, in its pixels. With scale 1 and whole numbers the values are the scene's, to the bit.
inline void resample(out<float, 3> to, in<float, 3> scene, double scale, double top, double left) {
  const auto rows = pixel_means(scene.extent(0), to.extent(0), scale, top);
  const auto columns = pixel_means(scene.extent(1), to.extent(1), scale, left);
  const index_t C = scene.extent(2);
  for (index_t h = 0; h < to.extent(0); ++h)
    for (index_t w = 0; w < to.extent(1); ++w) {
      const pixel_mean& y = rows[static_cast<std::size_t>(h)];
      const pixel_mean& x = columns[static_cast<std::size_t>(w)];
      float* pixel = &to(h, w, 0);
      std::fill_n(pixel, C, 0.f);
      for (std::size_t i = 0; i < y.at.size(); ++i)
        for (std::size_t k = 0; k < x.at.size(); ++k) {
          const float* spectrum = &scene(y.at[i], x.at[k], 0);
          const float weight = y.weight[i] * x.weight[k];
          for (index_t c = 0; c < C; ++c) pixel[c] += weight * spectrum[c];
        }
    }
}

/// A smooth positive spectrum of C bands whose largest value is 1: three waves over the bands, the shorter the weaker.
inline std::vector<float> draw_illuminant(unmask::random& draw, double strength, index_t bands) {
  std::array<double, 3> waves{};
  for (std::size_t k = 0; k < waves.size(); ++k)
    waves[k] = strength * (2 * draw.uniform() - 1) / static_cast<double>(k + 1);
  std::vector<double> logarithm(static_cast<std::size_t>(bands));
  for (std::size_t c = 0; c < logarithm.size(); ++c) {
    const double t = std::numbers::pi * (static_cast<double>(c) + .5) / static_cast<double>(bands);
    for (std::size_t k = 0; k < waves.size(); ++k) logarithm[c] += waves[k] * std::cos(static_cast<double>(k + 1) * t);
  }
  const double largest = *std::max_element(logarithm.begin(), logarithm.end());
  std::vector<float> light(logarithm.size());
  std::transform(logarithm.begin(), logarithm.end(), light.begin(),
                 [&](double v) { return static_cast<float>(std::exp(v - largest)); });
  return light;
}

/// The part of a scene that is shown: with scales at one of them, from anywhere on; else as it is, from a whole pixel
/// on. A scene that is too small is mirrored at its ends.
inline void draw_window(out<float, 3> to, in<float, 3> scene, const scene_variety& v, unmask::random& draw) {
  const double scale = v.scales ? draw_within(draw, *v.scales) : 1;
  const auto begin = [&](std::size_t axis) {
    const double room = static_cast<double>(scene.extent(axis)) - static_cast<double>(to.extent(axis)) / scale;
    return v.scales ? draw.uniform() * room : std::floor(draw.uniform() * (room + 1));
  };
  const double top = begin(0), left = begin(1);
  resample(to, scene, scale, top, left);
}

/// A scene [h, w, C] in [0, 1] as `v` varies it, [H, W, C] in [0, 1]: an exposure brightens no further.
inline void vary_scene(out<float, 3> to, in<float, 3> scene, const scene_variety& v, unmask::random draw) {
  draw_window(to, scene, v, draw);
  const index_t C = scene.extent(2), pixels = to.extent(0) * to.extent(1);
  std::vector<float> gain(static_cast<std::size_t>(C), 1.f);
  if (v.illuminants > 0) gain = draw_illuminant(draw, v.illuminants, C);
  float brightest = 0;
  const auto multiply = [&] {
    for (index_t i = 0; i < pixels; ++i)
      for (index_t c = 0; c < C; ++c) {
        float& value = to.data()[i * C + c];
        value *= gain[static_cast<std::size_t>(c)];
        brightest = std::max(brightest, value);
      }
  };
  multiply();
  if (!v.exposures) return;
  const auto exposure = static_cast<float>(draw_within(draw, *v.exposures));
  gain.assign(gain.size(), brightest > 0 ? std::min(exposure, 1 / brightest) : exposure);
  multiply();
}

}  // namespace unmask::inline UNMASK_ABI::train
