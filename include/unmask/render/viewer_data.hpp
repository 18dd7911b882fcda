#pragma once

/// What the script of a page to look at cubes needs besides the values, as JSON.

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "colour_map.hpp"
#include "points.hpp"
#include "viewer_input.hpp"
#include "viewer_values.hpp"

namespace unmask::inline UNMASK_ABI::render {

namespace detail {

struct viewer_parts {
  std::vector<packed_cube> packed;
  array_view<const float, 3> shown;  ///< the first cube as the page has it
  index_t mean_over = 1;
};

/// Bands shown as red, green and blue to begin with: the nearest to 620, 545 and 460 nm where these are spanned.
inline std::array<index_t, 3> first_bands(const std::vector<double>& nm, index_t bands) {
  std::array<index_t, 3> chosen{bands * 5 / 6, bands / 2, bands / 6};
  if (nm.empty()) return chosen;
  const auto [lo, hi] = std::minmax_element(nm.begin(), nm.end());
  const std::array<double, 3> wanted{620, 545, 460};
  if (!(*lo <= wanted[2] + 20 && *hi >= wanted[0] - 20)) return chosen;
  for (std::size_t i = 0; i < 3; ++i) {
    const double at = wanted[i];
    const auto nearest = std::min_element(nm.begin(), nm.end(),
                                          [at](double a, double b) { return std::abs(a - at) < std::abs(b - at); });
    chosen[i] = nearest - nm.begin();
  }
  return chosen;
}

inline std::string viewer_json(const viewer_input& input, const viewer_parts& parts, const colour_weights& weights) {
  const auto list = [](const auto& items, auto&& text) {
    std::string out = "[";
    for (const auto& item : items) cat(out, out.size() > 1 ? "," : "", text(item));
    return out + "]";
  };
  const auto quoted = [](rgb8 colour) { return "\"" + hex_colour(colour) + "\""; };
  const index_t bands = parts.shown.extent(2);
  std::vector<double> white;
  std::vector<rgb8> tint, scale;
  for (index_t c = 0; c < bands; ++c) {
    const tensor<float, 2> plane = band_plane(parts.shown, c);
    const double top = percentile(std::vector<float>(plane.begin(), plane.end()), 99.5);
    white.push_back(top > 0 ? top : 1);
    const auto colour = input.wavelengths.empty() ? std::optional<rgb8>()
                                                  : wavelength_colour(input.wavelengths[static_cast<std::size_t>(c)]);
    tint.push_back(colour.value_or(rgb8{255, 255, 255}));
  }
  for (int i = 0; i < 256; ++i) scale.push_back(heat(i / 255.0));
  std::vector<index_t> pins;
  for (const marked_point p : choose_points(parts.shown, 3)) pins.push_back(p.row * parts.shown.extent(1) + p.column);
  const auto& whole = input.cubes.front().cube;
  std::string out = "{\"height\":";
  cat(out, std::to_string(parts.shown.extent(0)), ",\"width\":", std::to_string(parts.shown.extent(1)),
      ",\"bands\":", std::to_string(bands), ",\"block\":", std::to_string(parts.mean_over),
      ",\"file\":", json_array(std::vector<index_t>{whole.extent(0), whole.extent(1)}),
      ",\"nm\":", json_array(input.wavelengths), ",\"turned\":", input.rotate180 ? "true" : "false",
      ",\"rule\":", json_string(colour_rule(weights)),
      ",\"exposure\":", json_number(exposure_of(parts.shown, weights)));
  cat(out, ",\"weights\":", list(weights.band, [](const triple& w) { return json_array(w); }),
      ",\"white\":", json_array(white), ",\"tint\":", list(tint, quoted), ",\"heat\":", list(scale, quoted),
      ",\"rgb\":", json_array(first_bands(input.wavelengths, bands)), ",\"pins\":", json_array(pins), ",\"cubes\":[");
  for (std::size_t k = 0; k < parts.packed.size(); ++k)
    cat(out, k ? "," : "", "{\"name\":", json_string(input.cubes[k].name), ",\"lo\":", json_number(parts.packed[k].lo),
        ",\"hi\":", json_number(parts.packed[k].hi), "}");
  return out + "]}";
}

}  // namespace detail

}  // namespace unmask::inline UNMASK_ABI::render
