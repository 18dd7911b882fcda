#pragma once

/// The two files of a snapshot, open and checked against each other, and the unit of the measurement. Values are read
/// as a whole or by rows.

#include <algorithm>
#include <unmask/io/plane_rows.hpp>

#include "context.hpp"

namespace program {

/// From a file's values to the units of the network. Simulated files say their unit; a camera's counts are brought to
/// the field's scale for real snapshots: negative values to 0, divided by the maximum, times 0.8.
struct exposure {
  bool camera = false;
  float gain = 1;
  std::string text = "as stored";

  void apply(tensor<float, 2>& y) const {
    if (!camera) return;
    for (float& v : y) v = std::max(v, 0.f) * gain;
  }
};

struct exposure_choice {
  std::string mode = "auto";  ///< auto, camera, none
  double full_scale = .8;
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
    if (!(top > 0)) return error(errc::wrong_value, name + ": no value above 0");
    char text[128];
    std::snprintf(text, sizeof text, "clipped at 0, divided by its maximum %g, times %g (full scale = C/2)",
                  static_cast<double>(top), choice.full_scale);
    // the network's input is y 2 / C: full scale there is C / 2 here
    return exposure{true, static_cast<float>(choice.full_scale * static_cast<double>(geometry.bands) / 2) / top, text};
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
