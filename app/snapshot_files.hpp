#pragma once

/// The two files of a snapshot, open and checked against each other, and the unit of the measurement. Values are read
/// as a whole or by rows.

#include <algorithm>
#include <unmask/io/plane_rows.hpp>
#include <unmask/io/ranges.hpp>
#include <unmask/io/wavelengths.hpp>
#include <unmask/optics/exposure.hpp>

#include "context.hpp"

namespace program {

using unmask::optics::exposure;

struct exposure_choice {
  std::string mode = "auto";  ///< auto, camera, none
  double full_scale = unmask::optics::usual_full_scale;
};

/// The range of a plane, read a few rows at a time; a value that is not finite is an error.
inline result<unmask::io::value_range> range_of(const unmask::io::plane_rows& plane) {
  constexpr index_t rows = 64;
  unmask::io::value_range range;
  for (index_t h = 0; h < plane.height(); h += rows) {
    const auto part = plane.read(h, std::min(rows, plane.height() - h));
    if (!part) return part.error();
    const auto here = unmask::io::range_of(part->data(), part->size());
    if (h == 0) range = here;
    range.include(here.lowest);
    range.include(here.largest);
  }
  return range;
}

inline std::string shape(const unmask::io::plane_rows& plane) {
  return "[" + unmask::io::detail::shape_text(plane.extents()) + "]";
}

struct snapshot_files {
  unmask::io::plane_rows measurement, mask;
  unmask::optics::cassi_geometry geometry;
  unmask::io::wavelength_list wavelengths;  ///< that the measurement's file has; empty: it says nothing

  /// Errors beside those of the files: a number of bands that cannot be told, a snapshot that is dispersed along rows,
  /// wavelengths of another count, a mask with values that are none.
  static result<snapshot_files> open(const std::string& measurement, const std::string& mask, index_t bands,
                                     index_t step) {
    auto y = unmask::io::plane_rows::open_measurement(unmask::io::parse_source(measurement));
    if (!y) return y.error();
    auto m = unmask::io::plane_rows::open_mask(unmask::io::parse_source(mask));
    if (!m) return m.error();
    if (y->width() == m->width() && y->height() > m->height())
      return error(errc::wrong_shape, measurement + ": " + shape(*y) + " is higher than the mask " + shape(*m) +
                                          ": light seems to be dispersed along rows; transpose both");
    if (bands == 0 && y->width() == m->width())
      return error(errc::wrong_shape, measurement + ": " + shape(*y) + " is as wide as the mask " + shape(*m) +
                                          ", a snapshot of many bands is wider: it was cropped, or has one band "
                                          "(--band-count 1)");
    if (bands == 0) {
      const auto inferred = unmask::optics::infer_bands(y->width(), m->width(), step);
      if (!inferred) return error(inferred.error().code(), measurement + ": " + inferred.error().message());
      bands = *inferred;
    }
    const auto g = unmask::optics::check_cassi(y->extents(), m->extents(), bands, step);
    if (!g) return error(g.error().code(), measurement + " with " + mask + ": " + g.error().message());
    auto list = unmask::io::read_wavelengths(unmask::io::parse_source(measurement).path, y->variable().name, g->bands);
    if (!list) return list.error();
    const auto range = range_of(*m);
    if (!range) return range.error();
    if (auto fine = unmask::io::check_mask_range(mask + ": variable '" + m->variable().name + "' (the mask)", *range);
        !fine)
      return fine.error();
    return snapshot_files{std::move(*y), std::move(*m), *g, std::move(*list)};
  }

  bool known_unit() const {
    for (const auto& [name, text] : measurement.variable().attributes)
      if (name == "unit" && text.find("mask * cube") != std::string::npos) return true;
    return false;
  }

  /// `top`: the largest value of the measurement.
  result<exposure> expose(const exposure_choice& choice, const std::string& name, float top) const {
    if (!(top > 0)) return error(errc::wrong_value, name + ": no value above 0");
    const auto most = static_cast<float>(geometry.bands) * (1 + unmask::io::measurement_slack);
    if (choice.mode == "auto" && known_unit() && !(top <= most))
      return error(errc::wrong_value, name + ": says that it is a sum of mask * cube, but has a value of " +
                                          unmask::io::detail::number_text(static_cast<double>(top)) + " for " +
                                          std::to_string(geometry.bands) +
                                          " bands of 0..1 (--exposure camera or none)");
    if (choice.mode == "none" || (choice.mode == "auto" && known_unit())) return exposure{};
    return unmask::optics::camera_exposure(top, geometry.bands, choice.full_scale, name);
  }
};

/// The largest value of a plane, at least 0.
inline result<float> largest_value(const unmask::io::plane_rows& plane) {
  const auto range = range_of(plane);
  if (!range) return range.error();
  return std::max(range->largest, 0.f);
}

}  // namespace program
