#pragma once

/// The range that reflectance is declared to have, told by many pixels at once: clouds and glint go beyond 1, a wrong
/// scale moves the middle.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "context.hpp"

namespace program {

/// Reflectance below this is none: a no-data value that nobody declared.
inline constexpr float least_reflectance = -1;
/// An image whose median is above, or whose largest value is below, is on another scale.
inline constexpr float most_usual = 1.5f, least_bright = .01f;

/// What is wrong with reflectance; empty where nothing is. NaN, which has no data, does not count.
inline std::string off_scale(const float* values, index_t count) {
  float lowest = 0, largest = 0;
  std::vector<float> some;
  const index_t step = count / 100000 + 1;
  for (index_t i = 0; i < count; ++i) {
    if (std::isnan(values[i])) continue;
    lowest = std::min(lowest, values[i]), largest = std::max(largest, values[i]);
    if (i % step == 0) some.push_back(values[i]);
  }
  if (some.empty()) return "";
  char text[200];
  if (!(lowest >= least_reflectance)) {
    std::snprintf(text, sizeof text, "reflectance goes down to %g: say \"nodata\", or another \"offset\"",
                  static_cast<double>(lowest));
    return text;
  }
  std::nth_element(some.begin(), some.begin() + static_cast<index_t>(some.size() / 2), some.end());
  const float middle = some[some.size() / 2];
  if (middle <= most_usual && largest >= least_bright) return "";
  std::snprintf(text, sizeof text,
                "reflectance of %g to %g with a median of %g, expected about 0 to 1: digit x scale + offset",
                static_cast<double>(lowest), static_cast<double>(largest), static_cast<double>(middle));
  return text;
}

}  // namespace program
