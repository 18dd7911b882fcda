#pragma once

/// The order of a file's axes where it is not [H, W, C]: said by the user (`--axes chw`), never guessed in silence.

#include "wavelengths.hpp"

namespace unmask::inline UNMASK_ABI::io {

/// Where a file's row, column and band axes are: {0, 1, 2} for "hwc", {1, 2, 0} for "chw".
using axis_order = std::array<std::size_t, 3>;

/// "hwc", "chw", "hcw", ...: the letters h, w and c, each once, in the order of the file's axes.
inline result<axis_order> parse_axes(const std::string& text) {
  axis_order order{3, 3, 3};
  const std::string letters = "hwc";
  for (std::size_t i = 0; i < text.size() && i < 3; ++i)
    if (const std::size_t which = letters.find(text[i]); which != std::string::npos) order[which] = i;
  if (text.size() == 3 && std::find(order.begin(), order.end(), std::size_t{3}) == order.end()) return order;
  return error(errc::bad_argument,
               "axes: found '" + detail::printable(text, 20) +
                   "', expected the letters h (row), w (column), c (band) in the file's order: hwc, "
                   "chw, hcw, ...");
}

namespace detail {

/// [any order] -> [H, W, C]
inline tensor<float, 3> in_order(const tensor<float, 3>& from, const axis_order& order) {
  const std::array<index_t, 3> stride{from.extent(1) * from.extent(2), from.extent(2), 1};
  const std::array<index_t, 3> extents{from.extent(order[0]), from.extent(order[1]), from.extent(order[2])};
  tensor<float, 3> to(extents);
  float* at = to.data();
  for (index_t h = 0; h < extents[0]; ++h)
    for (index_t w = 0; w < extents[1]; ++w)
      for (index_t c = 0; c < extents[2]; ++c)
        *at++ = from.data()[h * stride[order[0]] + w * stride[order[1]] + c * stride[order[2]]];
  return to;
}

/// Another array of the file that has as many bands as this list: the list is its own.
inline bool belongs_to_another(const file_info& file, const variable_info& cube, index_t count) {
  return std::any_of(file.variables.begin(), file.variables.end(), [&](const variable_info& v) {
    return v.name != cube.name && v.numeric && v.shape.size() >= 3 && v.shape.back() == count;
  });
}

/// What the shape and the wavelengths say about the order of axes, where the user said nothing. Errors: a list of
/// wavelengths as long as another axis than the last; bands that are more than the rows or columns of an image that is
/// not square, without a list that says so.
inline result<> check_axes(const file_info& file, const variable_info& cube) {
  const auto& n = cube.shape;
  const auto letters = [&](std::size_t band) { return band == 0 ? "chw" : "hcw"; };
  bool listed = false;
  for (const variable_info* w : wavelength_candidates(file, cube.name, n[2])) {
    const index_t count = list_length(*w);
    listed = listed || count == n[2];
    if (count == n[2] || belongs_to_another(file, cube, count)) continue;
    for (const std::size_t band : {std::size_t{0}, std::size_t{1}})
      if (count == n[band])
        return variable_error(errc::wrong_shape, file.path, cube,
                              "is [" + shape_text(n) + "] beside " + std::to_string(count) + " wavelengths in '" +
                                  printable(w->name) + "': the bands seem to be axis " + std::to_string(band + 1) +
                                  ", expected the last (--axes " + letters(band) + ", or hwc if they are)");
  }
  if (listed || n[0] == n[1] || n[2] <= (std::min)(n[0], n[1])) return {};
  return variable_error(errc::wrong_shape, file.path, cube,
                        "is [" + shape_text(n) +
                            "], which would be more bands than rows or columns: say --axes hwc if "
                            "it is [rows x columns x bands], --axes " +
                            letters(n[0] < n[1] ? 0 : 1) + " if the bands are axis " + (n[0] < n[1] ? "1" : "2"));
}

}  // namespace detail

}  // namespace unmask::inline UNMASK_ABI::io
