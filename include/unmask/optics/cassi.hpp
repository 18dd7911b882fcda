#pragma once

/// Sizes of a single-disperser CASSI snapshot, and whether files, masks and cubes fit them (camera.hpp is the camera).
/// Mask: [H, W], 1 = light passes; measured masks are grey. Scene: [H, W, C], any H, W, C >= 1; step >= 0.

#include <algorithm>
#include <array>
#include <cassert>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "../core/backend.hpp"
#include "../core/dispersion.hpp"
#include "../core/result.hpp"
#include "../core/view.hpp"
#include "../parallel/parallel_for.hpp"

namespace unmask::inline UNMASK_ABI::optics {

/// Sizes of a scene and of its snapshot. A line is what dispersion moves light along: a row of the scene, or a column.
struct cassi_geometry {
  index_t height = 0, width = 0, bands = 0, step = 2;
  dispersion_direction direction = dispersion_direction::right;

  index_t lines() const { return along_rows(direction) ? height : width; }
  index_t line_length() const { return along_rows(direction) ? width : height; }
  index_t sensor_length() const { return line_length() + step * (bands - 1); }  ///< of a line on the sensor

  std::array<index_t, 2> measurement_extents() const {
    return along_rows(direction) ? std::array{lines(), sensor_length()} : std::array{sensor_length(), lines()};
  }
  std::array<index_t, 3> cube_extents() const { return {height, width, bands}; }
  index_t measurement_width() const { return measurement_extents()[1]; }
  index_t cube_size() const { return height * width * bands; }

  /// That of the mirrored or transposed scene whose bands land to the right.
  cassi_geometry canonical() const { return {lines(), line_length(), bands, step}; }
};

namespace detail {

/// Sizes up to this cannot overflow the arithmetic on them.
inline constexpr index_t largest_extent = index_t{1} << 20;

inline std::string shape_text(index_t h, index_t w) {
  char text[64];
  std::snprintf(text, sizeof text, "[%td x %td]", h, w);
  return text;
}

inline result<> check_geometry(const cassi_geometry& g) {
  const std::array<std::pair<const char*, index_t>, 3> sizes{
      {{"height", g.height}, {"width", g.width}, {"bands", g.bands}}};
  char text[160];
  for (const auto& [name, size] : sizes) {
    if (size >= 1 && size <= largest_extent) continue;
    std::snprintf(text, sizeof text, "scene: %s is %td, expected 1..%td", name, size, largest_extent);
    return error(errc::wrong_shape, text);
  }
  if (g.step >= 0 && g.step <= largest_extent) return {};
  std::snprintf(text, sizeof text, "dispersion step is %td, expected 0..%td", g.step, largest_extent);
  return error(errc::bad_argument, text);
}

inline result<> check_mask(const cassi_geometry& g, const std::array<index_t, 2>& mask) {
  if (mask[0] == g.height && mask[1] == g.width) return {};
  return error(errc::wrong_shape, "mask: found " + shape_text(mask[0], mask[1]) + ", expected " +
                                      shape_text(g.height, g.width) + " as the scene");
}

/// Of a camera: none, or one for each band within the sensor.
inline result<> check_positions(const cassi_geometry& g, const std::vector<float>& positions) {
  if (positions.empty()) return {};
  if (static_cast<index_t>(positions.size()) != g.bands)
    return error(errc::wrong_shape, "camera: found " + std::to_string(positions.size()) +
                                        " positions, expected one for each of " + std::to_string(g.bands) + " bands");
  const auto last = static_cast<float>(g.step * (g.bands - 1));
  for (const float at : positions)
    if (!(at >= 0 && at <= last))
      return error(errc::wrong_value, "camera: position " + std::to_string(at) + " is not in [0, " +
                                          std::to_string(last) + "] = step * (bands - 1)");
  return {};
}

inline result<> check_cube(const cassi_geometry& g, const std::array<index_t, 3>& cube) {
  if (cube == g.cube_extents()) return {};
  char text[160];
  std::snprintf(text, sizeof text, "cube: found [%td x %td x %td], expected [%td x %td x %td] as the camera's scene",
                cube[0], cube[1], cube[2], g.height, g.width, g.bands);
  return error(errc::wrong_shape, text);
}

inline result<> check_measurement(const cassi_geometry& g, const std::array<index_t, 2>& measurement) {
  const auto expected = g.measurement_extents();
  if (measurement == expected) return {};
  char why[160];
  std::snprintf(why, sizeof why, " = mask %s %td + step %td * (%td bands - 1)",
                along_rows(g.direction) ? "width" : "height", g.line_length(), g.step, g.bands);
  return error(errc::wrong_shape, "measurement: found " + shape_text(measurement[0], measurement[1]) + ", expected " +
                                      shape_text(expected[0], expected[1]) + why);
}

}  // namespace detail

/// Whether a scene [H, W, C] can be measured through this mask. Errors: `wrong_shape`, `bad_argument` (step).
inline result<cassi_geometry> check_cassi(const std::array<index_t, 3>& cube, const std::array<index_t, 2>& mask,
                                          index_t step) {
  const cassi_geometry g{cube[0], cube[1], cube[2], step};
  if (auto ok = detail::check_geometry(g); !ok) return ok.error();
  if (auto ok = detail::check_mask(g, mask); !ok) return ok.error();
  return g;
}

/// Whether `measurement` is what a camera with this mask, number of bands and step gives. The mask is the scene's size.
inline result<cassi_geometry> check_cassi(const std::array<index_t, 2>& measurement, const std::array<index_t, 2>& mask,
                                          index_t bands, index_t step,
                                          dispersion_direction direction = dispersion_direction::right) {
  const cassi_geometry g{mask[0], mask[1], bands, step, direction};
  if (auto ok = detail::check_geometry(g); !ok) return ok.error();
  if (auto ok = detail::check_measurement(g, measurement); !ok) return ok.error();
  return g;
}

/// All three at once.
inline result<cassi_geometry> check_cassi(const std::array<index_t, 3>& cube, const std::array<index_t, 2>& mask,
                                          const std::array<index_t, 2>& measurement, index_t step) {
  auto g = check_cassi(cube, mask, step);
  if (!g) return g;
  return check_cassi(measurement, mask, cube[2], step);
}

/// The number of bands that a measurement's length along the dispersion implies (its width for dispersion to the right
/// or left, its height for down and up); a step of 0 implies none and is an error.
inline result<index_t> infer_bands(index_t measurement, index_t mask, index_t step, const char* side = "width") {
  const index_t spread = measurement - mask;
  if (mask >= 1 && step >= 1 && spread >= 0 && spread % step == 0) return spread / step + 1;
  char text[160];
  std::snprintf(text, sizeof text, "measurement: %s %td is not mask %s %td + step %td * (bands - 1)", side, measurement,
                side, mask, step);
  return error(errc::wrong_shape, text);
}

/// F' = m x, every band multiplied by the mask before dispersion: the target of the mask-encoding stage.
template <class Backend, class T, class Shape>
void mask_signal(const Backend& be, const view<T, Shape>& signal, in<T, 3> cube, in<T, 2> mask) {
  const index_t W = cube.extent(1), C = cube.extent(2);
  assert(Shape::rank == 3 && signal.size() == cube.size());
  parallel_for(be, cube.extent(0), [&](index_t h, int) {
    for (index_t w = 0; w < W; ++w) {
      const index_t at = (h * W + w) * C;
      const T m = mask(h, w);
      for (index_t c = 0; c < C; ++c) signal.data()[at + c] = m * cube.data()[at + c];
    }
  });
}

}  // namespace unmask::inline UNMASK_ABI::optics
