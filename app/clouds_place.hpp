#pragma once

/// A place that a generator makes: fields with crops that grow and ripen, woods, a river, roads; the same ground on
/// every date, in 7 bands. For demonstrations and tests without data.

#include <unmask/clouds/simulate.hpp>

namespace program {

inline const std::vector<double>& place_wavelengths() {
  static const std::vector<double> nm{490, 560, 665, 740, 842, 1610, 2190};
  return nm;
}

/// Reflectance [size, size, 7] on a day of the year.
inline unmask::tensor<float, 3> place_on(unmask::index_t size, double day, std::uint64_t seed) {
  using unmask::index_t;
  static constexpr double soil[] = {.09, .12, .17, .20, .23, .32, .28}, leaf[] = {.03, .07, .04, .28, .40, .18, .08};
  static constexpr double wood[] = {.02, .04, .03, .20, .27, .12, .05}, water[] = {.06, .06, .04, .02, .02, .01, .01};
  static constexpr double road[] = {.15, .17, .19, .20, .21, .24, .23};
  unmask::tensor<float, 3> image({size, size, 7});
  std::vector<float> rough(static_cast<std::size_t>(size * size)), between(rough.size());
  std::vector<double> running(static_cast<std::size_t>(size));
  unmask::random ground(seed, 1), grain(seed, 1000 + static_cast<std::uint64_t>(day));
  for (float& v : rough) v = static_cast<float>(ground.normal());
  unmask::clouds::gaussian(rough.data(), rough.data(), {size, size}, 1.2, between.data(), running.data());
  const double haze = .004 * grain.normal(), gain = 1 + .02 * grain.normal();
  for (index_t h = 0; h < size; ++h)
    for (index_t w = 0; w < size; ++w) {
      const double y = static_cast<double>(h), x = static_cast<double>(w),
                   bend = 9 * std::sin(y / 31) + 4 * std::sin(y / 11);
      const auto row = static_cast<std::uint64_t>((y + .2 * x) / 23),
                 column = static_cast<std::uint64_t>((x + 400 - .15 * y) / 31);
      unmask::random field(seed, 5000 + row * 97 + column);
      const double start = field.uniform(60, 190), length = field.uniform(60, 140), vigour = field.uniform(.5, 1.);
      const double kind = field.uniform(), t = (day - start) / length;
      double green = t > 0 && t < 1 ? vigour * std::sin(3.14159265 * t) : 0;
      green = std::clamp(green + .12 * static_cast<double>(rough[static_cast<std::size_t>(h * size + w)]), 0., 1.);
      const bool river = std::abs(x - .62 * static_cast<double>(size) - bend) < 4;
      const bool lane =
          (static_cast<index_t>(y + .2 * x) % 23 == 0) || (static_cast<index_t>(x + 400 - .15 * y) % 31 == 0);
      const double light = gain * (1 + .08 * static_cast<double>(rough[static_cast<std::size_t>(h * size + w)]));
      for (index_t c = 0; c < 7; ++c) {
        double v = soil[c] * (1 - green) + leaf[c] * green;
        if (kind > .8) v = wood[c] * (1 + .15 * std::sin(day / 58));
        if (lane) v = road[c];
        if (river) v = water[c];
        image(h, w, c) = static_cast<float>(std::max(0., v * light + haze + .0015 * grain.normal()));
      }
    }
  return image;
}

}  // namespace program
