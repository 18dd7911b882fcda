#pragma once

/// Cubes as the commands need them: bands resampled to the wavelengths they work in, folders of scenes.

#include <algorithm>
#include <filesystem>
#include <unmask/io/untrusted.hpp>
#include <unmask/optics/spectral.hpp>

#include "known_wavelengths.hpp"

namespace program {

struct scene {
  std::string name;
  tensor<float, 3> cube;
  std::vector<double> wavelengths;
  std::vector<std::string> notes = {};  ///< what was changed on the way
};

/// How the cubes of a command are to be read.
struct scene_choice {
  std::string bands = "native";  ///< or "benchmark": interpolated to the field's 28 wavelengths (453.3..648.1 nm)
  std::string axes;              ///< order of the file's axes, "chw"; empty: [H, W, bands]
  double full_scale = 0;         ///< the stored value that means 1; 0: as the file says
  bool untrusted = false;        ///< files are read in a child process with limits
  std::string wavelengths = {};  ///< FIRST:LAST in nm, evenly spaced, where the file does not say

  unmask::io::cube_options options() const { return {axes, full_scale}; }
};

/// "scene.h5: variable 'cube'", for messages about its values.
inline std::string named(const unmask::io::source& from, const std::string& variable) {
  return unmask::io::detail::printable(from.path, 1000) + ": variable '" + unmask::io::detail::printable(variable) +
         "'";
}

/// The file's or folder's name without its ending.
inline std::string scene_name(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return std::filesystem::path(path).stem().string();
}

/// `slack`: how far values may lie outside 0..1.
inline result<scene> read_scene(const std::string& spec, const scene_choice& choice,
                                float slack = unmask::io::cube_slack) {
  const auto from = unmask::io::parse_source(spec);
  auto file = choice.untrusted ? unmask::io::read_cube_untrusted(from, choice.options())
                               : unmask::io::read_cube(from, choice.options());
  if (!file) return file.error();
  if (auto fine = unmask::io::check_cube_range(named(from, file->variable), file->range, slack); !fine)
    return fine.error();
  if (!choice.wavelengths.empty()) {
    auto nm = known_wavelengths(choice.wavelengths, file->cube.extent(2), choice.untrusted);
    if (!nm) return nm.error();
    if (!file->wavelengths.empty() && unmask::detail::other_wavelength(file->wavelengths, *nm) >= 0)
      return error(errc::bad_argument,
                   "--wavelengths " + choice.wavelengths + ": " + from.path + " has others of its own");
    file->wavelengths = std::move(*nm);
  }
  scene s{scene_name(from.path), std::move(file->cube), std::move(file->wavelengths), {}};
  for (const std::string& note : file->notes) s.notes.push_back(from.path + ": " + note);
  if (!(file->range.lowest >= -.5f && file->range.largest <= 1.5f))
    s.notes.push_back(named(from, file->variable) + " has " + unmask::io::detail::range_text(file->range) +
                      ", metrics and pictures clip at 0 and 1");
  if (choice.bands == "native") return s;
  const auto target = unmask::optics::benchmark_wavelength_list();
  if (s.wavelengths.empty()) {
    if (s.cube.extent(2) == static_cast<index_t>(target.size())) {
      s.wavelengths = target;  // the field's own files carry 28 bands and no wavelengths
      return s;
    }
    return error(errc::bad_argument,
                 from.path + ": has " + std::to_string(s.cube.extent(2)) +
                     " bands of unknown wavelength, expected wavelengths or 28 bands (or --bands native)");
  }
  auto resampled = unmask::optics::resample_bands(s.cube, s.wavelengths, target);
  if (!resampled) return error(resampled.error().code(), from.path + ": " + resampled.error().message());
  s.cube = std::move(*resampled);
  s.wavelengths = target;
  return s;
}

/// A note where both of two cubes say their wavelengths and these are others.
inline std::vector<std::string> differing_bands(const std::vector<double>& a, const char* one,
                                                const std::vector<double>& b, const char* other) {
  double most = 0;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) most = std::max(most, std::abs(a[i] - b[i]));
  if (!(most > 1)) return {};
  char text[160];
  std::snprintf(text, sizeof text, "the bands of %s and %s differ by up to %.0f nm (%.0f to %.0f, %.0f to %.0f)", one,
                other, most, a.front(), a.back(), b.front(), b.back());
  return {text};
}

/// A cube that has to have a size, and should have wavelengths; [0, 1].
inline result<tensor<float, 3>> read_scene_of(const context& c, const std::string& spec,
                                              const std::array<index_t, 3>& expected,
                                              const std::vector<double>& wavelengths, bool untrusted) {
  scene_choice choice;
  choice.untrusted = untrusted;
  auto s = read_scene(spec, choice);
  if (!s) return s.error();
  say_notes(c, s->notes);
  say_notes(c, differing_bands(s->wavelengths, "truth", wavelengths, "result"));
  if (s->cube.extents() == expected) return std::move(s->cube);
  return error(errc::wrong_shape, spec + ": the truth is [" + unmask::io::detail::shape_text(s->cube.extents()) +
                                      "], expected [" + unmask::io::detail::shape_text(expected) + "]");
}

/// Every cube of a folder, by name: *.h5, *.mat, *.npy, *.npz, *.tif, ENVI's *.hdr, and folders of pictures of bands.
/// Where all pictures of the folder itself are numbered as bands, it is one cube. Only names are looked at.
inline result<std::vector<std::string>> scene_paths(const std::string& folder) {
  namespace fs = std::filesystem;
  std::error_code failure;
  std::vector<std::string> found;
  bool pictures = false, others = false;
  for (const auto& entry : fs::directory_iterator(folder, failure)) {
    std::error_code unknown;
    const std::string name = entry.path().filename().string(), path = entry.path().string();
    if (name.starts_with('.')) continue;
    const auto ends = [&](std::initializer_list<const char*> endings) {
      return std::find(endings.begin(), endings.end(), entry.path().extension()) != endings.end();
    };
    const bool scene = entry.is_directory(unknown) ? unmask::io::is_pictures_folder(path)
                                                   : ends({".h5", ".mat", ".npy", ".npz", ".hdr"});
    pictures = pictures || unmask::io::detail::is_picture_name(name);
    others = others || scene;
    if (scene || ends({".tif", ".tiff"})) found.push_back(path);
  }
  if (failure) return error(errc::not_found, folder + ": cannot read the folder (" + failure.message() + ")");
  if (pictures && !others && (found.empty() || unmask::io::detail::band_pictures(folder))) return std::vector{folder};
  if (found.empty())
    return error(errc::not_found,
                 folder + ": no cubes (*.h5, *.mat, *.npy, *.npz, *.hdr, *.tif, or folders of pictures)");
  std::sort(found.begin(), found.end());
  return found;
}

inline result<std::vector<scene>> read_scenes(const std::string& folder, const scene_choice& choice) {
  const auto paths = scene_paths(folder);
  if (!paths) return paths.error();
  std::vector<scene> scenes;
  for (const std::string& path : *paths) {
    auto s = read_scene(path, choice);
    if (!s) return s.error();
    scenes.push_back(std::move(*s));
  }
  return scenes;
}

/// A coded mask of values in 0..1 that has a pattern.
inline result<tensor<float, 2>> read_checked_mask(const std::string& spec, bool untrusted = false) {
  const auto from = unmask::io::parse_source(spec);
  auto mask = untrusted ? unmask::io::read_plane_untrusted(from, {"mask"}) : unmask::io::read_mask(from);
  if (!mask) return mask.error();
  if (auto fine = unmask::io::check_mask_range(spec + ": the mask", unmask::io::range_of(mask->data(), mask->size()));
      !fine)
    return fine.error();
  return mask;
}

/// The top left part of a mask that covers a scene. Errors: a smaller mask, a part without a pattern.
inline result<tensor<float, 2>> mask_for(const tensor<float, 2>& mask, index_t height, index_t width,
                                         const std::string& name) {
  if (mask.extent(0) < height || mask.extent(1) < width)
    return error(errc::wrong_shape, name + ": mask is " + std::to_string(mask.extent(0)) + " x " +
                                        std::to_string(mask.extent(1)) + ", smaller than the scene's " +
                                        std::to_string(height) + " x " + std::to_string(width));
  tensor<float, 2> part({height, width});
  for (index_t h = 0; h < height; ++h) std::copy_n(&mask(h, 0), width, &part(h, 0));
  const std::string what =
      name + ": the top left part of the mask, " + std::to_string(height) + " x " + std::to_string(width) + ",";
  if (auto fine = unmask::io::check_mask_range(what, unmask::io::range_of(part.data(), part.size())); !fine)
    return fine.error();
  return part;
}

inline void add_axes_and_scale(CLI::App* command, scene_choice& choice) {
  command->add_option("--axes", choice.axes,
                      "order of the cube's axes in the file: hwc (rows, columns, bands), chw, ... (default: hwc, "
                      "refused where that looks wrong)");
  command->add_option("--full-scale", choice.full_scale, "stored value that means 1 (default: as the file says)")
      ->check(CLI::PositiveNumber);
  add_untrusted(command, choice.untrusted);
}

inline void add_scene_options(CLI::App* command, scene_choice& choice) {
  command->add_option("--bands", choice.bands, "native, or benchmark: interpolate to the field's 28 wavelengths")
      ->check(CLI::IsMember({"native", "benchmark"}))
      ->capture_default_str();
  command->add_option("--wavelengths", choice.wavelengths,
                      "FIRST:LAST in nm, evenly spaced over the cube's bands, or a file with a number for each, where "
                      "the cube's file does not say");
  add_axes_and_scale(command, choice);
}

}  // namespace program
