#pragma once

/// What a run found in its own numbers, as a value that takes no heap, and as a sentence.

#include <cmath>
#include <cstdio>
#include <string>
#include <string_view>

#include "../models/model.hpp"
#include "options.hpp"

namespace unmask::inline UNMASK_ABI {

/// A NaN or an infinity ends a run where it is found, and so does progress that returns false; the cube is then of no
/// use.
struct run_outcome {
  bool finite = true;
  reconstruct_stage stage = reconstruct_stage::estimate;  ///< in which it was found
  index_t part = 0, of = 0;  ///< iteration, pass or tile of that stage, from 1; 0: a stage of one part
  bool stopped = false;

  explicit operator bool() const { return finite && !stopped; }
};

/// The steps that a scene is given after its estimate.
struct step_choice {
  bool network = true;
  index_t passes = 0;    ///< of refinement, at most; fewer are taken the noisier a measurement is
  bool stopped = false;  ///< before it was found
};

/// The noisier the measurement, the fewer passes: each explains more of the noise too.
inline index_t passes_of(index_t refinements, float certainty) {
  return static_cast<index_t>(std::lround(static_cast<float>(refinements) * certainty));
}

/// What people call the estimate.
inline std::string_view estimate_name(initial_kind kind) {
  switch (kind) {
    case initial_kind::gap_tv:
    case initial_kind::gap_tv_camera:
      return "GAP-TV";
    case initial_kind::spectral_tv:
      return "spectral TV";
    default:
      return "HM";
  }
}

/// "spectral TV, iteration 3 of 10", "network", "refinement, pass 2 of 6", "network, tile 3 of 12".
inline std::string place_of(const run_outcome& o, initial_kind kind) {
  const auto part = [&](const std::string& name, const char* unit) {
    return o.part == 0 ? name : name + ", " + unit + std::to_string(o.part) + " of " + std::to_string(o.of);
  };
  switch (o.stage) {
    case reconstruct_stage::measurement:
      return "measurement";
    case reconstruct_stage::check:
      return "hold-out check";
    case reconstruct_stage::network:
      return "network";
    case reconstruct_stage::refinement:
      return part("refinement", "pass ");
    case reconstruct_stage::tiles:
      return part("network", "tile ");
    default:
      return part(std::string(estimate_name(kind)), "iteration ");
  }
}

}  // namespace unmask::inline UNMASK_ABI
