#pragma once

/// From what products say of a pixel to visibility: 1 = trust, 0 = cloud, shadow, cirrus or saturated, NaN = no data.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

#include "blur.hpp"

namespace unmask::inline UNMASK_ABI::clouds {

enum class mask_kind {
  visibility,   ///< 0..1, 1 = trust
  probability,  ///< of cloud, 0..1 after scaling: s2cloudless, ESA's CLDPRB in percent
  scl,          ///< Sentinel-2 L2A scene classification, 0..11
  qa60,         ///< Sentinel-2 L1C: bit 10 opaque, 11 cirrus
  qa_pixel,     ///< Landsat collection 2
  bqa,          ///< Landsat collection 1, OLI
  binary        ///< two values; which one hides must be said
};
inline constexpr std::array<std::string_view, 7> mask_kind_names{"visibility", "probability", "scl",   "qa60",
                                                                 "qa_pixel",   "bqa",         "binary"};

namespace detail {

inline constexpr float no_data = std::numeric_limits<float>::quiet_NaN();

/// Sentinel-2 scene classification: 0 no data, 1 saturated, 2 dark, 3 cloud shadow, 4 vegetation, 5 bare, 6 water,
/// 7 unclassified, 8 and 9 cloud, 10 cirrus, 11 snow (Sentinel-2 L2A product definition).
inline std::optional<float> scl_visibility(std::int64_t v) {
  switch (v) {
    case 0:
      return no_data;
    case 1:
    case 3:
    case 8:
    case 9:
    case 10:
      return 0.f;
    case 7:
      return .6f;  // often the thin rim of a cloud: open, with little weight
    case 2:
    case 4:
    case 5:
    case 6:
    case 11:
      return 1.f;
    default:
      return std::nullopt;
  }
}

/// Landsat collection 2 (LSDS-1619): bit 0 fill, 1 dilated cloud, 2 cirrus, 3 cloud, 4 cloud shadow.
inline float qa_pixel_visibility(std::int64_t v) { return v & 1 ? no_data : v & 0x1e ? 0.f : 1.f; }

/// Landsat collection 1 OLI (LSDS-1873): bit 0 fill, 4 cloud, 5-6 cloud confidence, 7-8 shadow, 11-12 cirrus; 3 = high.
inline float bqa_visibility(std::int64_t v) {
  if (v & 1) return no_data;
  const auto high = [v](int bit) { return (v >> bit & 3) == 3; };
  return v & 16 || high(5) || high(7) || high(11) ? 0.f : 1.f;
}

}  // namespace detail

/// Visibility of one value. `hides` is the binary mask's value that hides; `scale` makes a probability of the value.
/// Nothing where the value is not one of the kind's.
inline std::optional<float> visibility_of(mask_kind kind, double value, double hides, double scale) {
  if (std::isnan(value)) return detail::no_data;
  const bool whole = value == std::floor(value) && value >= 0 && value < 65536;
  const auto bits = whole ? static_cast<std::int64_t>(value) : std::int64_t{-1};
  switch (kind) {
    case mask_kind::visibility:
    case mask_kind::probability: {
      const double v = value * scale;
      if (!(v >= 0 && v <= 1 + 1e-6)) return std::nullopt;
      const double seen = kind == mask_kind::visibility ? v : 1 - v;
      return static_cast<float>(std::clamp(seen, 0., 1.));
    }
    case mask_kind::binary:
      return value == hides ? 0.f : 1.f;
    case mask_kind::scl:
      return detail::scl_visibility(bits);
    case mask_kind::qa60:
      if (!whole) return std::nullopt;
      return bits & 0xc00 ? 0.f : 1.f;
    case mask_kind::qa_pixel:
      if (!whole) return std::nullopt;
      return detail::qa_pixel_visibility(bits);
    case mask_kind::bqa:
      if (!whole) return std::nullopt;
      return detail::bqa_visibility(bits);
  }
  return std::nullopt;
}

/// hidden [H, W] becomes 1 where visibility is below `below` within `margin` pixels (a disc), or where there is no
/// data; data that is missing has no margin. `hard` [H, W] is scratch.
inline void hide_with_margin(const float* visibility, grid g, double below, index_t margin, std::uint8_t* hidden,
                             std::uint8_t* hard) noexcept {
  for (index_t i = 0; i < g.size(); ++i) {
    hard[i] = static_cast<double>(visibility[i]) < below;
    hidden[i] = hard[i] != 0 || std::isnan(visibility[i]);
  }
  for (index_t h = 0; h < g.height; ++h)
    for (index_t w = 0; w < g.width; ++w) {
      if (hard[h * g.width + w] == 0) continue;
      const bool inside = h > 0 && w > 0 && h + 1 < g.height && w + 1 < g.width && hard[(h - 1) * g.width + w] &&
                          hard[(h + 1) * g.width + w] && hard[h * g.width + w - 1] && hard[h * g.width + w + 1];
      if (inside) continue;  // its disc is that of its neighbours, but for pixels that are hidden already
      for (index_t y = std::max<index_t>(0, h - margin); y <= std::min(g.height - 1, h + margin); ++y)
        for (index_t x = std::max<index_t>(0, w - margin); x <= std::min(g.width - 1, w + margin); ++x)
          if ((y - h) * (y - h) + (x - w) * (x - w) <= margin * margin) hidden[y * g.width + x] = 1;
    }
}

}  // namespace unmask::inline UNMASK_ABI::clouds
