#pragma once

/// Clouds and their shadows over a clear image, from a map of cloud probability. Opacity is a random function of the
/// probability, as it is in nature; thin cloud veils blue more than infrared; shadow has its own colour and lies beside
/// the cloud. Equal arguments give equal clouds.

#include <algorithm>
#include <cmath>
#include <vector>

#include "../core/random.hpp"
#include "../core/tensor.hpp"
#include "blur.hpp"

namespace unmask::inline UNMASK_ABI::clouds {

enum class cloud_kind { thick, thin };

struct simulation {
  cloud_kind kind = cloud_kind::thick;
  bool shadow = true;
  double shift_rows = 9, shift_columns = -7;  ///< of the shadow, pixels
  std::uint64_t seed = 1;
};

struct clouded {
  tensor<float, 3> image;       ///< [H, W, C]
  tensor<float, 2> visibility;  ///< [H, W] 1 - probability, less where there is shadow
  tensor<float, 2> opacity;     ///< [H, W] of the cloud in the reddest light that it veils fully
  tensor<float, 2> shadow;      ///< [H, W] 0..1
};

namespace detail {

/// Linear between the points, constant outside.
inline double between_points(double x, std::initializer_list<std::array<double, 2>> points) {
  const std::array<double, 2>* last = points.begin();
  if (x <= (*last)[0]) return (*last)[1];
  for (const auto& p : points) {
    if (x <= p[0]) return (*last)[1] + (p[1] - (*last)[1]) * (x - (*last)[0]) / std::max(p[0] - (*last)[0], 1e-9);
    last = &p;
  }
  return (*last)[1];
}

/// Reflectance of a thick cloud at a wavelength in nm, after overcast Sentinel-2 images; water vapour at 945 and 1375
/// nm.
inline double cloud_reflectance(double nm) {
  return between_points(nm, {{443, .55},
                             {490, .52},
                             {560, .50},
                             {665, .50},
                             {705, .51},
                             {740, .53},
                             {783, .55},
                             {842, .53},
                             {865, .56},
                             {945, .22},
                             {1375, .01},
                             {1610, .45},
                             {2190, .34}});
}

}  // namespace detail

/// A map of cloud probability [H, W] that a generator makes: smooth blobs that cover about `cover` of the image.
inline tensor<float, 2> generate_probability(index_t H, index_t W, double cover, std::uint64_t seed) {
  tensor<float, 2> p({H, W});
  std::vector<float> noise(static_cast<std::size_t>(H * W)), between(noise.size());
  std::vector<double> running(static_cast<std::size_t>(W));
  unmask::random r(seed, 77);
  for (const double sigma : {static_cast<double>(std::max(H, W)) / 12, static_cast<double>(std::max(H, W)) / 40}) {
    for (float& x : noise) x = static_cast<float>(r.normal());
    gaussian(noise.data(), noise.data(), {H, W}, std::max(sigma, 1.), between.data(), running.data());
    const float scale = static_cast<float>(std::max(sigma, 1.) * (sigma > 8 ? 3 : 1));
    for (index_t i = 0; i < p.size(); ++i) p.data()[i] += scale * noise[static_cast<std::size_t>(i)];
  }
  std::vector<float> sorted(p.begin(), p.end());
  const auto at = static_cast<index_t>((1 - std::clamp(cover, 0., 1.)) * static_cast<double>(p.size() - 1));
  std::nth_element(sorted.begin(), sorted.begin() + at, sorted.end());
  const float half = sorted[static_cast<std::size_t>(at)];
  double square = 0;
  for (float v : p) square += static_cast<double>((v - half) * (v - half));
  const auto width = static_cast<float>(std::sqrt(square / static_cast<double>(p.size())) + 1e-9);
  for (float& v : p) v = std::clamp(.4f + 1.2f * (v - half) / width, 0.f, 1.f);
  return p;
}

/// clear [H, W, C] reflectance, probability [H, W] in 0..1 of the same size, wavelengths in nm, one a band.
inline clouded simulate_clouds(in<float, 3> clear, in<float, 2> probability, const std::vector<double>& wavelengths,
                               const simulation& s) {
  const index_t H = clear.extent(0), W = clear.extent(1), C = clear.extent(2), n = H * W;
  clouded out{tensor<float, 3>(clear.extents()), tensor<float, 2>({H, W}), tensor<float, 2>({H, W}),
              tensor<float, 2>({H, W})};
  unmask::random r(s.seed);
  const bool thin = s.kind == cloud_kind::thin;
  const double power = r.uniform(.8, 1.5), most = r.uniform(.35, .65), slope = -r.uniform(.2, .8),
               depth = r.uniform(.7, 1.);
  std::vector<float> texture(static_cast<std::size_t>(n)), between(texture.size());
  std::vector<double> running(static_cast<std::size_t>(W));
  for (float& t : texture) t = static_cast<float>(r.normal());
  gaussian(texture.data(), texture.data(), {H, W}, 3, between.data(), running.data());
  double square = 1e-12;
  for (float t : texture) square += static_cast<double>(t) * static_cast<double>(t) / static_cast<double>(n);
  for (index_t i = 0; i < n; ++i) {
    const double p = std::clamp(static_cast<double>(probability.data()[i]), 0., 1.);
    out.opacity.data()[i] = static_cast<float>(thin ? std::pow(std::clamp((p - .1) / .9, 0., 1.), power) * most
                                                    : std::clamp((p - .25) / .35, 0., 1.));
  }
  if (s.shadow) {
    const auto opacity = [&](index_t h, index_t w) {
      return h >= 0 && w >= 0 && h < H && w < W ? static_cast<double>(out.opacity(h, w)) : 0.;
    };
    const double dy = std::floor(s.shift_rows), dx = std::floor(s.shift_columns);
    const double v = s.shift_rows - dy, u = s.shift_columns - dx;
    for (index_t h = 0; h < H; ++h)
      for (index_t w = 0; w < W; ++w) {
        const index_t y = h - static_cast<index_t>(dy), x = w - static_cast<index_t>(dx);
        out.shadow(h, w) = static_cast<float>((1 - v) * ((1 - u) * opacity(y, x) + u * opacity(y, x - 1)) +
                                              v * ((1 - u) * opacity(y - 1, x) + u * opacity(y - 1, x - 1)));
      }
    gaussian(out.shadow.data(), out.shadow.data(), {H, W}, 1, between.data(), running.data());
    for (index_t i = 0; i < n; ++i) out.shadow.data()[i] *= 1 - out.opacity.data()[i];
  }
  for (index_t c = 0; c < C; ++c) {
    const double nm = wavelengths[static_cast<std::size_t>(c)], bright = detail::cloud_reflectance(nm);
    const double veil = thin ? std::clamp(std::pow(nm / 490, slope), .3, 1.15) : 1;
    const double dark = detail::between_points(nm, {{443, .45}, {865, .62}, {2190, .7}}) * depth;
    for (index_t i = 0; i < n; ++i) {
      const double a = std::clamp(static_cast<double>(out.opacity.data()[i]) * veil, 0., 1.);
      const double grain = 1 + .12 * static_cast<double>(texture[static_cast<std::size_t>(i)]) / std::sqrt(square);
      const double x =
          static_cast<double>(clear.data()[i * C + c]) * (1 - static_cast<double>(out.shadow.data()[i]) * dark);
      const double y = (1 - a) * x + a * bright * std::clamp(grain, .6, 1.4) + 5e-4 * r.normal();
      out.image.data()[i * C + c] = static_cast<float>(std::max(y, 0.));
    }
  }
  for (index_t i = 0; i < n; ++i) {
    const double p = std::clamp(static_cast<double>(probability.data()[i]), 0., 1.);
    out.visibility.data()[i] =
        static_cast<float>((1 - p) * (1 - .7 * std::clamp(1.5 * static_cast<double>(out.shadow.data()[i]), 0., 1.)));
  }
  return out;
}

}  // namespace unmask::inline UNMASK_ABI::clouds
