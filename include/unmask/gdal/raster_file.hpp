#pragma once

/// An image that GDAL opens, read by windows in the type of its own digits.

#include <ogr_srs_api.h>

#include "../io/raster.hpp"
#include "dataset.hpp"

namespace unmask::inline UNMASK_ABI::gdal {

namespace detail {

/// Errors: `wrong_value` (complex, 64-bit whole numbers, a palette).
inline result<std::pair<GDALDataType, io::sample_type>> sample_of(const image& i, const std::string& path) {
  using enum io::sample_type;
  constexpr std::array<std::pair<std::string_view, std::pair<GDALDataType, io::sample_type>>, 7> known{
      {{"uint8", {GDT_Byte, u8}},
       {"uint16", {GDT_UInt16, u16}},
       {"int16", {GDT_Int16, i16}},
       {"uint32", {GDT_UInt32, u32}},
       {"int32", {GDT_Int32, i32}},
       {"float32", {GDT_Float32, f32}},
       {"float64", {GDT_Float64, f64}}}};
  for (const auto& [name, types] : known)
    if (i.type == name) return types;
  return error(errc::wrong_value, printable(path, 1000) + ": numbers of type " +
                                      (i.type.empty() ? "complex or palette" : i.type) +
                                      ", expected whole numbers of 1 to 4 bytes or floating ones");
}

/// The EPSG code of a reference system; 0 where it has none.
inline int epsg_of(const std::string& system) {
  if (system.empty()) return 0;
  const OGRSpatialReferenceH reference = OSRNewSpatialReference(system.c_str());
  if (!reference) return 0;
  OSRAutoIdentifyEPSG(reference);
  const char* name = OSRGetAuthorityName(reference, nullptr);
  const char* code = OSRGetAuthorityCode(reference, nullptr);
  const int found = name && code && std::string_view(name) == "EPSG" ? std::atoi(code) : 0;
  OSRDestroySpatialReference(reference);
  return found;
}

}  // namespace detail

class raster_file : public image {
 public:
  /// Errors: `not_found` (nothing that GDAL knows), `unreadable`, `wrong_value`, `wrong_shape` (several rasters in one
  /// file, none).
  static result<raster_file> open(const std::string& path) {
    auto d = detail::open(path);
    if (!d) return d.error();
    auto i = describe(d->get(), path);
    if (!i) return i.error();
    if (i->bands == 0)
      return error(errc::wrong_shape, detail::printable(path, 1000) +
                                          ": several rasters or none in one file, expected one (gdal_translate takes "
                                          "one out)");
    const auto types = detail::sample_of(*i, path);
    if (!types) return types.error();
    raster_file f;
    static_cast<image&>(f) = std::move(*i);
    f.path_ = detail::printable(path, 1000);
    f.file_ = std::move(*d);
    f.stored_ = types->first, f.sample = types->second;
    const detail::quiet silence;
    f.system = f.where ? detail::epsg_of(f.where->system) : 0;
    return result<raster_file>(std::move(f));
  }

  io::sample_type sample = io::sample_type::u8;
  int system = 0;  ///< EPSG code; 0: the file says none

  /// The pixels of a window inside the image, bands of a pixel side by side. Errors: `unreadable`.
  result<io::raster> read(const io::pixel_window& w) {
    io::raster r;
    r.type = sample, r.height = w.rows, r.width = w.columns, r.bands = bands;
    const auto memory = static_cast<std::int64_t>(r.size() * sample_bytes(sample));
    auto bytes = io::detail::allocate<std::byte>(memory);
    if (!bytes) return error(errc::unreadable, path_ + ": no memory for " + std::to_string(memory) + " bytes");
    r.bytes = std::move(*bytes);
    const detail::quiet silence;
    const auto columns = static_cast<int>(w.columns), rows = static_cast<int>(w.rows);
    const auto size = static_cast<GSpacing>(sample_bytes(sample));
    const CPLErr done =
        GDALDatasetRasterIOEx(file_.get(), GF_Read, static_cast<int>(w.column), static_cast<int>(w.row), columns, rows,
                              r.bytes.data(), columns, rows, stored_, static_cast<int>(bands), nullptr, size * bands,
                              size * bands * w.columns, size, nullptr);
    if (done == CE_None) return r;
    return error(errc::unreadable, path_ + ": cannot be read" + detail::quiet::said());
  }

 private:
  std::string path_;
  detail::handle file_;
  GDALDataType stored_ = GDT_Byte;
};

}  // namespace unmask::inline UNMASK_ABI::gdal
