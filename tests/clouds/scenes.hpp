#pragma once

/// A small place seen on several dates: fields with a texture each, whose colours change with the season, under clouds
/// that are discs. Truth, cloudy date, masks.

#include <cmath>
#include <unmask/clouds/declouder.hpp>
#include <unmask/core/random.hpp>
#include <unmask/core/tensor.hpp>
#include <vector>

namespace unmask_test {

using unmask::index_t;

struct place {
  unmask::tensor<float, 3> truth, image;
  unmask::tensor<float, 2> visibility;
  unmask::tensor<float, 4> references;
  unmask::tensor<float, 3> reference_visibility;
  std::vector<double> days;
  double day = 10;

  unmask::clouds::scene scene() const {
    return {image.view(), visibility.view(), {}, day, references.view(), reference_visibility.view(), days.data()};
  }
  unmask::clouds::scene_size size() const {
    return {image.extent(0), image.extent(1), image.extent(2), references.extent(0)};
  }
};

inline float ground(index_t h, index_t w, index_t c, double day) {
  const auto y = static_cast<double>(h), x = static_cast<double>(w), b = static_cast<double>(c);
  const double field = std::fmod(std::floor(y / 9) * 7 + std::floor(x / 11) * 3, 5.);
  const double green = std::sin(.11 * day + field) * .05 * (b + 1), texture = .01 * std::sin(.9 * x + 1.3 * y + field);
  return static_cast<float>(.15 + .02 * field + green + texture + .03 * std::sin(y / 40) + .005 * b);
}

/// 1 outside a disc, 0 inside.
inline float outside(index_t h, index_t w, double y, double x, double radius) {
  return std::hypot(static_cast<double>(h) - y, static_cast<double>(w) - x) < radius ? 0.f : 1.f;
}

inline place make_place(index_t H, index_t W, index_t C, index_t K, bool cloudy_references = true) {
  place p{unmask::tensor<float, 3>({H, W, C}),    unmask::tensor<float, 3>({H, W, C}), unmask::tensor<float, 2>({H, W}),
          unmask::tensor<float, 4>({K, H, W, C}), unmask::tensor<float, 3>({K, H, W}), {}};
  const auto y = static_cast<double>(H), x = static_cast<double>(W);
  unmask::random noise(5);
  for (index_t k = 0; k < K; ++k) p.days.push_back(static_cast<double>(k % 2 == 0 ? 40 + 7 * k : 2 + k));
  for (index_t h = 0; h < H; ++h)
    for (index_t w = 0; w < W; ++w) {
      p.visibility(h, w) = outside(h, w, .4 * y, .45 * x, .22 * std::min(y, x));
      for (index_t c = 0; c < C; ++c) {
        p.truth(h, w, c) = ground(h, w, c, p.day) + static_cast<float>(.002 * noise.normal());
        p.image(h, w, c) = p.visibility(h, w) > 0 ? p.truth(h, w, c) : .9f;
      }
      for (index_t k = 0; k < K; ++k) {
        const double at = static_cast<double>(k + 1) / static_cast<double>(K + 1);
        p.reference_visibility(k, h, w) = cloudy_references ? outside(h, w, at * y, .8 * x, .1 * std::min(y, x)) : 1.f;
        for (index_t c = 0; c < C; ++c)
          p.references(k, h, w, c) =
              p.reference_visibility(k, h, w) > 0
                  ? ground(h, w, c, p.days[static_cast<std::size_t>(k)]) + static_cast<float>(.002 * noise.normal())
                  : .95f;
      }
    }
  return p;
}

struct found {
  unmask::tensor<float, 3> image, deviation;
  unmask::tensor<std::uint8_t, 2> origin;
  unmask::clouds::outcome outcome;
};

template <class Backend = unmask::cpu>
found decloud(const place& p, const unmask::clouds::options& o = {}, Backend be = {}) {
  const auto s = p.size();
  found f{unmask::tensor<float, 3>({s.height, s.width, s.bands}),
          unmask::tensor<float, 3>({s.height, s.width, s.bands}),
          unmask::tensor<std::uint8_t, 2>({s.height, s.width}),
          {}};
  auto d = unmask::clouds::declouder<Backend>::create(be, s, o).value();
  f.outcome = d.run(p.scene(), {f.image.view(), f.deviation.view(), f.origin.view()}).value();
  return f;
}

/// Root mean square error where the image was hidden.
inline double hidden_error(const place& p, const found& f) {
  double sum = 0, count = 0;
  const index_t C = p.image.extent(2);
  for (index_t i = 0; i < p.visibility.size(); ++i)
    for (index_t c = 0; c < C && !(p.visibility.data()[i] >= .5f); ++c) {
      const double d = static_cast<double>(f.image.data()[i * C + c]) - static_cast<double>(p.truth.data()[i * C + c]);
      sum += d * d, ++count;
    }
  return std::sqrt(sum / count);
}

}  // namespace unmask_test
