#pragma once

/// Which way a prism moves the bands over the sensor: a word that cameras, models and files share.

#include <array>
#include <string>
#include <string_view>

#include "result.hpp"

namespace unmask::inline UNMASK_ABI {

enum class dispersion_direction {
  right,  ///< band c lands step * c columns to the right of band 0: the benchmark's
  left,   ///< the same to the left: the last band is the sensor's leftmost
  down,   ///< step * c rows below band 0
  up,     ///< step * c rows above it
};

inline constexpr std::array<std::string_view, 4> dispersion_names{"right", "left", "down", "up"};

inline std::string_view dispersion_name(dispersion_direction d) {
  return dispersion_names[static_cast<std::size_t>(d)];
}

/// Errors: `bad_argument` for a name that is none of `dispersion_names`.
inline result<dispersion_direction> dispersion_by_name(std::string_view name) {
  for (std::size_t i = 0; i < dispersion_names.size(); ++i)
    if (name == dispersion_names[i]) return static_cast<dispersion_direction>(i);
  return error(errc::bad_argument, "dispersion: '" + std::string(name) + "' is not one of right, left, down, up");
}

/// Whether bands move along the rows of the sensor, not along its columns.
constexpr bool along_rows(dispersion_direction d) {
  return d == dispersion_direction::right || d == dispersion_direction::left;
}

/// Whether they move towards smaller column or row numbers.
constexpr bool backwards(dispersion_direction d) {
  return d == dispersion_direction::left || d == dispersion_direction::up;
}

}  // namespace unmask::inline UNMASK_ABI
