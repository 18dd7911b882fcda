#pragma once

/// A cube as a MATLAB file: v5, which every MATLAB, Octave and SciPy reads, or v7.3 (HDF5) where the numbers are more
/// than the 2 GB that a variable of v5 may have. Source: MathWorks, "MAT-File Format".
///
/// `cube` is [H x W x C] there, first index fastest, and `wavelengths` [1 x C] in nm. Both are written band by band: no
/// second cube in memory.

#include <functional>

#include "atomic_file.hpp"
#include "cube_checks.hpp"
#include "hdf5_writer.hpp"

namespace unmask::inline UNMASK_ABI::io {

enum class matlab_version { v5, v73, by_size };

namespace detail {

/// Whether so many float32 and what stands before them are no more than 2 GB, which is the most that a variable may
/// have.
inline bool fits_matlab5(std::uint64_t numbers) { return numbers * sizeof(float) <= (std::uint64_t{1} << 31) - 1024; }

/// Row by row becomes column by column: one band, first index fastest.
inline void matlab_band(in<float, 3> cube, index_t band, std::vector<float>& to) {
  const index_t H = cube.extent(0), W = cube.extent(1);
  for (index_t h = 0; h < H; ++h)
    for (index_t w = 0; w < W; ++w) to[static_cast<std::size_t>(w * H + h)] = cube(h, w, band);
}

/// The 128 bytes in front: text, version, and two letters that tell the byte order.
inline std::string matlab_front(std::string text, std::uint16_t version) {
  text.resize(124, ' ');
  const std::array<std::uint16_t, 2> end{version, 0x4d49};
  return text.append(reinterpret_cast<const char*>(end.data()), 4);
}

/// The head of a numeric variable of v5, up to its numbers. `type`: 7 float32, 9 float64; `kind`: 7 single, 6 double.
inline std::string matlab5_head(const std::string& name, const std::vector<index_t>& shape, std::uint32_t kind,
                                std::uint64_t bytes) {
  const std::uint64_t dims = (shape.size() * 4 + 7) / 8 * 8, letters = (name.size() + 7) / 8 * 8;
  const std::uint64_t whole = 16 + 8 + dims + 8 + letters + 8 + (bytes + 7) / 8 * 8;
  std::string head;
  const auto put = [&](std::uint64_t n) {
    const auto word = static_cast<std::uint32_t>(n);
    head.append(reinterpret_cast<const char*>(&word), 4);
  };
  put(14), put(whole);
  put(6), put(8), put(kind), put(0);
  put(5), put(shape.size() * 4);
  for (const index_t n : shape) put(static_cast<std::uint64_t>(n));
  if (shape.size() % 2 == 1) put(0);
  put(1), put(name.size());
  head.append(name).append(letters - name.size(), '\0');
  put(kind == 7 ? 7 : 9), put(bytes);
  return head;
}

inline result<> write_matlab5(const std::string& path, in<float, 3> cube, std::span<const double> wavelengths) {
  auto file = atomic_file::create(path);
  if (!file) return file.error();
  const auto write = [&](const std::string& text) {
    return file->write(std::as_bytes(std::span(text.data(), text.size())));
  };
  const std::uint64_t bytes = static_cast<std::uint64_t>(cube.size()) * sizeof(float);
  if (auto ok = write(matlab_front("MATLAB 5.0 MAT-file, written by unmask", 0x0100)); !ok) return ok;
  if (auto ok = write(matlab5_head("cube", {cube.extent(0), cube.extent(1), cube.extent(2)}, 7, bytes)); !ok) return ok;
  std::vector<float> band(static_cast<std::size_t>(cube.extent(0) * cube.extent(1)));
  for (index_t c = 0; c < cube.extent(2); ++c) {
    matlab_band(cube, c, band);
    if (auto ok = file->write(std::as_bytes(std::span(band))); !ok) return ok;
  }
  if (auto ok = write(std::string((8 - bytes % 8) % 8, '\0')); !ok) return ok;
  if (!wavelengths.empty()) {
    const auto count = static_cast<index_t>(wavelengths.size());
    if (auto ok = write(matlab5_head("wavelengths", {1, count}, 6, wavelengths.size_bytes())); !ok) return ok;
    if (auto ok = file->write(std::as_bytes(wavelengths)); !ok) return ok;
  }
  return file->commit();
}

/// A dataset that MATLAB takes for one of its own.
inline bool matlab73_put(hid_t file, const std::string& name, const std::vector<hsize_t>& dims, const char* kind,
                         const std::function<bool(hid_t)>& fill) {
  std::vector<hsize_t> chunk = dims;
  for (std::size_t d = 0; d < dims.size(); ++d) chunk[d] = std::min<hsize_t>(dims[d], d == 0 ? 1 : 256);  // of a band
  const bool single = std::string_view(kind) == "single";
  const hdf5_id space(H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr), H5Sclose),
      creation = hdf5_creation(single ? dims.size() : 0, chunk.data());
  const hdf5_id data(H5Dcreate2(file, name.c_str(), single ? H5T_IEEE_F32LE : H5T_IEEE_F64LE, space, H5P_DEFAULT,
                                creation, H5P_DEFAULT),
                     H5Dclose);
  if (!data || !fill(data)) return false;
  // MATLAB wants the name of its class without a zero behind it
  const hdf5_id type(H5Tcopy(H5T_C_S1), H5Tclose), scalar(H5Screate(H5S_SCALAR), H5Sclose);
  H5Tset_size(type, std::strlen(kind));
  const hdf5_id at(H5Acreate2(data, "MATLAB_class", type, scalar, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  return at && H5Awrite(at, type, kind) >= 0;
}

inline result<> write_matlab73(const std::string& path, in<float, 3> cube, std::span<const double> wavelengths) {
  auto target = atomic_file::create(path);
  if (!target) return target.error();
  const std::string name = printable(path, 1000);
  if (target->direct()) return error(errc::not_writable, name + ": MATLAB v7.3 needs a regular file");
  const hdf5_quiet quiet;
  const hdf5_id creation(H5Pcreate(H5P_FILE_CREATE), H5Pclose);
  H5Pset_userblock(creation, 512);
  hdf5_id file(H5Fcreate(target->path().c_str(), H5F_ACC_TRUNC, creation, H5P_DEFAULT), H5Fclose);
  const auto extent = [&](std::size_t d) { return static_cast<hsize_t>(cube.extent(d)); };
  std::vector<float> band(static_cast<std::size_t>(cube.extent(0) * cube.extent(1)));
  const auto bands = [&](hid_t data) {
    const std::array<hsize_t, 3> size{1, extent(1), extent(0)};
    const hdf5_id stored(H5Dget_space(data), H5Sclose), memory(H5Screate_simple(3, size.data(), nullptr), H5Sclose);
    for (hsize_t c = 0; c < extent(2); ++c) {
      const std::array<hsize_t, 3> start{c, 0, 0};
      matlab_band(cube, static_cast<index_t>(c), band);
      if (H5Sselect_hyperslab(stored, H5S_SELECT_SET, start.data(), nullptr, size.data(), nullptr) < 0 ||
          H5Dwrite(data, H5T_NATIVE_FLOAT, memory, stored, H5P_DEFAULT, band.data()) < 0)
        return false;
    }
    return true;
  };
  bool fine = file && matlab73_put(file, "cube", {extent(2), extent(1), extent(0)}, "single", bands);
  if (!wavelengths.empty())
    fine = fine && matlab73_put(file, "wavelengths", {wavelengths.size(), 1}, "double", [&](hid_t data) {
             return H5Dwrite(data, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, wavelengths.data()) >= 0;
           });
  if (!fine || H5Fflush(file, H5F_SCOPE_GLOBAL) < 0)
    return error(errc::not_writable, name + ": the cube cannot be written (is the disk full?)");
  file = {};
  const std::string front = matlab_front("MATLAB 7.3 MAT-file, written by unmask, HDF5 schema 1.00 .", 0x0200);
  if (auto ok = target->write(std::as_bytes(std::span(front.data(), front.size()))); !ok) return ok;
  if (auto ok = target->append(std::as_bytes(std::span(output_mark))); !ok) return ok;
  return target->commit();
}

}  // namespace detail

/// `wavelengths` in nm, or none. Errors: `not_writable`, `bad_argument` (more than 2 GB for v5), and those of a cube
/// that no file should hold.
inline result<> write_matlab(const std::string& path, in<float, 3> cube, std::span<const double> wavelengths = {},
                             matlab_version version = matlab_version::by_size) {
  if (auto fine = detail::check_written_cube(path, cube, wavelengths); !fine) return fine;
  const bool small = detail::fits_matlab5(static_cast<std::uint64_t>(cube.size()));
  if (version == matlab_version::v5 && !small)
    return error(errc::bad_argument, detail::printable(path, 1000) +
                                         ": more than the 2 GB that a variable of MATLAB v5 may have (v7.3 may)");
  return version == matlab_version::v73 || !small ? detail::write_matlab73(path, cube, wavelengths)
                                                  : detail::write_matlab5(path, cube, wavelengths);
}

}  // namespace unmask::inline UNMASK_ABI::io
