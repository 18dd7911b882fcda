#pragma once

/// The two files of a snapshot, open and checked against each other, and the unit of the measurement. Values are read
/// as a whole or by rows.

#include <algorithm>
#include <unmask/io/plane_rows.hpp>
#include <unmask/optics/exposure.hpp>

#include "context.hpp"

namespace program {

using unmask::optics::exposure;

struct exposure_choice {
  std::string mode = "auto";  ///< auto, camera, none
  double full_scale = unmask::optics::usual_full_scale;
};

struct snapshot_files {
  unmask::io::plane_rows measurement, mask;
  unmask::optics::cassi_geometry geometry;

  static result<snapshot_files> open(const std::string& measurement, const std::string& mask, index_t bands,
                                     index_t step) {
    auto y = unmask::io::plane_rows::open_measurement(unmask::io::parse_source(measurement));
    if (!y) return y.error();
    auto m = unmask::io::plane_rows::open_mask(unmask::io::parse_source(mask));
    if (!m) return m.error();
    if (bands == 0) {
      const auto inferred = unmask::optics::infer_bands(y->width(), m->width(), step);
      if (!inferred) return error(inferred.error().code(), measurement + ": " + inferred.error().message());
      bands = *inferred;
    }
    const auto g = unmask::optics::check_cassi(y->extents(), m->extents(), bands, step);
    if (!g) return error(g.error().code(), measurement + " with " + mask + ": " + g.error().message());
    return snapshot_files{std::move(*y), std::move(*m), *g};
  }

  bool known_unit() const {
    for (const auto& [name, text] : measurement.variable().attributes)
      if (name == "unit" && text.find("mask * cube") != std::string::npos) return true;
    return false;
  }

  /// `top`: the largest value of the measurement.
  result<exposure> expose(const exposure_choice& choice, const std::string& name, float top) const {
    if (choice.mode == "none" || (choice.mode == "auto" && known_unit())) return exposure{};
    return unmask::optics::camera_exposure(top, geometry.bands, choice.full_scale, name);
  }
};

/// The largest value of a plane, read a few rows at a time; a value that is not finite is an error.
inline result<float> largest_value(const unmask::io::plane_rows& plane) {
  constexpr index_t rows = 64;
  float top = 0;
  for (index_t h = 0; h < plane.height(); h += rows) {
    const auto part = plane.read(h, std::min(rows, plane.height() - h));
    if (!part) return part.error();
    top = std::max(top, *std::max_element(part->begin(), part->end()));
  }
  return top;
}

}  // namespace program
