#pragma once

/// Scenes and masks of a training, checked against each other.

#include <algorithm>
#include <cmath>

#include "dispersion_options.hpp"
#include "scene_files.hpp"
#include "train_config.hpp"

namespace program {

struct training_data {
  std::vector<scene> training, validation;
  std::vector<tensor<float, 2>> masks;
};

/// Scenes of one training have the same bands. Errors name the scene that has others. Notes, on that scene: wavelengths
/// that only some have, and a cube that another scene has too, which would make a validation worthless.
inline result<> check_scenes(const train_config& config, std::vector<scene>& scenes) {
  const scene& first = scenes.front();
  const auto of = [&](const scene& s) { return config.data + ": scene '" + s.name + "' "; };
  for (std::size_t i = 1; i < scenes.size(); ++i) {
    scene& s = scenes[i];
    const index_t bands = s.cube.extent(2), expected = first.cube.extent(2);
    if (bands != expected)
      return error(errc::wrong_shape, of(s) + "has " + std::to_string(bands) + " bands, expected " +
                                          std::to_string(expected) + " as '" + first.name +
                                          "' (bands=benchmark interpolates)");
    if (s.wavelengths.empty() != first.wavelengths.empty())
      s.notes.push_back(of(s) + (s.wavelengths.empty() ? "has no wavelengths, '" : "has wavelengths, '") + first.name +
                        (s.wavelengths.empty() ? "' has" : "' has none"));
    for (std::size_t k = 0; k < std::min(s.wavelengths.size(), first.wavelengths.size()); ++k)
      if (!(std::abs(s.wavelengths[k] - first.wavelengths[k]) <= 1))
        return error(errc::wrong_value, of(s) + "has " + unmask::io::detail::number_text(s.wavelengths[k]) +
                                            " nm as band " + std::to_string(k) + ", expected " +
                                            unmask::io::detail::number_text(first.wavelengths[k]) + " as '" +
                                            first.name + "' (bands=benchmark interpolates)");
    for (std::size_t k = 0; k < i; ++k)
      if (scenes[k].cube.extents() == s.cube.extents() &&
          std::equal(s.cube.begin(), s.cube.end(), scenes[k].cube.begin())) {
        s.notes.push_back(of(s) + "is the same as '" + scenes[k].name + "'");
        break;
      }
  }
  return {};
}

/// Masks and scenes as a camera sees them whose bands land to the right: what solvers and networks work on.
inline result<training_data> read_data(const train_config& config, bool untrusted) {
  training_data d;
  const auto way = unmask::dispersion_by_name(config.dispersion);
  if (!way) return way.error();
  for (const auto& name : config.mask) {
    auto mask = read_checked_mask(name, untrusted);
    if (!mask) return mask.error();
    d.masks.push_back(turned(*mask, *way, turn::to_right));
  }
  auto all = read_scenes(config.data, {config.bands, config.axes, config.full_scale, untrusted, config.wavelengths});
  if (!all) return all.error();
  if (auto ok = check_scenes(config, *all); !ok) return ok.error();
  if (*way != dispersion_direction::right)
    for (scene& s : *all) s.cube = turned(s.cube, *way, turn::to_right);
  const auto& names = config.validation;
  for (const auto& name : names)
    if (std::none_of(all->begin(), all->end(), [&](const scene& x) { return x.name == name; }))
      return error(errc::not_found, config.data + ": no scene '" + name + "' to validate on");
  for (auto& x : *all)
    (std::find(names.begin(), names.end(), x.name) != names.end() ? d.validation : d.training).push_back(std::move(x));
  if (d.training.empty())
    return error(errc::bad_argument, config.data + ": every scene is kept for validation, none is left to train on");
  return d;
}

inline std::vector<tensor<float, 3>> cubes(const std::vector<scene>& scenes) {
  std::vector<tensor<float, 3>> list;
  for (const auto& s : scenes) list.push_back(s.cube);
  return list;
}

/// Wavelengths of the scenes' bands, where the files say them in order.
inline std::vector<double> wavelengths_of(const training_data& data) {
  const auto& nm = data.training.front().wavelengths;
  const bool ascending =
      std::adjacent_find(nm.begin(), nm.end(), [](double a, double b) { return !(a < b); }) == nm.end();
  const bool one_a_band = static_cast<index_t>(nm.size()) == data.training.front().cube.extent(2);
  return ascending && one_a_band ? nm : std::vector<double>();
}

}  // namespace program
