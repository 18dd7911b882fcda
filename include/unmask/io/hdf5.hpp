#pragma once

/// Reading one dataset of an HDF5 or MATLAB v7.3 file. Axis order and scale: docs/files.md.

#include "hdf5_chunks.hpp"
#include "hdf5_list.hpp"

namespace unmask::inline UNMASK_ABI::io {

/// From stored to physical values: value = factor * stored + offset.
struct linear_scale {
  double factor = 1, offset = 0;
  std::optional<double> missing;  ///< the stored number that means "no value" (_FillValue)

  template <class T>
  T operator()(T stored) const {
    return static_cast<T>(static_cast<double>(stored) * factor + offset);
  }
  bool changes() const { return !(factor == 1 && offset == 0); }
};

namespace detail {

inline const std::string& hdf5_location(const variable_info& v) { return v.location.empty() ? v.name : v.location; }

/// An open file with the dataset of a listed variable in it; the file outlives its dataset.
struct hdf5_open_variable {
  hdf5_id file, dataset;

  static hdf5_open_variable open(const std::string& path, const variable_info& v) {
    hdf5_open_variable o;
    o.file = hdf5_open(path);
    o.dataset = hdf5_dataset(o.file, hdf5_location(v));
    return o;
  }
  explicit operator bool() const { return static_cast<bool>(dataset); }
};

}  // namespace detail

/// Attribute `scale` multiplies, `full_scale` divides; netCDF's `scale_factor` multiplies, `add_offset` is then added.
/// Errors: both families at once, an attribute that is not one finite number, a factor of 0.
inline result<linear_scale> hdf5_scale(const std::string& path, const variable_info& v) {
  const detail::hdf5_quiet quiet;
  const auto data = detail::hdf5_open_variable::open(path, v);
  if (!data) return detail::hdf5_unreadable(path);
  linear_scale s;
  const char* found = nullptr;
  for (const char* name : {"scale", "full_scale", "scale_factor"}) {
    const auto number = detail::attribute_number(data.dataset, name);
    if (!number) continue;
    if (found)
      return detail::variable_error(errc::wrong_value, path, v,
                                    std::string("has both attributes '") + found + "' and '" + name + "'");
    found = name;
    s.factor = name == std::string("full_scale") ? 1.0 / *number : *number;
    if (!is_finite(s.factor) || s.factor == 0.0)
      return detail::variable_error(
          errc::wrong_value, path, v,
          std::string("has an attribute '") + name + "' that is not one finite number other than 0");
  }
  if (const auto offset = detail::attribute_number(data.dataset, "add_offset")) {
    if (!is_finite(*offset))
      return detail::variable_error(errc::wrong_value, path, v,
                                    "has an attribute 'add_offset' that is not one finite number");
    s.offset = *offset;
  }
  s.missing = detail::attribute_number(data.dataset, "_FillValue");
  if (s.missing && !is_finite(*s.missing)) s.missing.reset();  // NaN is refused by itself
  return s;
}

/// Refuses sizes that nothing was ever stored for, values that lie outside the file and filters that are not installed.
inline result<> check_hdf5_size(const std::string& path, const variable_info& v) {
  const detail::hdf5_quiet quiet;
  const auto elements = detail::checked_elements(path, v);
  if (!elements) return elements.error();
  auto bytes = input_file::open(path);
  if (!bytes) return bytes.error();
  const auto data = detail::hdf5_open_variable::open(path, v);
  if (!data) return detail::hdf5_unreadable(path);
  const detail::hdf5_id creation(H5Dget_create_plist(data.dataset), H5Pclose);
  if (!creation) return detail::hdf5_unreadable(path, v);
  for (const std::string& why : {detail::hdf5_stored_elsewhere(creation), detail::hdf5_missing_filter(creation)})
    if (!why.empty()) return detail::variable_error(errc::unreadable, path, v, why);
  const std::uint64_t stored = H5Dget_storage_size(data.dataset);
  // deflate packs at most 1032 to 1; small datasets of one fill value are let through.
  if (*elements > (std::int64_t{1} << 24) && static_cast<std::uint64_t>(*elements) / 1032 > stored)
    return detail::variable_error(
        errc::unreadable, path, v,
        "claims [" + detail::shape_text(v.shape) + "] elements in " + std::to_string(stored) + " bytes");
  if (!detail::hdf5_layout_fits(data.dataset, bytes->size())) return detail::hdf5_unreadable(path, v);
  return {};
}

/// Reads the numbers of one listed dataset in the file's order, without scale. T is float or double.
template <class T>
result<> read_hdf5(const std::string& path, const variable_info& v, T* to) {
  const detail::hdf5_quiet quiet;
  const auto data = detail::hdf5_open_variable::open(path, v);
  if (!data) return detail::hdf5_unreadable(path);
  const hid_t type = sizeof(T) == sizeof(double) ? H5T_NATIVE_DOUBLE : H5T_NATIVE_FLOAT;
  if (H5Dread(data.dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, to) < 0)
    return detail::hdf5_unreadable(path, v, data.dataset);
  return {};
}

namespace detail {

/// Stored numbers to physical ones, in place. Errors: numbers that the file marks as missing.
template <class T>
result<> apply_scale(const std::string& path, const variable_info& v, const linear_scale& s, T* values,
                     std::int64_t count) {
  if (s.missing) {
    const auto none = static_cast<T>(*s.missing);
    const auto missing = std::count(values, values + count, none);
    if (missing > 0)
      return variable_error(errc::wrong_value, path, v,
                            "has " + std::to_string(missing) + " of " + std::to_string(count) +
                                " values that the file marks as missing (_FillValue " + number_text(*s.missing) + ")");
  }
  if (s.changes())
    for (std::int64_t i = 0; i < count; ++i) values[i] = s(values[i]);
  return {};
}

}  // namespace detail

}  // namespace unmask::inline UNMASK_ABI::io
