#pragma once

/// Cubes as the commands need them: bands resampled to the wavelengths they work in, folders of scenes.

#include <algorithm>
#include <filesystem>
#include <unmask/io/cube.hpp>
#include <unmask/optics/spectral.hpp>

#include "context.hpp"

namespace program {

struct scene {
  std::string name;
  tensor<float, 3> cube;
  std::vector<double> wavelengths;
};

/// `bands`: "native" keeps the file's, "benchmark" interpolates to the field's 28 wavelengths (453.3..648.1 nm).
inline result<scene> read_scene(const std::string& spec, const std::string& bands) {
  const auto from = unmask::io::parse_source(spec);
  auto file = unmask::io::read_cube(from);
  if (!file) return file.error();
  scene s{std::filesystem::path(from.path).stem().string(), std::move(file->cube), std::move(file->wavelengths)};
  if (bands == "native") return s;
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

/// Every *.h5 and *.mat of a folder, by name.
inline result<std::vector<scene>> read_scenes(const std::string& folder, const std::string& bands) {
  namespace fs = std::filesystem;
  std::error_code failure;
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder, failure))
    if (entry.path().extension() == ".h5" || entry.path().extension() == ".mat") files.push_back(entry.path());
  if (failure) return error(errc::not_found, folder + ": cannot read the folder (" + failure.message() + ")");
  if (files.empty()) return error(errc::not_found, folder + ": no *.h5 or *.mat files");
  std::sort(files.begin(), files.end());
  std::vector<scene> scenes;
  for (const auto& file : files) {
    auto s = read_scene(file.string(), bands);
    if (!s) return s.error();
    scenes.push_back(std::move(*s));
  }
  return scenes;
}

/// The top left part of a mask that covers a scene; a smaller mask is an error.
inline result<tensor<float, 2>> mask_for(const tensor<float, 2>& mask, index_t height, index_t width,
                                         const std::string& name) {
  if (mask.extent(0) < height || mask.extent(1) < width)
    return error(errc::wrong_shape, name + ": mask is " + std::to_string(mask.extent(0)) + " x " +
                                        std::to_string(mask.extent(1)) + ", smaller than the scene's " +
                                        std::to_string(height) + " x " + std::to_string(width));
  tensor<float, 2> part({height, width});
  for (index_t h = 0; h < height; ++h) std::copy_n(&mask(h, 0), width, &part(h, 0));
  return part;
}

inline CLI::Option* add_bands(CLI::App* command, std::string& bands) {
  return command->add_option("--bands", bands, "native, or benchmark: interpolate to the field's 28 wavelengths")
      ->check(CLI::IsMember({"native", "benchmark"}))
      ->capture_default_str();
}

}  // namespace program
