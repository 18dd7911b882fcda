#pragma once

/// HDF5 and MATLAB v7.3 files, read side: listing and reading one dataset. Axis order and scale: docs/files.md.

#include <algorithm>
#include <tuple>

#include "hdf5_chunks.hpp"
#include "hdf5_handle.hpp"
#include "variables.hpp"

namespace unmask::inline UNMASK_ABI::io {

namespace detail {

inline error hdf5_unreadable(const std::string& path) {
  return error(errc::unreadable, printable(path, 1000) + ": damaged or truncated HDF5 file");
}

inline error hdf5_unreadable(const std::string& path, const variable_info& v) {
  return variable_error(errc::unreadable, path, v, "cannot be read (damaged or truncated file)");
}

/// Shape, type and attributes of an open dataset. False: damaged.
inline bool hdf5_describe(hid_t dataset, bool matlab_file, variable_info& v) {
  const hdf5_id space(H5Dget_space(dataset), H5Sclose), type(H5Dget_type(dataset), H5Tclose);
  if (!space || !type) return false;
  std::tie(v.type, v.numeric) = hdf5_type_name(type);
  v.attributes = attributes_of(dataset);
  const int rank = H5Sget_simple_extent_ndims(space);
  if (rank < 0) return false;
  std::vector<hsize_t> dims(static_cast<std::size_t>(rank));
  if (rank > 0 && H5Sget_simple_extent_dims(space, dims.data(), nullptr) < 0) return false;
  for (const hsize_t n : dims) v.shape.push_back(n > hsize_t{1} << 62 ? index_t{1} << 62 : static_cast<index_t>(n));
  if (H5Sget_simple_extent_type(space) == H5S_NULL) v.numeric = false;
  const auto has = [&](const char* name) { return H5Aexists(dataset, name) > 0; };
  v.column_major = matlab_file || has("MATLAB_class");
  if (!v.column_major) return true;
  std::reverse(v.shape.begin(), v.shape.end());
  for (const auto& [name, text] : v.attributes)
    if (name == "MATLAB_class") {
      if (text == "char" || text == "cell" || text == "function_handle" || text == "struct") v.numeric = false;
      if (!v.numeric || text == "logical") v.type = text == "logical" ? "bool" : text;
    }
  if (has("MATLAB_empty")) {  // the dataset then holds the dimensions instead of the values
    v.numeric = false;
    v.type = "empty " + v.type;
    v.shape.clear();
  }
  if (has("MATLAB_sparse")) v.type = "sparse";
  return true;
}

/// Walks the groups by hand: the H5Ovisit family changes its types between HDF5 versions. `depth` ends hard-link
/// cycles.
inline bool hdf5_walk(hid_t group, const std::string& prefix, bool matlab_file, int depth, file_info& info) {
  H5G_info_t g{};
  if (H5Gget_info(group, &g) < 0) return false;
  for (hsize_t i = 0; i < g.nlinks && info.variables.size() < 100000; ++i) {
    const ssize_t length = H5Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, i, nullptr, 0, H5P_DEFAULT);
    if (length < 0 || length > 65536) return false;
    std::string name(static_cast<std::size_t>(length) + 1, '\0');
    H5Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, i, name.data(), name.size(), H5P_DEFAULT);
    name.resize(static_cast<std::size_t>(length));
    H5L_info_t link{};
    if (H5Lget_info(group, name.c_str(), &link, H5P_DEFAULT) < 0) return false;
    if (link.type != H5L_TYPE_HARD || name.starts_with('#')) continue;  // "#refs#": MATLAB's cells
    const hdf5_id object(H5Oopen(group, name.c_str(), H5P_DEFAULT), H5Oclose);
    if (!object) return false;
    if (H5Iget_type(object) == H5I_GROUP && depth < 8) {
      if (!hdf5_walk(object, prefix + name + "/", matlab_file, depth + 1, info)) return false;
    } else if (H5Iget_type(object) == H5I_DATASET) {
      variable_info v;
      v.name = prefix + name;
      if (!hdf5_describe(object, matlab_file, v)) return false;
      info.variables.push_back(std::move(v));
    }
  }
  return true;
}

}  // namespace detail

/// Every dataset of the file, in the order of their names.
inline result<file_info> list_hdf5(const std::string& path, file_format format) {
  const detail::hdf5_quiet quiet;
  const auto file = detail::hdf5_open(path);
  if (!file) return detail::hdf5_unreadable(path);
  file_info info{path, format, {}, detail::attributes_of(file)};
  const detail::hdf5_id root(H5Gopen2(file, "/", H5P_DEFAULT), H5Gclose);
  if (!root || !detail::hdf5_walk(root, "", format == file_format::matlab73, 0, info))
    return detail::hdf5_unreadable(path);
  return info;
}

/// The factor from stored to physical values: attribute `scale` multiplies, `full_scale` divides; 1 without either.
inline result<double> hdf5_scale(const std::string& path, const variable_info& v) {
  const detail::hdf5_quiet quiet;
  const auto file = detail::hdf5_open(path);
  const detail::hdf5_id dataset(file ? H5Dopen2(file, v.name.c_str(), H5P_DEFAULT) : -1, H5Dclose);
  if (!dataset) return detail::hdf5_unreadable(path);
  const auto scale = detail::attribute_number(dataset, "scale");
  const auto full = detail::attribute_number(dataset, "full_scale");
  if (scale && full)
    return detail::variable_error(errc::wrong_value, path, v, "has both attributes 'scale' and 'full_scale'");
  const double factor = scale ? *scale : full ? 1.0 / *full : 1.0;
  if (!std::isfinite(factor) || factor == 0.0)
    return detail::variable_error(errc::wrong_value, path, v,
                                  std::string("has an attribute '") + (scale ? "scale" : "full_scale") +
                                      "' that is not one finite number other than 0");
  return factor;
}

/// Bytes in the file that a dataset must have behind it: refuses sizes that nothing was ever stored for.
inline result<> check_hdf5_size(const std::string& path, const variable_info& v) {
  const detail::hdf5_quiet quiet;
  const auto elements = detail::checked_elements(path, v);
  if (!elements) return elements.error();
  const auto file = detail::hdf5_open(path);
  const detail::hdf5_id dataset(file ? H5Dopen2(file, v.name.c_str(), H5P_DEFAULT) : -1, H5Dclose);
  if (!dataset) return detail::hdf5_unreadable(path);
  const std::uint64_t stored = H5Dget_storage_size(dataset);
  // deflate packs at most 1032 to 1; small datasets of one fill value are let through.
  if (*elements > (std::int64_t{1} << 24) && static_cast<std::uint64_t>(*elements) / 1032 > stored)
    return detail::variable_error(
        errc::unreadable, path, v,
        "claims [" + detail::shape_text(v.shape) + "] elements in " + std::to_string(stored) + " bytes");
  if (!detail::hdf5_layout_fits(dataset)) return detail::hdf5_unreadable(path, v);
  return {};
}

/// Reads the numbers of one listed dataset in the file's order, without scale. T is float or double.
template <class T>
result<> read_hdf5(const std::string& path, const variable_info& v, T* to) {
  const detail::hdf5_quiet quiet;
  const auto file = detail::hdf5_open(path);
  const detail::hdf5_id dataset(file ? H5Dopen2(file, v.name.c_str(), H5P_DEFAULT) : -1, H5Dclose);
  if (!dataset) return detail::hdf5_unreadable(path);
  const hid_t type = sizeof(T) == sizeof(double) ? H5T_NATIVE_DOUBLE : H5T_NATIVE_FLOAT;
  if (H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, to) < 0) return detail::hdf5_unreadable(path, v);
  return {};
}

}  // namespace unmask::inline UNMASK_ABI::io
