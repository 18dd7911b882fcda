#pragma once

/// A file that GDAL opens (JPEG 2000, NetCDF, Sentinel's SAFE, FITS, ...), through its C interface: what it says of its
/// bands, and where it lies on the ground.
///
/// Only drivers that read the file they are given are asked: those that fetch from a network, or from other files that
/// a text in the file names, are not.

#include <cpl_error.h>
#include <gdal.h>

#include <array>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "../core/finite.hpp"
#include "../io/input_file.hpp"

namespace unmask::inline UNMASK_ABI::gdal {

/// Georeferencing as GDAL has it: six numbers from (column, row) to the ground, and the reference system as text (WKT).
struct place {
  std::array<double, 6> transform{0, 1, 0, 0, 0, 1};
  std::string system;
};

namespace detail {

using io::detail::number_text;
using io::detail::printable;

/// GDAL's messages go nowhere while it lives; the last one is kept for ours.
class quiet {
 public:
  quiet() {
    CPLPushErrorHandler(CPLQuietErrorHandler);
    CPLErrorReset();
  }
  ~quiet() { CPLPopErrorHandler(); }
  quiet(const quiet&) = delete;
  quiet& operator=(const quiet&) = delete;

  /// " (GDAL: ...)", or nothing where it said nothing.
  static std::string said() {
    const std::string text = CPLGetLastErrorMsg();
    return text.empty() ? "" : " (GDAL: " + printable(text, 300) + ")";
  }
};

struct closer {
  void operator()(void* d) const { GDALClose(d); }
};
using handle = std::unique_ptr<void, closer>;

/// The names of the drivers that are asked, with a null behind them.
inline const char* const* drivers() {
  static std::vector<std::string> names;
  static std::vector<const char*> list;
  static std::once_flag once;
  std::call_once(once, [] {
    GDALAllRegister();
    constexpr std::array<std::string_view, 26> left_out{
        "VRT",       "WMS",  "WCS",     "WMTS", "HTTP",   "PLMOSAIC", "PLSCENES",   "DERIVED",    "STACIT",
        "STACTA",    "EEDA", "EEDAI",   "DAAS", "NGW",    "OGCAPI",   "Rasterlite", "RASTERLITE", "PostGISRaster",
        "GeoRaster", "MRF",  "RRASTER", "MEM",  "Memory", "ESRIC",    "TileDB",     "Zarr"};
    for (int i = 0; i < GDALGetDriverCount(); ++i) {
      const GDALDriverH driver = GDALGetDriver(i);
      const std::string name = GDALGetDriverShortName(driver);
      if (!GDALGetMetadataItem(driver, GDAL_DCAP_RASTER, nullptr)) continue;
      if (std::find(left_out.begin(), left_out.end(), name) == left_out.end()) names.push_back(name);
    }
    for (const std::string& name : names) list.push_back(name.c_str());
    list.push_back(nullptr);
  });
  return list.data();
}

/// Errors: `not_found` (nothing that GDAL knows), `unreadable` (what it knows, but damaged).
inline result<handle> open(const std::string& path) {
  const char* const* allowed = drivers();
  const quiet silence;
  handle d(
      GDALOpenEx(path.c_str(), GDAL_OF_RASTER | GDAL_OF_READONLY | GDAL_OF_VERBOSE_ERROR, allowed, nullptr, nullptr));
  if (d) return d;
  const std::string why = quiet::said();
  const bool known = GDALIdentifyDriverEx(path.c_str(), GDAL_OF_RASTER, allowed, nullptr) != nullptr;
  return error(known ? errc::unreadable : errc::not_found,
               printable(path, 1000) + ": cannot be opened" + (why.empty() ? ", by GDAL neither" : why));
}

inline std::string metadata(GDALMajorObjectH object, const char* name, const char* domain = nullptr) {
  const char* text = GDALGetMetadataItem(object, name, domain);
  return text ? text : "";
}

}  // namespace detail

/// What a file says of its bands; what differs from band to band is an error where it has to be one number for all.
struct image {
  index_t height = 0, width = 0, bands = 0;
  std::string type;  ///< "uint16"; empty: complex, or indices of a palette
  std::optional<double> nodata;
  double scale = 1, offset = 0;
  std::vector<std::string> names;   ///< of the bands, where all have one
  std::vector<double> wavelengths;  ///< as stored, where all bands have one
  std::string wavelength_unit;
  std::optional<place> where;
};

namespace detail {

inline std::string type_name(GDALDataType t) {
  const std::string name = GDALGetDataTypeName(t);
  if (name.starts_with('C') || t == GDT_Unknown) return "";
  if (name == "Byte") return "uint8";
  std::string small;
  for (const char c : name) small += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return small;
}

/// Wavelength and unit of a band, by the names under which drivers keep them.
inline std::pair<std::string, std::string> wavelength_of(GDALRasterBandH band) {
  if (const std::string w = metadata(band, "wavelength"); !w.empty()) {
    const std::string units = metadata(band, "wavelength_units");
    return {w, units.empty() ? metadata(band, "wavelength_unit") : units};
  }
  if (const std::string w = metadata(band, "CENTRAL_WAVELENGTH_UM", "IMAGERY"); !w.empty()) return {w, "um"};
  return {};
}

/// Takes a number that all bands have to share. Errors say what differs.
inline result<> share(std::optional<double>& all, double value, bool first, const std::string& what) {
  const bool same = all && (*all == value || (is_nan(*all) && is_nan(value)));
  if (!first && !same)
    return error(errc::wrong_value, "bands have another " + what + " each, expected one for all: make them equal");
  all = value;
  return {};
}

inline result<> describe_band(GDALRasterBandH band, bool first, image& i, std::vector<std::string>& wavelengths) {
  int has = 0;
  const double nodata = GDALGetRasterNoDataValue(band, &has);
  if (has ? !first && !i.nodata : !first && i.nodata)
    return error(errc::wrong_value, "some bands have a no-data value and some have none: make them equal");
  if (has)
    if (auto ok = share(i.nodata, nodata, first, "no-data value"); !ok) return ok;
  std::optional<double> scale = i.scale, offset = i.offset;
  const double factor = GDALGetRasterScale(band, &has);
  if (auto ok = share(scale, has ? factor : 1, first, "scale"); !ok) return ok;
  const double shift = GDALGetRasterOffset(band, &has);
  if (auto ok = share(offset, has ? shift : 0, first, "offset"); !ok) return ok;
  i.scale = *scale, i.offset = *offset;
  if (i.scale == 0 || !is_finite(i.scale) || !is_finite(i.offset))
    return error(errc::wrong_value, "a scale of " + number_text(i.scale) + " and an offset of " +
                                        number_text(i.offset) + ", expected numbers, the first not 0");
  const std::string type = GDALGetRasterColorTable(band) ? "" : type_name(GDALGetRasterDataType(band));
  i.type = first || i.type == type ? type : i.type.empty() || type.empty() ? "" : "float64";
  if (const char* name = GDALGetDescription(band); name && *name) i.names.emplace_back(name);
  const auto [value, unit] = wavelength_of(band);
  if (!value.empty()) wavelengths.push_back(value);
  if (first) i.wavelength_unit = unit;
  if (unit != i.wavelength_unit)
    return error(errc::wrong_value, "bands have wavelengths in other units each, expected one for all");
  return {};
}

}  // namespace detail

/// Errors: `wrong_value` (bands of different scale, offset or no-data value, wavelengths that are no numbers).
inline result<image> describe(GDALDatasetH d, const std::string& path) {
  const detail::quiet silence;
  image i;
  i.height = GDALGetRasterYSize(d), i.width = GDALGetRasterXSize(d), i.bands = GDALGetRasterCount(d);
  std::vector<std::string> wavelengths;
  for (int b = 1; b <= static_cast<int>(i.bands); ++b)
    if (auto ok = detail::describe_band(GDALGetRasterBand(d, b), b == 1, i, wavelengths); !ok)
      return error(ok.error().code(), detail::printable(path, 1000) + ": " + ok.error().message());
  if (static_cast<index_t>(i.names.size()) != i.bands) i.names.clear();
  if (static_cast<index_t>(wavelengths.size()) == i.bands)
    for (const std::string& text : wavelengths) {
      char* end = nullptr;
      i.wavelengths.push_back(std::strtod(text.c_str(), &end));
      if (end == text.c_str() || !is_finite(i.wavelengths.back()))
        return error(errc::wrong_value, detail::printable(path, 1000) + ": a band has the wavelength '" +
                                            detail::printable(text, 40) + "', expected a number");
    }
  place where;
  const char* system = GDALGetProjectionRef(d);
  if (system) where.system = system;
  if (GDALGetGeoTransform(d, where.transform.data()) == CE_None || !where.system.empty()) i.where = where;
  return i;
}

}  // namespace unmask::inline UNMASK_ABI::gdal
