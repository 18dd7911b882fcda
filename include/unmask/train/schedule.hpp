#pragma once

/// Learning rate over the steps: a linear warm-up to `peak`, then half a cosine down to `floor`, which stays.
///   step < warm_up:  peak (step + 1) / warm_up
///   later:           floor + (peak - floor) (1 + cos(pi t)) / 2,  t = (step - warm_up) / (steps - warm_up), at most 1

#include <algorithm>
#include <cmath>
#include <string>

#include "../core/finite.hpp"
#include "../core/result.hpp"
#include "../core/view.hpp"

namespace unmask::inline UNMASK_ABI::train {

struct cosine_schedule {
  double peak = 4e-4;  ///< the field's choice (MST, TSA-Net, HDNet)
  double floor = 1e-6;
  index_t warm_up = 0;   ///< steps
  index_t steps = 1000;  ///< at which the floor is reached, warm-up included

  /// The rate of the step with this number; the first is 0.
  double operator()(index_t step) const {
    if (step < warm_up) return peak * static_cast<double>(step + 1) / static_cast<double>(warm_up);
    const auto length = static_cast<double>(std::max<index_t>(steps - warm_up, 1));
    const double t = std::min(1., static_cast<double>(step - warm_up) / length);
    return floor + (peak - floor) * .5 * (1 + std::cos(3.14159265358979323846 * t));
  }
};

inline result<> check(const cosine_schedule& s) {
  const auto bad = [](const std::string& what) { return error(errc::bad_argument, "schedule: " + what); };
  if (!(s.peak > 0) || !is_finite(s.peak)) return bad("peak is " + std::to_string(s.peak) + ", expected > 0");
  if (!(s.floor >= 0 && s.floor <= s.peak)) return bad("floor is " + std::to_string(s.floor) + ", expected 0..peak");
  if (s.steps < 1) return bad("steps is " + std::to_string(s.steps) + ", expected >= 1");
  if (s.warm_up < 0 || s.warm_up > s.steps)
    return bad("warm_up is " + std::to_string(s.warm_up) + ", expected 0.." + std::to_string(s.steps));
  return {};
}

}  // namespace unmask::inline UNMASK_ABI::train
