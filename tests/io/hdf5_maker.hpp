#pragma once

/// HDF5 files as other programs write them, for the tests: what our own writer would never make.

#include <hdf5.h>

#include "helpers.hpp"
#include "unmask/io/hdf5_handle.hpp"

namespace io_test {

using unmask::io::detail::hdf5_id;

class hdf5_maker {
 public:
  explicit hdf5_maker(const std::string& path, bool latest = false) {
    const hdf5_id access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
    if (latest) H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110);
    file_ = {H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access), H5Fclose};
    REQUIRE(file_);
  }
  hid_t file() const { return file_; }

  hdf5_id group(const std::string& name) {
    return {H5Gcreate2(file_, name.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Gclose};
  }

  /// A dataset of any stored type. `creation`: chunks and filters; H5P_DEFAULT is contiguous.
  template <class T>
  hdf5_id put(const std::string& name, const std::vector<hsize_t>& dims, const std::vector<T>& values, hid_t stored,
              hid_t creation = H5P_DEFAULT) {
    const hdf5_id space(H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr), H5Sclose);
    hdf5_id data(H5Dcreate2(file_, name.c_str(), stored, space, H5P_DEFAULT, creation, H5P_DEFAULT), H5Dclose);
    REQUIRE(data);
    const hid_t memory = std::is_same_v<T, double>  ? H5T_NATIVE_DOUBLE
                         : std::is_same_v<T, float> ? H5T_NATIVE_FLOAT
                                                    : H5T_NATIVE_INT;
    if (!values.empty()) REQUIRE(H5Dwrite(data, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) >= 0);
    return data;
  }
  hdf5_id put(const std::string& name, const std::vector<double>& list) {
    return put(name, {list.size()}, list, H5T_NATIVE_DOUBLE);
  }

  static void attribute(hid_t object, const char* name, double value) {
    const hdf5_id space(H5Screate(H5S_SCALAR), H5Sclose);
    const hdf5_id at(H5Acreate2(object, name, H5T_NATIVE_DOUBLE, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
    H5Awrite(at, H5T_NATIVE_DOUBLE, &value);
  }
  static void attribute(hid_t object, const char* name, const std::string& text) {
    const hdf5_id space(H5Screate(H5S_SCALAR), H5Sclose), type(H5Tcopy(H5T_C_S1), H5Tclose);
    H5Tset_size(type, text.size());
    const hdf5_id at(H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
    H5Awrite(at, type, text.data());
  }

 private:
  hdf5_id file_;
};

/// h, w, c scaled to 0..1, every value different.
inline std::vector<float> values(std::size_t count) {
  std::vector<float> v(count);
  for (std::size_t i = 0; i < count; ++i) v[i] = static_cast<float>(i) / static_cast<float>(count);
  return v;
}

}  // namespace io_test
