#pragma once

/// Hyperspectral cubes with their wavelengths.

#include "arrays.hpp"

namespace unmask::inline UNMASK_ABI::io {

struct cube_file {
  tensor<float, 3> cube;            ///< [H, W, C]
  std::vector<double> wavelengths;  ///< nm, one per band; empty: the file does not say
  std::string variable;             ///< which variable was read
};

namespace detail {

inline name_list cube_names() { return {"cube", "img_expand", "img", "hyper"}; }

/// The wavelengths that belong to a cube: `wavelengths` or `wavelength` beside it, else `wavelengths` of the file.
inline const variable_info* find_wavelengths(const file_info& file, const variable_info& cube) {
  const std::size_t slash = cube.name.rfind('/');
  const std::string folder = slash == std::string::npos ? "" : cube.name.substr(0, slash + 1);
  for (const std::string& name : {folder + "wavelengths", folder + "wavelength", std::string("wavelengths")})
    if (const variable_info* v = find(file, name)) return v;
  return nullptr;
}

/// nm, one per band; empty where the file says nothing, or says NaN for every band.
inline result<std::vector<double>> read_wavelengths(const file_info& file, const variable_info& cube) {
  const variable_info* w = find_wavelengths(file, cube);
  if (!w) return std::vector<double>();
  if (!w->numeric)
    return variable_error(errc::wrong_value, file.path, *w, "is of type " + w->type + ", expected real numbers");
  const auto count = checked_elements(file.path, *w);
  if (!count) return count.error();
  if (*count != cube.shape[2]) {
    // A file may hold other stacks (cloud masks over time) beside the cube that the wavelengths belong to.
    const name_list names = cube_names();
    if (std::find(names.begin(), names.end(), cube.name) == names.end()) return std::vector<double>();
    return variable_error(errc::wrong_shape, file.path, *w,
                          "has " + std::to_string(*count) + " numbers, '" + printable(cube.name) + "' has " +
                              std::to_string(cube.shape[2]) + " bands");
  }
  if (auto fine = check_size(file, *w); !fine) return fine.error();
  std::vector<double> values(static_cast<std::size_t>(*count));
  if (auto done = read_into(file, *w, values.data()); !done) return done.error();
  if (std::all_of(values.begin(), values.end(), [](double x) { return std::isnan(x); })) return std::vector<double>();
  if (auto fine = check_finite(file.path, *w, values.data()); !fine) return fine.error();
  return values;
}

}  // namespace detail

/// Reads a cube: the named variable, else `cube`, `img_expand`, `img` or `hyper`, else the only 3-D variable.
/// A list of wavelengths whose length is not the number of bands is an error.
inline result<cube_file> read_cube(const source& from) {
  const auto file = list_variables(from.path);
  if (!file) return file.error();
  const auto v = detail::choose(*file, from.variable, 3, detail::cube_names());
  if (!v) return v.error();
  auto cube = detail::read_chosen<float, 3>(*file, *v);
  if (!cube) return cube.error();
  auto wavelengths = detail::read_wavelengths(*file, *v);
  if (!wavelengths) return wavelengths.error();
  return cube_file{std::move(*cube), std::move(*wavelengths), v->name};
}

}  // namespace unmask::inline UNMASK_ABI::io
