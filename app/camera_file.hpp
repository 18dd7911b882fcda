#pragma once

/// What `unmask calibrate` writes and `unmask reconstruct --mask` reads: the mask as the sensor sees it, and beside it
/// where the bands land, along the dispersion, and how far to trust the model. A mask without these is that of a camera
/// whose bands land at multiples of the step.

#include <unmask/io/hdf5_writer.hpp>
#include <unmask/io/untrusted.hpp>
#include <unmask/optics/calibrate.hpp>

#include "dispersion_options.hpp"

namespace program {

/// `found` is as if bands landed to the right; the file has the mask as the sensor sees it.
inline result<> write_camera(const std::string& path, const unmask::optics::calibration& found,
                             const std::string& direction) {
  const auto& alignment = found.alignment;
  const auto places = found.camera.positions();
  const std::vector<double> positions(places.begin(), places.end());
  const double weight = static_cast<double>(found.noise_weight);
  tensor<float, 2> mask(found.camera.mask().extents());
  std::copy(found.camera.mask().begin(), found.camera.mask().end(), mask.begin());
  mask = turned(mask, *unmask::dispersion_by_name(direction), turn::from_right);
  const auto number = [](const char* name, float v) { return unmask::io::attribute{name, static_cast<double>(v)}; };
  return unmask::io::hdf5_writer(path)
      .put("mask", mask.view(),
           {{"dispersion", direction},
            number("right", alignment.right),
            number("down", alignment.down),
            number("tall", alignment.tall),
            number("wide", alignment.wide),
            number("blur", alignment.blur),
            number("edge_blur", alignment.edge_blur)})
      .put("positions", positions,
           {{"unit", "pixels"}, number("stretch", alignment.stretch), number("bend", alignment.bend)})
      .put("noise_weight", std::span<const double>(&weight, 1))
      .save();
}

/// What such a file says beside the mask.
struct camera_settings {
  std::vector<float> positions;
  float noise_weight = unmask::optics::spectral_tv_options().noise_weight;
};

/// Whether the file has numbers beside the mask (not 0), positions and noise weight as they are there.
using camera_numbers = std::tuple<int, tensor<float, 1>, tensor<float, 1>>;

/// Errors: a file made for another direction than `asked`.
inline result<camera_numbers> read_camera_numbers(const std::string& path, dispersion_direction asked) {
  const auto file = unmask::io::list_variables(path);
  if (!file) return file.error();
  bool has_positions = false, has_weight = false;
  std::string direction;  // older files say nothing: to the right
  for (const auto& v : file->variables) {
    has_positions |= v.name == "positions", has_weight |= v.name == "noise_weight";
    for (const auto& [name, text] : v.attributes)
      if (v.name == "mask" && name == "dispersion") direction = text;
  }
  const tensor<float, 1> none({1}, 0.f);
  if (!has_positions || !has_weight) return camera_numbers(0, none, none);
  const std::string expected(unmask::dispersion_name(asked));
  if (direction.empty() ? asked != dispersion_direction::right : direction != expected)
    return error(errc::wrong_value, path + ": says that it is a camera with dispersion '" +
                                        (direction.empty() ? "right" : unmask::io::detail::printable(direction, 20)) +
                                        "', expected '" + expected + "' (--dispersion)");
  auto positions = unmask::io::read_tensor<float, 1>({path, "positions"});
  if (!positions) return positions.error();
  auto weight = unmask::io::read_tensor<float, 1>({path, "noise_weight"});
  if (!weight) return weight.error();
  return camera_numbers(1, std::move(*positions), std::move(*weight));
}

/// The camera that a mask's file describes. Errors: positions that are not one for each band within the measurement, a
/// weight that is not above 0.
inline result<camera_settings> read_camera(const std::string& mask, const unmask::optics::cassi_geometry& g,
                                           bool untrusted) {
  const std::string path = unmask::io::parse_source(mask).path;
  const auto read = [&] { return read_camera_numbers(path, g.direction); };
  const auto found = untrusted ? unmask::io::read_in_child(path, {}, read) : read();
  if (!found) return found.error();
  const auto& [has_camera, positions, weight] = *found;
  camera_settings camera;
  if (has_camera == 0) return camera;
  const auto last = static_cast<float>(g.step * (g.bands - 1));
  if (positions.size() != g.bands)
    return error(errc::wrong_shape, path + ": 'positions' has " + std::to_string(positions.size()) +
                                        " numbers, expected one for each of " + std::to_string(g.bands) + " bands");
  for (const float at : positions)
    if (!(at >= 0 && at <= last))
      return error(errc::wrong_value, path + ": 'positions' has " + std::to_string(at) + ", expected pixels in [0, " +
                                          std::to_string(last) + "]");
  if (weight.size() != 1 || !(weight(0) > 0 && weight(0) <= 1e6f))
    return error(errc::wrong_value, path + ": 'noise_weight' is not one number in (0, 1e6]");
  camera.positions.assign(positions.begin(), positions.end());
  camera.noise_weight = weight(0);
  return camera;
}

}  // namespace program
