#pragma once

/// The check of `--step`, with what to do where a camera does not fit the model.

#include <CLI/CLI.hpp>
#include <string>

namespace program {

/// Whole pixels from `lowest` to 64.
inline CLI::Validator dispersion_step(int lowest) {
  return CLI::Validator(
      [lowest](std::string& text) -> std::string {
        const std::string range = "expected whole pixels, " + std::to_string(lowest) + " to 64";
        double step = 0;
        if (!CLI::detail::lexical_cast(text, step)) return "found " + text + ", " + range;
        if (step < 0) return "found " + text + ", " + range + " (light that moves to the left: flip snapshot and mask)";
        if (!(step <= 64 && step >= lowest)) return "found " + text + ", " + range;
        if (step != static_cast<int>(step))
          return "found " + text + ", " + range + " (`unmask calibrate` finds where the bands really land)";
        return "";
      },
      "PIXELS");
}

}  // namespace program
