#pragma once

/// What `unmask reconstruct` says before and after the work, for people and as JSON.

#include <algorithm>
#include <cmath>

#include "dispersion_options.hpp"
#include "memory.hpp"
#include "methods.hpp"

namespace program {

struct reconstruct_outcome {
  std::string method;
  double seconds = 0, reprojection = 0;
};

/// Errors |A x - y| / |y| beyond which a result has little to do with its snapshot. Noise of cameras is 1 to 5 % of a
/// snapshot; what explains the measurement leaves little more (right masks: up to 6 %, most wrong ones: 8 to 17 %).
/// What smooths on purpose, or is a network's guess, leaves 5 to 10 % by itself (docs/reliability.md).
inline constexpr double most_unexplained = .08, most_smoothed = .2;
/// Half of a cube's values are below 1 in any scene that was exposed right.
inline constexpr double most_usual_value = 1;
/// Share of a snapshot's values that are the largest one.
inline constexpr double most_saturated = .01;
/// Share of the brightness that follows the mask's pattern: right masks leave up to .1, wrong ones .25 to .95.
inline constexpr double most_traced = .2;

/// Which of them counts: a method explains the measurement as well as noise lets it, or it does not.
inline double most_left(const std::string& method, initial_kind start, index_t refinements) {
  if (start == initial_kind::gap_tv_camera || start == initial_kind::hm) return most_smoothed;
  const bool refined = start == initial_kind::spectral_tv && refinements > 0;
  return refined || method == method_name(start, false) ? most_unexplained : most_smoothed;
}

/// What went wrong with the numbers, with the file that they came from.
inline error of_measurement(const error& e, const std::string& measurement) {
  return e.code() == errc::not_finite ? error(e.code(), measurement + ": " + e.message() + "; nothing was written") : e;
}

struct reconstruct_summary {
  nlohmann::json json;

  void announce(const context& c, const std::string& measurement, const unmask::optics::cassi_geometry& g,
                const std::string& exposure) {
    const auto size = g.measurement_extents();
    c.say("%s: %td x %td, %td bands, step %td%s; %s\n", measurement.c_str(), size[0], size[1], g.bands, g.step,
          to_the(g.direction).c_str(), exposure.c_str());
  }

  /// What is no error but may make the result worthless: a line on stderr, and an entry of `warnings`.
  void warn(const std::string& text) {
    std::fprintf(stderr, "unmask: warning: %s\n", text.c_str());
    json["warnings"].push_back(text);
  }

  /// `planned`: bytes of the whole process.
  void plan(const context& c, double planned, const std::string& tiles = "") {
    c.say("memory: %.1f MB planned%s\n", planned / 1e6, tiles.c_str());
    json["memory"]["planned_bytes"] = std::llround(planned);
  }

  /// `saturated`: the share of a snapshot's values that are the largest one.
  void judge_exposure(const std::string& measurement, double saturated) {
    if (!(saturated > most_saturated)) return;
    char text[160];
    std::snprintf(text, sizeof text, ": %.1f %% of the values are the largest one: the snapshot seems saturated",
                  100 * saturated);
    warn(measurement + text);
  }

  /// Shares of the brightness that follow the pattern of the mask, and of one that the snapshot has never seen.
  void trace(const context& c, double trace, double chance) {
    if (trace > 0)  // else too small or too dark to tell
      c.say("%.1f %% of the brightness follows the mask's pattern, %.1f %% a mask that it has never seen\n",
            100 * trace, 100 * chance);
    json["mask_trace"] = trace;
    json["chance_trace"] = chance;
  }

  /// Whether a result is one, as far as measurement and mask can tell. `limit`: `most_unexplained` or `most_smoothed`.
  void judge(const std::string& out, double reprojection, double limit, double trace, double chance) {
    char text[320];
    if (!(reprojection <= limit)) {
      std::snprintf(
          text, sizeof text,
          ": the re-projection error is %.1f %%, far above noise (at most %.0f %%): is this the mask that took "
          "the snapshot, the same way up, with this step?",
          100 * reprojection, 100 * limit);
      warn(out + text);
    }
    if (trace > most_traced && trace > 2 * chance) {
      std::snprintf(
          text, sizeof text,
          ": %.0f %% of the brightness follows the mask's pattern: is this the mask that took the snapshot, the "
          "same way up?",
          100 * trace);
      warn(out + text);
    }
  }

  /// Which steps hold-out validation took, where there was a choice.
  void tell_steps(const context& c, const unmask::step_choice& taken, index_t refinements) {
    json["steps"] = {{"network", taken.network}, {"refinements", taken.passes}};
    if (!taken.network) c.say("hold-out check: the network does not help this scene and is left out\n");
    if (taken.passes < refinements)
      c.say("%td of %td steps of refinement (fewer where they do not help, or noise is large)\n", taken.passes,
            refinements);
  }

  /// A cube far beyond 0..1 has the scale of another mask or exposure. The middle counts: noise overshoots.
  void judge_range(const std::string& out, const tensor<float, 3>& cube) {
    std::vector<float> some;
    const index_t step = cube.size() / 100000 + 1;
    for (index_t i = 0; i < cube.size(); i += step) some.push_back(cube.data()[i]);
    std::nth_element(some.begin(), some.begin() + static_cast<index_t>(some.size() / 2), some.end());
    const double middle = static_cast<double>(some[some.size() / 2]);
    if (middle <= most_usual_value) return;
    char text[160];
    std::snprintf(text, sizeof text,
                  ": the median of its values is %.3g, expected 0 to 1: is the mask as bright as it should be (its "
                  "largest value 1), and the exposure right?",
                  middle);
    warn(out + text);
  }

  void conclude(const context& c, const std::string& out, const unmask::optics::cassi_geometry& g,
                const reconstruct_outcome& done) {
    const double peak = memory_in_use().peak;
    c.say("%s: %td x %td x %td by %s in %.2f s; re-projection error |A x - y| / |y| = %.4f; %.1f MB at most\n",
          out.c_str(), g.height, g.width, g.bands, done.method.c_str(), done.seconds, done.reprojection, peak / 1e6);
    json["memory"]["peak_bytes"] = std::llround(peak);
    json.update({{"out", out},
                 {"method", done.method},
                 {"seconds", done.seconds},
                 {"reprojection_error", done.reprojection},
                 {"height", g.height},
                 {"width", g.width},
                 {"bands", g.bands}});
  }
};

}  // namespace program
