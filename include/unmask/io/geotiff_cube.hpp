#pragma once

/// A cube as a GeoTIFF of float32, a sample a band. Wavelengths are where GDAL and what is built on it look for them:
/// in the metadata of each band (`wavelength`, `wavelength_units`), and in its description.

#include "cube_checks.hpp"
#include "geotiff_writer.hpp"

namespace unmask::inline UNMASK_ABI::io {

namespace detail {

/// The XML of GDAL's tag; empty where no wavelengths are known.
inline std::string wavelength_metadata(std::span<const double> wavelengths) {
  if (wavelengths.empty()) return "";
  std::string xml = "<GDALMetadata>\n";
  for (std::size_t i = 0; i < wavelengths.size(); ++i) {
    const std::string sample = " sample=\"" + std::to_string(i) + "\"", nm = exact_text(wavelengths[i]);
    xml += "  <Item name=\"DESCRIPTION\"" + sample + " role=\"description\">" + nm + " nm</Item>\n";
    xml += "  <Item name=\"wavelength\"" + sample + ">" + nm + "</Item>\n";
    xml += "  <Item name=\"wavelength_units\"" + sample + ">Nanometers</Item>\n";
  }
  return xml + "</GDALMetadata>\n";
}

}  // namespace detail

/// `wavelengths` in nm, or none. Errors: `not_writable`, `wrong_shape` (more than 65535 bands), and those of a cube
/// that no file should hold.
inline result<> write_geotiff_cube(const std::string& path, in<float, 3> cube,
                                   std::span<const double> wavelengths = {}) {
  if (auto fine = detail::check_written_cube(path, cube, wavelengths); !fine) return fine;
  if (cube.extent(2) > 65535)
    return error(errc::wrong_shape, detail::printable(path, 1000) + ": " + std::to_string(cube.extent(2)) +
                                        " bands, a TIFF file has at most 65535");
  auto file = geotiff_writer::create(path, "",
                                     {sample_type::f32, cube.extent(0), cube.extent(1), cube.extent(2), "",
                                      detail::wavelength_metadata(wavelengths), true});
  if (!file) return file.error();
  const index_t row = cube.extent(1) * cube.extent(2);
  for (index_t h = 0; h < cube.extent(0); ++h)
    if (auto ok = file->write(std::as_bytes(std::span(cube.data() + h * row, static_cast<std::size_t>(row)))); !ok)
      return ok;
  return file->commit();
}

}  // namespace unmask::inline UNMASK_ABI::io
