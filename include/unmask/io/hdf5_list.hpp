#pragma once

/// What is in an HDF5 or MATLAB v7.3 file: every dataset with shape, type and attributes. Variables that other programs
/// spread over groups (sparse matrices of MATLAB, everything of Octave) count as one.

#include <algorithm>
#include <cstring>
#include <set>
#include <tuple>

#include "hdf5_problem.hpp"

namespace unmask::inline UNMASK_ABI::io {

namespace detail {

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
  constexpr hsize_t most = PTRDIFF_MAX / 2;
  for (const hsize_t n : dims) v.shape.push_back(static_cast<index_t>((std::min)(n, most)));
  if (H5Sget_simple_extent_type(space) == H5S_NULL) v.numeric = false;
  const auto has = [&](const char* name) { return H5Aexists(dataset, name) > 0; };
  v.column_major = matlab_file || has("MATLAB_class");
  if (!v.column_major) return true;
  std::reverse(v.shape.begin(), v.shape.end());
  for (const auto& [name, text] : v.attributes)
    if (name == "MATLAB_class") {
      if (text == "char" || text == "cell" || text == "function_handle" || text == "struct") v.numeric = false;
      if ((!v.numeric && !v.type.starts_with("complex")) || text == "logical")
        v.type = text == "logical" ? "bool" : text;
    }
  if (has("MATLAB_empty")) {  // the dataset then holds the dimensions instead of the values
    v.numeric = false;
    v.type = "empty " + v.type;
    v.shape.clear();
  }
  return true;
}

/// MATLAB's sparse matrices are groups of data, ir and jc; the number of rows is an attribute, that of columns the
/// length of jc less one.
inline bool hdf5_sparse(hid_t group, variable_info& v) {
  const auto rows = attribute_number(group, "MATLAB_sparse");
  if (!rows) return false;
  v.type = "sparse";
  v.attributes = attributes_of(group);
  v.column_major = true;
  const hdf5_id columns(H5Lexists(group, "jc", H5P_DEFAULT) > 0 ? H5Dopen2(group, "jc", H5P_DEFAULT) : -1, H5Dclose);
  const hdf5_id space(columns ? H5Dget_space(columns) : -1, H5Sclose);
  const hssize_t count = space ? H5Sget_simple_extent_npoints(space) : 0;
  if (*rows >= 0 && *rows < 2147483648.0 && count > 0)
    v.shape = {static_cast<index_t>(*rows), static_cast<index_t>(count - 1)};
  return true;
}

/// Walks the groups by hand: the H5Ovisit family changes its types between HDF5 versions.
class hdf5_walk {
 public:
  hdf5_walk(bool matlab_file, file_info& info, hid_t root) : matlab_(matlab_file), info_(info) {
#if H5_VERSION_GE(1, 12, 0)
    H5O_info2_t there;
    if (H5Oget_info3(root, &there, H5O_INFO_BASIC) >= 0)
      seen_.insert({reinterpret_cast<const char*>(&there.token), sizeof there.token});
#else
    H5O_info_t there;
    if (H5Oget_info(root, &there) >= 0) seen_.insert({reinterpret_cast<const char*>(&there.addr), sizeof there.addr});
#endif
  }

  /// False: damaged. Groups are visited once: hard links may lead from a group to one above it.
  bool operator()(hid_t group, const std::string& prefix, int depth = 0) {
    H5G_info_t g{};
    if (H5Gget_info(group, &g) < 0) return false;
    for (hsize_t i = 0; i < g.nlinks && info_.variables.size() < 100000 && ++links_ < 1000000; ++i) {
      const ssize_t length = H5Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, i, nullptr, 0, H5P_DEFAULT);
      if (length < 0 || length > 65536) return false;
      std::string name(static_cast<std::size_t>(length) + 1, '\0');
      H5Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, i, name.data(), name.size(), H5P_DEFAULT);
      name.resize(static_cast<std::size_t>(length));
      H5L_info_t link;
      std::memset(&link, 0, sizeof link);
      if (H5Lget_info(group, name.c_str(), &link, H5P_DEFAULT) < 0) return false;
      if (link.type != H5L_TYPE_HARD || name.starts_with('#')) continue;  // "#refs#": MATLAB's cells
      const hdf5_id object(H5Oopen(group, name.c_str(), H5P_DEFAULT), H5Oclose);
      if (!object) return false;
      if (H5Iget_type(object) == H5I_GROUP) {
        // An address, or from HDF5 1.12 on a token: either way the bytes that tell one object from another.
        if (depth < 8 && seen_.insert({reinterpret_cast<const char*>(&link.u), sizeof link.u}).second &&
            !enter(object, prefix + name, depth))
          return false;
      } else if (H5Iget_type(object) == H5I_DATASET) {
        variable_info v;
        v.name = prefix + name;
        if (!hdf5_describe(object, matlab_, v)) return false;
        info_.variables.push_back(std::move(v));
      }
    }
    return true;
  }

 private:
  bool enter(hid_t group, const std::string& name, int depth) {
    variable_info v;
    v.name = name;
    if (hdf5_sparse(group, v)) return info_.variables.push_back(std::move(v)), true;
    // Octave: a group of "type" and "value", whose axes are reversed as MATLAB's are.
    const bool octave = H5Aexists(group, "OCTAVE_NEW_FORMAT") > 0 && H5Lexists(group, "value", H5P_DEFAULT) > 0;
    const hdf5_id value(octave ? H5Oopen(group, "value", H5P_DEFAULT) : -1, H5Oclose);
    if (value && H5Iget_type(value) == H5I_DATASET) {
      if (!hdf5_describe(value, true, v)) return false;
      v.location = name + "/value";
      return info_.variables.push_back(std::move(v)), true;
    }
    return (*this)(group, name + "/", depth + 1);
  }

  bool matlab_;
  file_info& info_;
  std::set<std::string> seen_;
  std::uint64_t links_ = 0;
};

}  // namespace detail

/// Every dataset of the file, in the order of their names.
inline result<file_info> list_hdf5(const std::string& path, file_format format) {
  const detail::hdf5_quiet quiet;
  const auto file = detail::hdf5_open(path);
  if (!file) return detail::hdf5_unreadable(path);
  file_info info{path, format, {}, detail::attributes_of(file)};
  const detail::hdf5_id root(H5Gopen2(file, "/", H5P_DEFAULT), H5Gclose);
  detail::hdf5_walk walk(format == file_format::matlab73, info, root);
  if (!root || !walk(root, "")) return detail::hdf5_unreadable(path);
  return info;
}

}  // namespace unmask::inline UNMASK_ABI::io
