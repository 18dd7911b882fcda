#pragma once

/// The file of a reconstructed cube, in the format that its name's ending says.

#include <unmask/io/hdf5_writer.hpp>
#include <unmask/io/npy.hpp>

#include "context.hpp"

namespace program {

/// `ending` in small letters: CUBE.NPY is a .npy too.
inline bool has_ending(std::string path, std::string_view ending) {
  for (char& c : path) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return path.ends_with(ending);
}

inline bool is_npy(const std::string& path) { return has_ending(path, ".npy"); }

/// Errors: an ending that promises another format than HDF5 or NPY; NPY for a cube that is written by tiles.
inline result<> check_cube_output(const std::string& path, bool by_tiles) {
  for (const char* ending : {".mat", ".npz", ".hdr", ".img", ".dat", ".tif", ".tiff", ".png"})
    if (has_ending(path, ending))
      return error(errc::bad_argument, path + ": cubes are written as HDF5 or NumPy's NPY (--out cube.h5 or cube.npy)");
  if (by_tiles && is_npy(path))
    return error(errc::bad_argument, path + ": tiles are written into an HDF5 file (--out cube.h5)");
  return {};
}

/// `attributes`: what HDF5 keeps beside the numbers; NPY has the numbers alone.
inline result<> write_cube_output(const std::string& path, unmask::in<float, 3> x, std::span<const double> wavelengths,
                                  const unmask::io::attribute_list& attributes) {
  if (!is_npy(path)) return unmask::io::write_cube(path, x, wavelengths, attributes);
  return unmask::io::write_npy(path, unmask::io::sample_type::f32, {x.extent(0), x.extent(1), x.extent(2)},
                               std::as_bytes(std::span(x.data(), static_cast<std::size_t>(x.size()))));
}

}  // namespace program
