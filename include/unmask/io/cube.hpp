#pragma once

/// Hyperspectral cubes with their wavelengths.

#include "axes.hpp"
#include "ranges.hpp"

namespace unmask::inline UNMASK_ABI::io {

struct cube_file {
  tensor<float, 3> cube;            ///< [H, W, C]
  std::vector<double> wavelengths;  ///< nm, one per band; empty: the file does not say
  std::string variable;             ///< which variable was read
  value_range range;                ///< of the values as they are in `cube`
  std::vector<std::string> notes;   ///< what was changed on the way, each a sentence for a person
};

struct cube_options {
  std::string axes;       ///< order of the file's axes, "chw"; empty: [H, W, C], refused where that looks wrong
  double full_scale = 0;  ///< the stored value that means 1, where the file does not say it; 0: as the file says
};

namespace detail {

inline name_list cube_names() { return {"cube", "img_expand", "img", "hyper"}; }

/// What values are still to be divided by: 1 where the file says the same scale; for pictures what their bits hold.
/// Errors: no number above 0, a file that says another scale (values divided by both are nearly black, and two such
/// cubes nearly equal).
inline result<double> left_to_divide(const file_info& file, const variable_info& v, double full_scale) {
  if (full_scale == 0) return file.format == file_format::pictures && v.usual_full_scale > 0 ? v.usual_full_scale : 1.;
  if (!(full_scale > 0 && is_finite(full_scale)))
    return error(errc::bad_argument, "full scale: found " + number_text(full_scale) + ", expected a number above 0");
  const auto said = scale_of(file, v);
  if (!said) return said.error();
  if (!said->changes()) return full_scale;
  const double both = said->factor * full_scale;
  if (said->offset == 0 && both > 1 - 1e-6 && both < 1 + 1e-6) return 1.;
  return variable_error(errc::bad_argument, file.path, v,
                        "is multiplied by " + number_text(said->factor) +
                            (said->offset == 0 ? "" : " and shifted by " + number_text(said->offset)) +
                            " as its file says, a full scale of " + number_text(full_scale) +
                            " (--full-scale) contradicts it");
}

}  // namespace detail

/// Reads a cube: the named variable, else `cube`, `img_expand`, `img` or `hyper`, else the only 3-D variable. Values
/// may have any range: `check_cube_range` says what the rest of the library expects. Errors: a list of wavelengths
/// whose length is not the number of bands; axes that seem to be in another order.
inline result<cube_file> read_cube(const source& from, const cube_options& options = {}) {
  const auto file = list_variables(from.path);
  if (!file) return file.error();
  const auto v = detail::choose(*file, from.variable, 3, detail::cube_names());
  if (!v) return v.error();
  if (const auto count = detail::checked_elements(from.path, *v); !count) return count.error();
  const std::string& said = options.axes.empty() ? v->axes : options.axes;
  if (said.empty())
    if (auto fine = detail::check_axes(*file, *v); !fine) return fine.error();
  const auto order = parse_axes(said.empty() ? "hwc" : said);
  if (!order) return order.error();
  const index_t bands = v->shape[(*order)[2]];
  cube_file found;
  found.variable = v->name;
  // A file may hold other stacks (cloud masks over time) beside the cube that the wavelengths belong to.
  const auto lists = detail::wavelength_candidates(*file, v->name, bands);
  const bool others = std::any_of(lists.begin(), lists.end(), [&](const variable_info* w) {
    const index_t count = detail::list_length(*w);
    return count != bands && detail::belongs_to_another(*file, *v, count);
  });
  if (!others) {
    auto list = read_wavelengths(*file, v->name, bands);
    if (!list) return list.error();
    found.wavelengths = std::move(list->nm);
    if (!list->note.empty()) found.notes.push_back(list->note);
  }
  for (const variable_info& other : file->variables)
    if (from.variable.empty() && other.name != v->name && other.numeric && other.shape == v->shape) {
      found.notes.push_back("read '" + detail::printable(v->name) + "', there is '" + detail::printable(other.name) +
                            "' of the same size too (FILE:NAME takes another)");
      break;
    }
  if (detail::in_percent(*v)) found.notes.push_back("'" + detail::printable(v->name) + "' is in per cent by its unit");
  for (const auto& [name, text] : v->attributes)
    if (file->format == file_format::envi && name == "bbl") found.notes.push_back(text);
  const auto divisor = detail::left_to_divide(*file, *v, options.full_scale);
  if (!divisor) return divisor.error();
  for (const auto& [name, text] : v->attributes)
    if (file->format == file_format::pictures && name == "pictures")
      found.notes.push_back("read " + text + " of " + v->type +
                            (*divisor == 1 ? "" : ", divided by " + detail::number_text(*divisor)) +
                            (options.full_scale > 0 || *divisor == 1 ? "" : " (--full-scale N divides by another)"));
  auto cube = detail::read_chosen<float, 3>(*file, *v);
  if (!cube) return cube.error();
  found.cube = *order == axis_order{0, 1, 2} ? std::move(*cube) : detail::in_order(*cube, *order);
  if (*divisor != 1)
    for (float& x : found.cube) x = static_cast<float>(static_cast<double>(x) / *divisor);
  found.range = range_of(found.cube.data(), found.cube.size());
  return found;
}

}  // namespace unmask::inline UNMASK_ABI::io
