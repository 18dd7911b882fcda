#pragma once

/// From the values of a snapshot's file to the unit that networks and solvers work in, y = sum over bands of mask *
/// cube. Simulated snapshots have it already. A camera's counts are brought to the field's scale for real snapshots:
/// negative values to 0, divided by the maximum, times 0.8 of the full scale, which in the network's input y 2 / C is 1
/// and here is C / 2.

#include <algorithm>
#include <cstdio>
#include <string>

#include "../core/result.hpp"
#include "../core/view.hpp"

namespace unmask::inline UNMASK_ABI::optics {

/// The factor 0.8 of the convention above.
inline constexpr double usual_full_scale = .8;

struct exposure {
  bool camera = false;  ///< counts of a camera, not a unit that is known
  float gain = 1;
  std::string text = "as stored";  ///< one line for people

  void apply(out<float, 2> y) const {
    if (!camera) return;
    for (float& v : y) v = std::max(v, 0.f) * gain;
  }
};

/// For counts whose largest is `top`, of a camera with so many bands. `name` is what the error calls the measurement.
/// Errors: `wrong_value` where no count is above 0.
inline result<exposure> camera_exposure(float top, index_t bands, double full_scale, const std::string& name) {
  if (!(top > 0)) return error(errc::wrong_value, name + ": no value above 0");
  char text[128];
  std::snprintf(text, sizeof text, "clipped at 0, divided by its maximum %g, times %g (full scale = C/2)",
                static_cast<double>(top), full_scale);
  return exposure{true, static_cast<float>(full_scale * static_cast<double>(bands) / 2) / top, text};
}

}  // namespace unmask::inline UNMASK_ABI::optics
