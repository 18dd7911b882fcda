#pragma once

/// A cube written tile by tile into a file that appears complete or not at all, for cubes larger than memory. Stored as
/// `write_cube` stores it, in chunks whose borders are those of the tiles, so that each is packed and written once.
///
/// HDF5 writes here by itself, into the temporary file of an `atomic_file`. After a failed write (full disk) it cannot
/// close that file: its descriptor stays open until the program ends, and the program should call `H5dont_atexit`.

#include "hdf5_writer.hpp"

namespace unmask::inline UNMASK_ABI::io {

class cube_stream {
 public:
  /// A cube [H, W, bands] that comes in tiles of `tile` x `tile` pixels (smaller at the right and bottom edge).
  static result<cube_stream> create(const std::string& path, const std::array<index_t, 3>& extents,
                                    std::array<index_t, 2> tile) {
    auto target = atomic_file::create(path);
    if (!target) return target.error();
    if (target->direct())
      return error(errc::not_writable,
                   detail::printable(path, 1000) + ": a cube written tile by tile needs a regular file");
    cube_stream s(path, std::move(*target), extents);
    const detail::hdf5_quiet quiet;
    s.file_ = {H5Fcreate(s.target_.path().c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), H5Fclose};
    std::array<hsize_t, 3> dims{}, chunk{};
    for (std::size_t d = 0; d < 3; ++d) {
      if (extents[d] <= 0)
        return error(errc::wrong_shape, path + ": 'cube' is empty [" + detail::shape_text(extents) + "]");
      dims[d] = static_cast<hsize_t>(extents[d]);
      chunk[d] = std::min(dims[d], d == 2 ? hsize_t{16} : chunk_side(tile[d], extents[d]));
    }
    const detail::hdf5_id space(H5Screate_simple(3, dims.data(), nullptr), H5Sclose),
        creation = detail::hdf5_creation(3, chunk.data());
    s.data_ = {H5Dcreate2(s.file_, "cube", H5T_IEEE_F32LE, space, H5P_DEFAULT, creation, H5P_DEFAULT), H5Dclose};
    if (!s.file_ || !s.data_) return s.failed();
    return s;
  }

  cube_stream(cube_stream&&) = default;
  cube_stream& operator=(cube_stream&&) = default;
  ~cube_stream() {
    const detail::hdf5_quiet quiet;  // closing a file that could not be written fails again
    data_ = {};
    file_ = {};
  }

  /// Puts `part` where its first pixel is (row, column). Errors: values that are not finite, a full disk.
  result<> write(index_t row, index_t column, in<float, 3> part) {
    const detail::hdf5_quiet quiet;
    if (std::find_if_not(part.begin(), part.end(), [](float x) { return is_finite(x); }) != part.end())
      return error(errc::wrong_value, path_ + ": 'cube' has a value that is NaN or infinite, not written");
    const std::array<hsize_t, 3> start{static_cast<hsize_t>(row), static_cast<hsize_t>(column), 0};
    std::array<hsize_t, 3> size{};
    for (std::size_t d = 0; d < 3; ++d) size[d] = static_cast<hsize_t>(part.extent(d));
    const detail::hdf5_id stored(H5Dget_space(data_), H5Sclose),
        memory(H5Screate_simple(3, size.data(), nullptr), H5Sclose);
    if (H5Sselect_hyperslab(stored, H5S_SELECT_SET, start.data(), nullptr, size.data(), nullptr) < 0 ||
        H5Dwrite(data_, H5T_NATIVE_FLOAT, memory, stored, H5P_DEFAULT, part.data()) < 0)
      return failed();
    return {};
  }

  /// Adds wavelengths (nm; empty: unknown) and attributes of the cube, and gives the file its name.
  result<> commit(std::span<const double> wavelengths, const attribute_list& attributes) {
    const detail::hdf5_quiet quiet;
    bool fine = true;
    for (const attribute& a : attributes) fine = fine && detail::hdf5_write_attribute(data_, a);
    if (!wavelengths.empty()) {
      const hsize_t count = wavelengths.size();
      const detail::hdf5_id space(H5Screate_simple(1, &count, nullptr), H5Sclose),
          list(H5Dcreate2(file_, "wavelengths", H5T_IEEE_F64LE, space, H5P_DEFAULT, detail::hdf5_creation(0, nullptr),
                          H5P_DEFAULT),
               H5Dclose);
      fine = fine && list && H5Dwrite(list, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, wavelengths.data()) >= 0;
      fine = fine && detail::hdf5_write_attribute(list, {"units", "nm"});
    }
    if (!fine || H5Fflush(file_, H5F_SCOPE_GLOBAL) < 0) return failed();
    data_ = {};
    file_ = {};
    if (auto done = target_.append(std::as_bytes(std::span(output_mark))); !done) return done;
    return target_.commit();
  }

 private:
  cube_stream(std::string path, atomic_file target, const std::array<index_t, 3>& extents)
      : path_(std::move(path)), target_(std::move(target)), extents_(extents) {}

  error failed() const {
    return error(errc::not_writable, detail::printable(path_, 1000) + ": the cube of [" + detail::shape_text(extents_) +
                                         "] cannot be written (is the disk full?)");
  }

  /// The largest divisor of a tile's side up to 64; 64 where a tile is the whole axis.
  static hsize_t chunk_side(index_t tile, index_t extent) {
    if (tile >= extent) return 64;
    index_t side = 64;
    while (tile % side != 0) --side;
    return static_cast<hsize_t>(side);
  }

  std::string path_;
  atomic_file target_;
  std::array<index_t, 3> extents_;
  detail::hdf5_id file_, data_;  // the file outlives its dataset
};

}  // namespace unmask::inline UNMASK_ABI::io
