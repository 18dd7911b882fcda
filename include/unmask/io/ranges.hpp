#pragma once

/// The ranges that numbers are declared to have, and the refusal of those that have another: 8-bit counts in a mask
/// cost 16 dB, two 16-bit cubes clipped to 0..1 are equal, and nothing else would show it.
///
///   cube  0..1, reflectance or radiance relative to full scale; noise and overshoot up to `cube_slack` beyond; what
///         counts as the truth is not black everywhere
///   mask  0..1, the share of light that a cell lets through; not the same everywhere, not dark

#include <algorithm>
#include <cstdio>
#include <string>

#include "../core/result.hpp"
#include "../core/view.hpp"

namespace unmask::inline UNMASK_ABI::io {

struct value_range {
  float lowest = 0, largest = 0;

  void include(float x) {
    lowest = (std::min)(lowest, x);
    largest = (std::max)(largest, x);
  }
};

/// Of finite values, at least one.
inline value_range range_of(const float* values, index_t count) {
  value_range r{values[0], values[0]};
  for (index_t i = 1; i < count; ++i) r.include(values[i]);
  return r;
}

inline constexpr float cube_slack = .05f;  ///< of what is taken for the truth
/// A truth whose brightest value is less is 0 everywhere in 8 bits: it is on another scale.
inline constexpr float darkest_cube = .5f / 255;
inline constexpr float estimate_slack = 9;  ///< of an estimate: a poor one overshoots, percent or counts go further
inline constexpr float measurement_slack = .5f;  ///< of a measurement that says its unit, in bands
inline constexpr float mask_slack = .1f;         ///< of a measured mask, which is a quotient of two pictures
inline constexpr float darkest_mask = .02f;  ///< a mask whose brightest cell lets less through is dark or mis-scaled

namespace detail {

inline std::string range_text(const value_range& r) {
  char text[80];
  std::snprintf(text, sizeof text, "values of %g to %g", static_cast<double>(r.lowest), static_cast<double>(r.largest));
  return text;
}

/// The scales that cameras and file formats use, for the hint.
inline std::string likely_full_scale(float largest) {
  for (const int scale : {100, 255, 1023, 4095, 10000, 16383, 65535})
    if (largest <= static_cast<float>(scale) && largest > static_cast<float>(scale) / 8) return std::to_string(scale);
  return "N";
}

}  // namespace detail

/// `what`: "scene.h5: variable 'cube'". `slack`: how far values may lie outside 0..1.
inline result<> check_cube_range(const std::string& what, const value_range& r, float slack = cube_slack) {
  if (!(r.lowest >= -slack && r.largest <= 1 + slack))
    return error(errc::wrong_value, what + " has " + detail::range_text(r) + ", expected 0..1 (--full-scale " +
                                        detail::likely_full_scale(r.largest) +
                                        " divides, or store the attribute "
                                        "'full_scale' with it)");
  if (!(r.largest > 0)) return error(errc::wrong_value, what + " has no value above 0");
  if (slack <= cube_slack && !(r.largest >= darkest_cube))
    return error(errc::wrong_value, what + " has " + detail::range_text(r) +
                                        ", which is black in 8 bits, expected 0..1 (--full-scale with the stored value "
                                        "that means 1)");
  return {};
}

inline result<> check_mask_range(const std::string& what, const value_range& r) {
  if (!(r.lowest >= -mask_slack && r.largest <= 1 + mask_slack))
    return error(errc::wrong_value,
                 what + " has " + detail::range_text(r) + ", expected a mask in the range 0..1 (divide it by " +
                     detail::likely_full_scale(r.largest) + ", or store it with the attribute 'full_scale')");
  if (!(r.largest >= darkest_mask))
    return error(errc::wrong_value, what + " has " + detail::range_text(r) +
                                        ": a mask of which the largest value is 1, where light passes, was expected");
  if (!(r.largest > r.lowest))
    return error(errc::wrong_value, what + " has " + detail::range_text(r) +
                                        ", the same everywhere: a coded mask has a pattern in the range 0..1");
  return {};
}

}  // namespace unmask::inline UNMASK_ABI::io
