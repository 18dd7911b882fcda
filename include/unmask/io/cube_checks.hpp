#pragma once

/// What every writer of cubes asks of a cube before a file is touched, and how numbers become text in headers.

#include <algorithm>
#include <charconv>
#include <span>
#include <string>

#include "../core/finite.hpp"
#include "../core/view.hpp"
#include "input_file.hpp"

namespace unmask::inline UNMASK_ABI::io::detail {

/// Errors: `wrong_shape` (an empty cube, another number of wavelengths than bands), `wrong_value` (a number that is NaN
/// or infinite).
inline result<> check_written_cube(const std::string& path, in<float, 3> cube, std::span<const double> wavelengths) {
  const std::string name = printable(path, 1000);
  if (cube.size() == 0)
    return error(errc::wrong_shape, name + ": 'cube' is empty [" + shape_text(cube.extents()) + "]");
  if (!wavelengths.empty() && static_cast<index_t>(wavelengths.size()) != cube.extent(2))
    return error(errc::wrong_shape, name + ": " + std::to_string(wavelengths.size()) + " wavelengths for a cube of " +
                                        std::to_string(cube.extent(2)) + " bands");
  const auto bad = std::find_if_not(cube.begin(), cube.end(), [](float x) { return is_finite(x); });
  if (bad != cube.end())
    return error(errc::wrong_value, name + ": 'cube' has a value that is NaN or infinite (element " +
                                        std::to_string(bad - cube.begin()) + "), not written");
  if (std::all_of(wavelengths.begin(), wavelengths.end(), [](double x) { return is_finite(x); })) return {};
  return error(errc::wrong_value, name + ": 'wavelengths' has a value that is NaN or infinite, not written");
}

/// The shortest text that is this number again.
inline std::string exact_text(double value) {
  char text[40];
  const auto [end, failure] = std::to_chars(text, text + sizeof text, value);
  return failure == std::errc() ? std::string(text, end) : std::string();
}

/// "450, 460.5, 470"
inline std::string exact_list(std::span<const double> values) {
  std::string text;
  for (const double x : values) text += (text.empty() ? "" : ", ") + exact_text(x);
  return text;
}

inline std::span<const std::byte> bytes_of(in<float, 3> cube) {
  return std::as_bytes(std::span(cube.data(), static_cast<std::size_t>(cube.size())));
}

}  // namespace unmask::inline UNMASK_ABI::io::detail
