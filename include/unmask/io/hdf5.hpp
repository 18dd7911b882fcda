#pragma once

/// Reading one dataset of an HDF5 or MATLAB v7.3 file. Axis order and scale: docs/files.md.

#include "../core/finite.hpp"
#include "data_format.hpp"
#include "hdf5_chunks.hpp"
#include "hdf5_list.hpp"

namespace unmask::inline UNMASK_ABI::io {

namespace detail {

inline const std::string& hdf5_location(const variable_info& v) { return v.location.empty() ? v.name : v.location; }

/// Whether a file says that its numbers are per cent.
inline bool in_percent(const variable_info& v) {
  for (const auto& [name, text] : v.attributes)
    if ((name == "units" || name == "unit" || name == "Units") && (text == "%" || text == "percent")) return true;
  return false;
}

/// What netCDF's conventions say of numbers that are none.
inline void read_cf_limits(hid_t dataset, const variable_info& v, linear_scale& s) {
  const auto numbers = [&](const char* name) {
    const hdf5_id attribute(H5Aexists(dataset, name) > 0 ? H5Aopen(dataset, name, H5P_DEFAULT) : -1, H5Aclose);
    const hdf5_id type(attribute ? H5Aget_type(attribute) : -1, H5Tclose);
    auto list = attribute ? attribute_numbers(attribute) : std::nullopt;
    // limits are of the type of what they limit
    if (list && std::string_view(name).starts_with("valid") && H5Tget_class(type) == H5T_FLOAT)
      s.physical_limits = s.physical_limits || v.type.find("int") != std::string::npos;
    return list.value_or(std::vector<double>());
  };
  for (const char* name : {"_FillValue", "missing_value"})
    for (const double x : numbers(name))
      if (is_finite(x)) s.missing.push_back(x);  // NaN is refused by itself
  if (const auto range = numbers("valid_range"); range.size() == 2) s.low = range[0], s.high = range[1];
  if (const auto low = numbers("valid_min"); low.size() == 1) s.low = low[0];
  if (const auto high = numbers("valid_max"); high.size() == 1) s.high = high[0];
  for (const auto& [name, text] : v.attributes)
    if (name == "_Unsigned" && (text == "true" || text == "True"))
      s.wrap = v.type == "int8" ? 256. : v.type == "int16" ? 65536. : v.type == "int32" ? 4294967296. : 0.;
}

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

/// Attribute `scale` multiplies, `full_scale` divides; netCDF's `scale_factor` multiplies, `add_offset` is then added;
/// without them the unit `%` divides by 100.
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
  if (!found && detail::in_percent(v)) s.factor = .01;
  detail::read_cf_limits(data.dataset, v, s);
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

/// The numbers of an attribute of a variable, or of the file where its name is empty; nothing where there is none.
inline std::optional<std::vector<double>> hdf5_attribute_list(const std::string& path, const variable_info& v,
                                                              const std::string& name) {
  const hdf5_quiet quiet;
  const hdf5_id file = hdf5_open(path);
  const std::string where = v.name.empty() ? "/" : hdf5_location(v);
  const hdf5_id object(file ? H5Oopen(file, where.c_str(), H5P_DEFAULT) : -1, H5Oclose);
  if (!object || H5Aexists(object, name.c_str()) <= 0) return std::nullopt;
  const hdf5_id attribute(H5Aopen(object, name.c_str(), H5P_DEFAULT), H5Aclose);
  return attribute ? attribute_numbers(attribute) : std::nullopt;
}

}  // namespace detail

/// MATLAB's v7.3 is the same with its axes reversed, which is what its list says.
inline constexpr data_format hdf5_format{
    file_format::hdf5, "HDF5",     [](const std::string& path) { return list_hdf5(path, file_format::hdf5); },
    check_hdf5_size,   hdf5_scale, read_hdf5<float>,
    read_hdf5<double>};
inline constexpr data_format matlab73_format{file_format::matlab73,
                                             "MATLAB v7.3",
                                             [](const std::string& path) { return list_hdf5(path, file_format::matlab73); },
                                             check_hdf5_size,
                                             hdf5_scale,
                                             read_hdf5<float>,
                                             read_hdf5<double>};

}  // namespace unmask::inline UNMASK_ABI::io
