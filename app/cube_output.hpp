#pragma once

/// The file of a reconstructed cube, in the format that its name's ending says: a format is a line of `cube_formats`.

#include <unmask/io/envi_writer.hpp>
#include <unmask/io/hdf5_writer.hpp>
#include <unmask/io/matlab_writer.hpp>
#include <unmask/io/npz_writer.hpp>
#include <unmask/io/output_checks.hpp>
#if UNMASK_APP_HAS_TIFF
#include <unmask/io/geotiff_cube.hpp>
#endif

#include "context.hpp"

namespace program {

using unmask::io::output_kind;

/// A cube and what is written beside it: wavelengths in nm, and attributes, which only HDF5 has a place for.
struct written_cube {
  unmask::in<float, 3> values;
  std::span<const double> wavelengths;
  const unmask::io::attribute_list& attributes;
};

struct cube_format {
  std::string_view name;
  std::vector<std::string_view> endings;
  output_kind kind;
  bool by_tiles;     ///< whether a cube larger than memory can be written
  bool wavelengths;  ///< whether it has a place for them
  result<> (*write)(const std::string& path, const written_cube& x);
};

namespace detail {

/// Without attributes.
template <result<> (*Write)(const std::string&, unmask::in<float, 3>, std::span<const double>)>
result<> write_plain(const std::string& path, const written_cube& x) {
  return Write(path, x.values, x.wavelengths);
}

inline result<> write_hdf5(const std::string& path, const written_cube& x) {
  return unmask::io::write_cube(path, x.values, x.wavelengths, x.attributes);
}

inline result<> write_npy(const std::string& path, const written_cube& x) {
  const auto& e = x.values.extents();
  return unmask::io::write_npy(path, unmask::io::sample_type::f32, {e[0], e[1], e[2]},
                               unmask::io::detail::bytes_of(x.values));
}

template <unmask::io::matlab_version Version>
result<> write_matlab(const std::string& path, const written_cube& x) {
  return unmask::io::write_matlab(path, x.values, x.wavelengths, Version);
}

}  // namespace detail

/// The first is for any other ending; of two that fit, the earlier counts.
inline const std::vector<cube_format>& cube_formats() {
  namespace io = unmask::io;
  using enum output_kind;
  static const std::vector<cube_format> all = [] {
    std::vector<cube_format> list{
        {"HDF5", {".h5", ".hdf5"}, hdf5, true, true, detail::write_hdf5},
        {"NPY", {".npy"}, npy, false, false, detail::write_npy},
        {"NPZ", {".npz"}, npy, false, true, detail::write_plain<io::write_npz>},
        {"ENVI", {".hdr", ".img", ".dat"}, envi, false, true, detail::write_plain<io::write_envi>},
        {"MATLAB v7.3", {".v73.mat"}, matlab, false, true, detail::write_matlab<io::matlab_version::v73>},
        {"MATLAB", {".mat"}, matlab, false, true, detail::write_matlab<io::matlab_version::by_size>},
    };
#if UNMASK_APP_HAS_TIFF
    list.push_back({"GeoTIFF", {".tif", ".tiff"}, tiff, false, true, detail::write_plain<io::write_geotiff_cube>});
#endif
    return list;
  }();
  return all;
}

/// `ending` in small letters: CUBE.NPY is a .npy too.
inline bool has_ending(std::string path, std::string_view ending) {
  for (char& c : path) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return path.ends_with(ending);
}

inline const cube_format& cube_format_of(const std::string& path) {
  for (const cube_format& f : cube_formats())
    for (const std::string_view ending : f.endings)
      if (has_ending(path, ending)) return f;
  return cube_formats().front();
}

/// The files that a cube's name stands for: ENVI's are two.
inline std::vector<unmask::io::output_file> cube_outputs(const std::string& path) {
  const output_kind kind = cube_format_of(path).kind;
  if (kind != output_kind::envi) return {{path, "--out", kind}};
  const auto files = unmask::io::envi_outputs(path);
  return {{files.header, "--out", kind}, {files.data, "--out", output_kind::envi_data}};
}

/// Errors: an ending that promises a format that is not written; a format without tiles for a cube that is written by
/// them.
inline result<> check_cube_output(const std::string& path, bool by_tiles) {
  const cube_format& format = cube_format_of(path);
  std::string known;
  for (const cube_format& f : cube_formats()) known += (known.empty() ? "" : ", ") + std::string(f.endings[0]);
  for (const char* ending :
       {".png", ".jpg", ".tif", ".tiff", ".nc", ".jp2", ".zip", ".pt", ".bil", ".bip", ".bsq", ".raw"})
    if (&format == &cube_formats().front() && has_ending(path, ending))
      return error(errc::bad_argument, path + ": no cube is written as " + ending + ", expected " + known);
  if (format.kind == output_kind::envi)
    if (auto fine = unmask::io::check_envi_outputs(path); !fine) return fine;
  if (by_tiles && !format.by_tiles)
    return error(errc::bad_argument, path + ": tiles are written into an HDF5 file (--out cube.h5)");
  return {};
}

/// For outputs of several arrays, which have to say their units. Errors: an ending that promises another format.
inline result<> check_hdf5_output(const std::string& path) {
  const cube_format& format = cube_format_of(path);
  if (auto fine = check_cube_output(path, false); !fine || format.kind == output_kind::hdf5) return fine;
  return error(errc::bad_argument,
               path + ": its arrays and their units go into an HDF5 file (.h5), not into " + std::string(format.name));
}

inline result<> write_cube_output(const std::string& path, unmask::in<float, 3> x, std::span<const double> wavelengths,
                                  const unmask::io::attribute_list& attributes) {
  return cube_format_of(path).write(path, {x, wavelengths, attributes});
}

}  // namespace program
