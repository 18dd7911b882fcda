#pragma once

/// The two files of a snapshot, checked against each other, and the unit of the measurement.

#include <algorithm>
#include <unmask/io/ranges.hpp>
#include <unmask/io/untrusted.hpp>
#include <unmask/optics/exposure.hpp>

#include "dispersion_options.hpp"

namespace program {

using unmask::optics::exposure;

struct exposure_choice {
  std::string mode = "auto";  ///< auto, camera, none
  double full_scale = unmask::optics::usual_full_scale;
};

/// What a command reads of a snapshot.
struct snapshot_choice {
  std::string measurement, mask;
  index_t bands = 0;  ///< 0: told from the widths
  dispersion_choice dispersion{};
  bool untrusted = false;  ///< in child processes with limits
};

inline result<unmask::io::plane_rows> open_rows(const std::string& spec, const unmask::io::name_list& names,
                                                bool untrusted) {
  const auto from = unmask::io::parse_source(spec);
  return untrusted ? unmask::io::open_rows_untrusted(from, names) : unmask::io::plane_rows::open(from, names);
}

/// How far below 0 a measurement may reach, in its largest value: what is left of dark current and read noise.
inline constexpr float most_negative = .25f;

inline std::string shape(const unmask::io::plane_rows& plane) {
  return "[" + unmask::io::detail::shape_text(plane.extents()) + "]";
}

struct snapshot_files {
  unmask::io::plane_rows measurement;
  tensor<float, 2> mask;
  unmask::optics::cassi_geometry geometry;
  unmask::io::wavelength_list wavelengths;  ///< that the measurement's file has; empty: it says nothing

  /// Errors beside those of the files: a number of bands that cannot be told, a snapshot that is dispersed another way
  /// or by another step, wavelengths of another count, a mask with values that are none. The mask is read, the
  /// measurement not yet.
  static result<snapshot_files> open(const snapshot_choice& from) {
    const auto& [measurement, mask, bands_asked, dispersion, untrusted] = from;
    auto y = open_rows(measurement, {"meas_real", "measurement", "meas"}, untrusted);
    if (!y) return y.error();
    auto m = open_rows(mask, {"mask"}, untrusted);
    if (!m) return m.error();
    const auto bands = count_bands(from, *y, *m);
    if (!bands) return bands.error();
    const auto g = unmask::optics::check_cassi(y->extents(), m->extents(), *bands, dispersion.step, dispersion.way());
    if (!g) return error(g.error().code(), measurement + " with " + mask + ": " + g.error().message());
    if (auto ok = check_said(measurement, y->variable(), dispersion, *bands); !ok) return ok.error();
    const std::string path = unmask::io::parse_source(measurement).path;
    auto list = untrusted ? unmask::io::read_wavelengths_untrusted(path, y->variable().name, g->bands)
                          : unmask::io::read_wavelengths(path, y->variable().name, g->bands);
    if (!list) return list.error();
    auto values = m->read();
    if (!values) return values.error();
    if (auto fine = unmask::io::check_mask_range(mask + ": variable '" + m->variable().name + "' (the mask)",
                                                 unmask::io::range_of(values->data(), values->size()));
        !fine)
      return fine.error();
    return snapshot_files{std::move(*y), std::move(*values), *g, std::move(*list)};
  }

  /// The number that was asked for, or that the two sizes tell.
  static result<index_t> count_bands(const snapshot_choice& from, const unmask::io::plane_rows& y,
                                     const unmask::io::plane_rows& m) {
    const bool rows = unmask::along_rows(from.dispersion.way());
    const char *side = rows ? "width" : "height", *longer = rows ? "higher" : "wider";
    const index_t across_y = rows ? y.height() : y.width(), across_m = rows ? m.height() : m.width();
    const index_t along_y = rows ? y.width() : y.height(), along_m = rows ? m.width() : m.height();
    if (along_y == along_m && across_y > across_m)
      return error(errc::wrong_shape, from.measurement + ": " + shape(y) + " is " + longer + " than the mask " +
                                          shape(m) + ", so bands seem to land " +
                                          (rows ? "below each other (--dispersion down or up)"
                                                : "beside each other (--dispersion right or left)"));
    if (from.bands != 0) return from.bands;
    if (along_y == along_m)
      return error(errc::wrong_shape, from.measurement + ": " + shape(y) + " has the " + side + " of the mask " +
                                          shape(m) +
                                          ", a snapshot of many bands has more: it was cropped, or has "
                                          "one band (--band-count 1)");
    const auto inferred = unmask::optics::infer_bands(along_y, along_m, from.dispersion.step, side);
    if (!inferred) return error(inferred.error().code(), from.measurement + ": " + inferred.error().message());
    return *inferred;
  }

  /// Errors: a file that says another step or direction than was asked for.
  static result<> check_said(const std::string& measurement, const unmask::io::variable_info& variable,
                             const dispersion_choice& asked, index_t bands) {
    for (const auto& [name, text] : variable.attributes) {
      if (name == "step" && text != std::to_string(asked.step) && std::strtod(text.c_str(), nullptr) > 0)
        return error(errc::wrong_value, measurement + ": says that it was taken with a dispersion step of " +
                                            unmask::io::detail::printable(text, 20) + ", expected " +
                                            std::to_string(asked.step) + " (--step), which makes " +
                                            std::to_string(bands) + " bands of it");
      if (name == "dispersion" && text != asked.direction)
        return error(errc::wrong_value, measurement + ": says that it was taken with dispersion '" +
                                            unmask::io::detail::printable(text, 20) + "', expected '" +
                                            asked.direction + "' (--dispersion)");
    }
    return {};
  }

  bool known_unit() const {
    for (const auto& [name, text] : measurement.variable().attributes)
      if ((name == "unit" || name == "units") && text.find("mask * cube") != std::string::npos) return true;
    return false;
  }

  /// Errors: a measurement that no camera took through a coded mask.
  result<exposure> expose(const exposure_choice& choice, const std::string& name, unmask::io::value_range range) const {
    const float top = range.largest;
    if (!(top > 0)) return error(errc::wrong_value, name + ": no value above 0");
    if (!(range.lowest < top))
      return error(errc::wrong_value, name + ": all values are " + unmask::io::detail::number_text(double{top}) +
                                          ": a snapshot through a coded mask has a pattern");
    if (choice.mode == "auto" && !(range.lowest >= -most_negative * top))
      return error(errc::wrong_value, name + ": " + unmask::io::detail::range_text(range) +
                                          ", more below 0 than noise of a sensor (--exposure camera clips at 0, none "
                                          "takes them as they are)");
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

/// Share of values that are exactly the largest one: light beyond what the sensor can count is cut off there.
inline double saturated_share(const tensor<float, 2>& y, float top) {
  return static_cast<double>(std::count(y.begin(), y.end(), top)) / static_cast<double>(y.size());
}

}  // namespace program
