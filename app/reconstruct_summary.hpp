#pragma once

/// What `unmask reconstruct` says before and after the work, for people and as JSON.

#include <cmath>

#include "context.hpp"
#include "memory.hpp"

namespace program {

struct reconstruct_outcome {
  std::string method;
  double seconds = 0, reprojection = 0;
};

struct reconstruct_summary {
  nlohmann::json json;

  void announce(const context& c, const std::string& measurement, const unmask::optics::cassi_geometry& g,
                const std::string& exposure) {
    c.say("%s: %td x %td, %td bands, step %td; %s\n", measurement.c_str(), g.height, g.measurement_width(), g.bands,
          g.step, exposure.c_str());
  }

  /// `planned`: bytes of the whole process.
  void plan(const context& c, double planned, const std::string& tiles = "") {
    c.say("memory: %.1f MB planned%s\n", planned / 1e6, tiles.c_str());
    json["memory"]["planned_bytes"] = std::llround(planned);
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
