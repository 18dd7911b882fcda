#pragma once

/// What a page to look at cubes is made from, and whether it fits.

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "../core/result.hpp"
#include "../core/view.hpp"

namespace unmask::inline UNMASK_ABI::render {

struct viewed_cube {
  std::string name;
  array_view<const float, 3> cube;  ///< [H, W, C]
};

struct viewer_input {
  std::string title = "unmask view";
  std::vector<double> wavelengths = {};       ///< nm, one per band; empty: bands are numbered
  std::vector<viewed_cube> cubes = {};        ///< one, or two of one size that are compared
  bool rotate180 = false;                     ///< turn the pictures; rows and columns stay those of the cube
  std::size_t most_bytes = 64 * 1024 * 1024;  ///< of the values in the page, two bytes each; larger cubes are reduced
};

namespace detail {

inline std::optional<error> contradiction(const viewer_input& input) {
  if (input.cubes.empty() || input.cubes.size() > 2)
    return error(errc::bad_argument, "view: " + std::to_string(input.cubes.size()) + " cubes, expected one or two");
  const auto size = [](const array_view<const float, 3>& c) {
    return std::to_string(c.extent(0)) + " x " + std::to_string(c.extent(1)) + " x " + std::to_string(c.extent(2));
  };
  const auto& first = input.cubes.front().cube;
  for (const viewed_cube& c : input.cubes)
    if (c.cube.size() == 0 || c.cube.extents() != first.extents())
      return error(errc::wrong_shape, "view: cube '" + c.name + "' is " + size(c.cube) + ", expected " +
                                          (first.size() ? size(first) : "at least 1 x 1 x 1"));
  if (!input.wavelengths.empty() && static_cast<index_t>(input.wavelengths.size()) != first.extent(2))
    return error(errc::wrong_shape, "view: " + std::to_string(input.wavelengths.size()) + " wavelengths, expected " +
                                        std::to_string(first.extent(2)) + ", one per band");
  return std::nullopt;
}

/// The least k for which means over k x k pixels of all cubes fit.
inline index_t viewer_factor(const std::array<index_t, 3>& extents, std::size_t cubes, std::size_t most_bytes) {
  const auto [height, width, bands] = extents;
  index_t k = 1;
  for (; k < std::max(height, width); ++k) {
    const index_t values = ((height + k - 1) / k) * ((width + k - 1) / k) * bands * static_cast<index_t>(cubes);
    if (2 * static_cast<std::size_t>(values) <= most_bytes) break;
  }
  return k;
}

}  // namespace detail

}  // namespace unmask::inline UNMASK_ABI::render
