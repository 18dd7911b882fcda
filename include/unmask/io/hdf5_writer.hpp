#pragma once

/// Writes several arrays into one HDF5 file that appears complete or not at all.
///
///   auto done = hdf5_writer("scene.h5").put("measurement", y.view()).put("mask", m.view()).put("cube",
///   x.view()).save();
///
/// The file is built in memory and handed to `atomic_file` as bytes: HDF5 writes when it closes, and on a full disk
/// leaves a broken file behind and an identifier that it cannot close.

#include <algorithm>
#include <array>
#include <cmath>
#include <initializer_list>
#include <span>
#include <utility>
#include <variant>

#include "../core/finite.hpp"
#include "../core/view.hpp"
#include "atomic_file.hpp"
#include "hdf5_handle.hpp"
#include "output_checks.hpp"

namespace unmask::inline UNMASK_ABI::io {

using attribute = std::pair<std::string, std::variant<double, std::string>>;
using attribute_list = std::vector<attribute>;

enum class encoding {
  float32,
  uint16  ///< values in [0, 1] as 0..65535 with the attribute full_scale = 65535: half the size, error below 8e-6
};

namespace detail {

inline bool hdf5_write_attribute(hid_t object, const attribute& a) {
  const hdf5_id space(H5Screate(H5S_SCALAR), H5Sclose);
  if (const double* number = std::get_if<double>(&a.second)) {
    const hdf5_id at(H5Acreate2(object, a.first.c_str(), H5T_IEEE_F64LE, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
    return at && H5Awrite(at, H5T_NATIVE_DOUBLE, number) >= 0;
  }
  const std::string& text = *std::get_if<std::string>(&a.second);
  const hdf5_id type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type, text.size() + 1);
  H5Tset_cset(type, H5T_CSET_UTF8);
  const hdf5_id at(H5Acreate2(object, a.first.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  return at && H5Awrite(at, type, text.c_str()) >= 0;
}

/// How every array is stored: in chunks, shuffled, deflated and with a checksum; without chunks where rank is 0.
inline hdf5_id hdf5_creation(std::size_t rank, const hsize_t* chunk) {
  hdf5_id creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  H5Pset_obj_track_times(creation, false);  // the same data gives the same bytes
  if (rank == 0) return creation;
  H5Pset_chunk(creation, static_cast<int>(rank), chunk);
  H5Pset_shuffle(creation);
  H5Pset_deflate(creation, 4);
  H5Pset_fletcher32(creation);  // otherwise HDF5 does not notice damaged values
  return creation;
}

}  // namespace detail

class hdf5_writer {
 public:
  /// Nothing is touched before `save`.
  explicit hdf5_writer(std::string path) : path_(std::move(path)) {
    const detail::hdf5_quiet quiet;
    const detail::hdf5_id access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
    H5Pset_fapl_core(access, std::size_t{1} << 20, false);
    // Under the path itself HDF5 would first read a file that is there into memory; below a file there is none.
    file_ = {H5Fcreate((path_ + "/image").c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access), H5Fclose};
    if (!file_) fail("HDF5 cannot build the file");
  }

  hdf5_writer& put(const std::string& name, in<float, 3> cube, const attribute_list& attributes = {},
                   encoding how = encoding::float32) {
    return put_floats(name, cube.data(), cube.extents(), attributes, how);
  }
  hdf5_writer& put(const std::string& name, in<float, 2> plane, const attribute_list& attributes = {},
                   encoding how = encoding::float32) {
    return put_floats(name, plane.data(), plane.extents(), attributes, how);
  }
  hdf5_writer& put(const std::string& name, std::span<const double> list, const attribute_list& attributes = {}) {
    const std::array<hsize_t, 1> dims{list.size()};
    if (!all_finite(name, list.data(), list.size())) return *this;
    return put_raw(name, dims, H5T_NATIVE_DOUBLE, H5T_IEEE_F64LE, list.data(), attributes);
  }

  /// An attribute of the file itself.
  hdf5_writer& put(const attribute& a) {
    const detail::hdf5_quiet quiet;
    if (!error_ && !detail::hdf5_write_attribute(file_, a))
      fail("HDF5 cannot store attribute '" + detail::printable(a.first) + "'");
    return *this;
  }

  /// Writes the file; the first error of any `put` is returned here.
  result<> save() {
    const detail::hdf5_quiet quiet;
    if (error_) return *error_;
    if (H5Fflush(file_, H5F_SCOPE_GLOBAL) < 0) fail("HDF5 cannot build the file");
    const ssize_t size = H5Fget_file_image(file_, nullptr, 0);
    if (size <= 0) fail("HDF5 cannot build the file");
    if (error_) return *error_;
    auto image = detail::allocate<std::byte>(size);
    if (!image || H5Fget_file_image(file_, image->data(), image->size()) != size) fail("HDF5 cannot build the file");
    if (error_) return *error_;
    auto file = atomic_file::create(path_);
    if (!file) return file.error();
    if (auto done = file->write(std::span<const std::byte>(*image)); !done) return done;
    if (auto done = file->write(std::as_bytes(std::span(output_mark))); !done) return done;
    return file->commit();
  }

 private:
  void fail(const std::string& what) {
    if (!error_) error_ = unmask::error(errc::not_writable, detail::printable(path_, 1000) + ": " + what);
  }

  template <class T>
  bool all_finite(const std::string& name, const T* values, std::size_t count) {
    const auto bad = std::find_if_not(values, values + count, [](T x) { return is_finite(x); });
    if (bad == values + count) return true;
    error_ = unmask::error(errc::wrong_value, path_ + ": '" + name + "' has a value that is NaN or infinite (element " +
                                                  std::to_string(bad - values) + "), not written");
    return false;
  }

  template <std::size_t Rank>
  hdf5_writer& put_floats(const std::string& name, const float* values, const std::array<index_t, Rank>& extents,
                          attribute_list attributes, encoding how) {
    if (error_) return *this;
    std::array<hsize_t, Rank> dims{};
    std::size_t count = 1;
    for (std::size_t d = 0; d < Rank; ++d) {
      if (extents[d] <= 0) {
        error_ =
            unmask::error(errc::wrong_shape, path_ + ": '" + name + "' is empty [" + detail::shape_text(extents) + "]");
        return *this;
      }
      dims[d] = static_cast<hsize_t>(extents[d]);
      count *= static_cast<std::size_t>(extents[d]);
    }
    if (!all_finite(name, values, count)) return *this;
    if (how == encoding::float32) return put_raw(name, dims, H5T_NATIVE_FLOAT, H5T_IEEE_F32LE, values, attributes);
    std::vector<std::uint16_t> levels(count);
    for (std::size_t i = 0; i < count; ++i) {
      if (values[i] < 0.f || values[i] > 1.f) {
        error_ = unmask::error(errc::wrong_value, path_ + ": '" + name + "' has a value of " +
                                                      detail::number_text(values[i]) + ", 16-bit storage holds 0..1");
        return *this;
      }
      levels[i] = static_cast<std::uint16_t>(std::lround(values[i] * 65535.f));
    }
    attributes.emplace_back("full_scale", 65535.0);
    return put_raw(name, dims, H5T_NATIVE_UINT16, H5T_STD_U16LE, levels.data(), attributes);
  }

  template <std::size_t Rank>
  hdf5_writer& put_raw(const std::string& name, const std::array<hsize_t, Rank>& dims, hid_t memory, hid_t stored,
                       const void* values, const attribute_list& attributes) {
    if (error_) return *this;
    const detail::hdf5_quiet quiet;
    const detail::hdf5_id space(H5Screate_simple(static_cast<int>(Rank), dims.data(), nullptr), H5Sclose);
    const detail::hdf5_id link(H5Pcreate(H5P_LINK_CREATE), H5Pclose);
    H5Pset_create_intermediate_group(link, 1);
    std::array<hsize_t, Rank> chunk{};
    constexpr std::array<hsize_t, 3> most{64, 64, 16};  // 256 KiB of floats: bands and crops both read few chunks
    for (std::size_t d = 0; d < Rank; ++d) chunk[d] = std::min(dims[d], most[d]);
    const detail::hdf5_id creation = detail::hdf5_creation(Rank >= 2 ? Rank : 0, chunk.data());
    const detail::hdf5_id data(H5Dcreate2(file_, name.c_str(), stored, space, link, creation, H5P_DEFAULT), H5Dclose);
    if (!data || H5Dwrite(data, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0)
      fail("HDF5 cannot store '" + detail::printable(name) + "' (is the name there twice?)");
    for (const attribute& a : attributes)
      if (!error_ && !detail::hdf5_write_attribute(data, a))
        fail("HDF5 cannot store attribute '" + detail::printable(a.first) + "'");
    return *this;
  }

  std::string path_;
  detail::hdf5_id file_;
  std::optional<unmask::error> error_;
};

/// A cube with its wavelengths (nm; empty: unknown).
inline result<> write_cube(const std::string& path, in<float, 3> cube, std::span<const double> wavelengths = {},
                           const attribute_list& attributes = {}, encoding how = encoding::float32) {
  if (!wavelengths.empty() && static_cast<index_t>(wavelengths.size()) != cube.extent(2))
    return error(errc::wrong_shape, path + ": " + std::to_string(wavelengths.size()) + " wavelengths for a cube of " +
                                        std::to_string(cube.extent(2)) + " bands");
  hdf5_writer file(path);
  file.put("cube", cube, attributes, how);
  if (!wavelengths.empty()) file.put("wavelengths", wavelengths, {{"units", "nm"}});
  return file.save();
}

/// One mask, measurement or map under a name of its own.
inline result<> write_plane(const std::string& path, const std::string& name, in<float, 2> plane,
                            const attribute_list& attributes = {}) {
  return hdf5_writer(path).put(name, plane, attributes).save();
}

}  // namespace unmask::inline UNMASK_ABI::io
