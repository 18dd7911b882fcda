#pragma once

/// A cube as a GeoTIFF with everything that belongs to it: where it lies on the ground, names of bands, wavelengths,
/// no-data value, scale and offset. It appears under its name when it is complete, which is why it is this format:
/// others that GDAL writes have several files.

#include "../core/view.hpp"
#include "../io/atomic_file.hpp"
#include "../io/cube_checks.hpp"
#include "dataset.hpp"

namespace unmask::inline UNMASK_ABI::gdal {

struct write_options {
  std::vector<std::string> names{};   ///< of the bands, or none
  std::vector<double> wavelengths{};  ///< nm, or none
  std::optional<double> nodata{};
  double scale = 1, offset = 0;  ///< what stored numbers are to be multiplied by, and what is then added
  std::optional<place> where{};
};

/// What an image read by GDAL has to hand on to one that is made of it.
inline write_options like(const image& i) {
  write_options o;
  o.names = i.names, o.nodata = i.nodata, o.scale = i.scale, o.offset = i.offset, o.where = i.where;
  return o;
}

namespace detail {

inline bool describe_band(GDALRasterBandH band, std::size_t b, const write_options& o) {
  bool fine = true;
  if (!o.names.empty()) GDALSetDescription(band, o.names[b].c_str());
  if (!o.wavelengths.empty()) {
    fine =
        fine &&
        GDALSetMetadataItem(band, "wavelength", io::detail::exact_text(o.wavelengths[b]).c_str(), nullptr) == CE_None &&
        GDALSetMetadataItem(band, "wavelength_units", "Nanometers", nullptr) == CE_None;
    if (o.names.empty()) GDALSetDescription(band, (io::detail::exact_text(o.wavelengths[b]) + " nm").c_str());
  }
  if (o.nodata) fine = fine && GDALSetRasterNoDataValue(band, *o.nodata) == CE_None;
  if (o.scale != 1) fine = fine && GDALSetRasterScale(band, o.scale) == CE_None;
  if (o.offset != 0) fine = fine && GDALSetRasterOffset(band, o.offset) == CE_None;
  return fine;
}

}  // namespace detail

/// Errors: `bad_argument` (lists of another length than the bands), `not_writable`, and those of a cube that no file
/// should hold.
inline result<> write_cube(const std::string& path, in<float, 3> cube, const write_options& o = {}) {
  if (auto fine = io::detail::check_written_cube(path, cube, o.wavelengths); !fine) return fine;
  const std::string name = detail::printable(path, 1000);
  const auto extent = [&](std::size_t d) { return static_cast<int>(cube.extent(d)); };
  if (!o.names.empty() && static_cast<index_t>(o.names.size()) != cube.extent(2))
    return error(errc::bad_argument, name + ": " + std::to_string(o.names.size()) + " names for a cube of " +
                                         std::to_string(cube.extent(2)) + " bands");
  detail::drivers();
  const detail::quiet silence;
  const GDALDriverH driver = GDALGetDriverByName("GTiff");
  if (!driver) return error(errc::not_writable, name + ": this GDAL has no driver for GeoTIFF");
  auto file = io::atomic_file::create(path);
  if (!file) return file.error();
  const auto failed = [&] { return error(errc::not_writable, name + ": cannot be written" + detail::quiet::said()); };
  const std::array<const char*, 4> settings{"BIGTIFF=IF_SAFER", "COMPRESS=DEFLATE", "INTERLEAVE=PIXEL", nullptr};
  detail::handle d(GDALCreate(driver, file->path().c_str(), extent(1), extent(0), extent(2), GDT_Float32,
                              const_cast<char**>(settings.data())));
  if (!d) return failed();
  if (o.where) {
    std::array<double, 6> transform = o.where->transform;
    if (GDALSetGeoTransform(d.get(), transform.data()) != CE_None ||
        (!o.where->system.empty() && GDALSetProjection(d.get(), o.where->system.c_str()) != CE_None))
      return failed();
  }
  for (int b = 0; b < extent(2); ++b)
    if (!detail::describe_band(GDALGetRasterBand(d.get(), b + 1), static_cast<std::size_t>(b), o)) return failed();
  constexpr auto size = static_cast<GSpacing>(sizeof(float));
  const GSpacing pixel = size * extent(2);
  if (GDALDatasetRasterIOEx(d.get(), GF_Write, 0, 0, extent(1), extent(0), const_cast<float*>(cube.data()), extent(1),
                            extent(0), GDT_Float32, extent(2), nullptr, pixel, pixel * extent(1), size,
                            nullptr) != CE_None)
    return failed();
  CPLErrorReset();
  GDALFlushCache(d.get());
  d.reset();
  if (CPLGetLastErrorType() >= CE_Failure) return failed();
  if (auto ok = file->append(std::as_bytes(std::span(io::output_mark))); !ok) return ok;
  return file->commit();
}

}  // namespace unmask::inline UNMASK_ABI::gdal
