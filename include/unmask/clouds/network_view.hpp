#pragma once

/// What a network is told of a cloudy date, band by band, so that one network serves any sensor: a band's values are
/// counted from what regression on the other dates predicts, p, in units of how far that is off on open pixels.
///
/// Channels of an image [h, w, network_channels]:
///   0  the result so far: (base - p) / unit; where open what was seen, so that 0 error is 0 there
///   1  1 where open, 0 where hidden               2  transmission: 1 where open, else what was measured of the band
///   3  what is seen through the cloud, (y - base) / unit, by its logarithm; 0 where open or nothing is seen
///   4  the base's standard deviation / unit; 0 where open
///   5  p, standardised                            6  the nearest date, standardised
///   7  to 9: the first principal components of all bands of all other dates: where the ground is alike
/// The network's result is channel 0 with the error mended; its mask is the mean of channel 2
/// over bands.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "../core/call_ref.hpp"
#include "blur.hpp"

namespace unmask::inline UNMASK_ABI::clouds {

inline constexpr index_t network_channels = 10;

/// All images are [n, bands], all masks [n].
struct network_view {
  grid size;
  index_t bands = 0;
  const float *y = nullptr, *prediction = nullptr, *nearest = nullptr;  ///< everywhere
  const float *base = nullptr, *deviation = nullptr;                    ///< where asked
  const float* transmission = nullptr;  ///< where asked, of the cloud; null: nothing is seen
  const std::uint8_t *open = nullptr, *asked = nullptr;
  /// Principal components of the other dates, [n, components], and what makes each of deviation 1.
  const float* ground = nullptr;
  index_t components = 0;
  std::array<float, 3> ground_scale{};

  float seen(index_t i, index_t band) const noexcept {
    return open[i] != 0 ? 1.f : asked[i] != 0 && transmission ? transmission[i * bands + band] : 0.f;
  }
};

/// Writes a better estimate [n, bands] where the view asks for one.
using network_step = call_ref<const network_view&, float*>;

/// The part of an image that a network looks at; pixels beyond the image's edge are mirrored.
struct patch {
  index_t row = 0, column = 0, height = 0, width = 0;
};

struct band_scale {
  float unit = 1, mean = 0, spread = 1, nearest_mean = 0, nearest_spread = 1;
};

/// Of one band; a few pixels more or less change nothing.
inline band_scale measure_band(const network_view& v, index_t band) noexcept {
  const index_t n = v.size.size();
  double squares = 0, count = 0, sums[4] = {};
  for (index_t i = 0; i < n; ++i) {
    const double p = static_cast<double>(v.prediction[i * v.bands + band]);
    const double nearest = static_cast<double>(v.nearest[i * v.bands + band]);
    sums[0] += p, sums[1] += p * p, sums[2] += nearest, sums[3] += nearest * nearest;
    if (v.open[i] == 0) continue;
    const double d = static_cast<double>(v.y[i * v.bands + band]) - p;
    squares += d * d, ++count;
  }
  const auto spread = [n](double sum, double square) {
    const double mean = sum / static_cast<double>(n);
    return static_cast<float>(std::sqrt(std::max(square / static_cast<double>(n) - mean * mean, 0.)) + 1e-6);
  };
  return {static_cast<float>(std::sqrt(squares / std::max(count, 1.)) + 1e-4),
          static_cast<float>(sums[0] / static_cast<double>(n)), spread(sums[0], sums[1]),
          static_cast<float>(sums[2] / static_cast<double>(n)), spread(sums[2], sums[3])};
}

/// Below it what is seen is cloud.
inline constexpr float least_seen = .05f;

inline index_t mirrored(index_t at, index_t size) noexcept {
  const index_t period = std::max<index_t>(1, 2 * (size - 1));
  const index_t inside = (at % period + period) % period;
  return std::min(inside < size ? inside : period - inside, size - 1);
}

/// One band's channels into to [p.height, p.width, network_channels].
inline void fill_channels(const network_view& v, const band_scale& s, index_t band, const patch& p,
                          float* to) noexcept {
  const auto standard = [](float x, float mean, float spread) { return (x - mean) / spread; };
  for (index_t h = 0; h < p.height; ++h)
    for (index_t w = 0; w < p.width; ++w, to += network_channels) {
      const index_t i = mirrored(p.row + h, v.size.height) * v.size.width + mirrored(p.column + w, v.size.width);
      const index_t at = i * v.bands + band;
      const bool open = v.open[i] != 0, asked = v.asked[i] != 0 && !open;
      const float best = open ? v.y[at] : asked ? v.base[at] : v.prediction[at];
      const float seen = v.seen(i, band), shown = asked && seen > least_seen ? (v.y[at] - best) / s.unit : 0.f;
      const float deviation = asked ? v.deviation[at] / s.unit : 0.f;
      to[0] = (best - v.prediction[at]) / s.unit;
      to[1] = open ? 1.f : 0.f;
      to[2] = seen;
      to[3] = std::copysign(std::log1p(std::abs(shown)), shown);
      to[4] = deviation < 30 ? deviation : 0.f;  // NaN: not known
      to[5] = standard(v.prediction[at], s.mean, s.spread);
      to[6] = standard(v.nearest[at], s.nearest_mean, s.nearest_spread);
      for (index_t j = 0; j < 3; ++j)
        to[7 + j] =
            j < v.components ? v.ground[i * v.components + j] * v.ground_scale[static_cast<std::size_t>(j)] : 0.f;
    }
}

inline void fill_mask(const network_view& v, const patch& p, float* to) noexcept {
  for (index_t h = 0; h < p.height; ++h)
    for (index_t w = 0; w < p.width; ++w) {
      const index_t i = mirrored(p.row + h, v.size.height) * v.size.width + mirrored(p.column + w, v.size.width);
      float sum = 0;
      for (index_t c = 0; c < v.bands; ++c) sum += v.seen(i, c);
      *to++ = sum / static_cast<float>(v.bands);
    }
}

}  // namespace unmask::inline UNMASK_ABI::clouds
