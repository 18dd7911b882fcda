#pragma once

/// GDAL as a format of cubes: `io::add_format(gdal::format)` makes `read_cube` and all others read what no other format
/// does. A file of several rasters (SAFE, NetCDF, HDF4) has a variable for each: file.nc:reflectance.

#include <cpl_string.h>

#include "../io/data_format.hpp"
#include "dataset.hpp"

namespace unmask::inline UNMASK_ABI::gdal {

namespace detail {

using io::variable_info;

/// One raster as a variable [H, W] or [H, W, bands], whose values are read out of `location`.
inline result<std::vector<variable_info>> variables_of(GDALDatasetH d, const std::string& path,
                                                       const std::string& location, const std::string& name) {
  const auto i = describe(d, path);
  if (!i) return i.error();
  variable_info v;
  v.name = name, v.location = location;
  v.shape = {i->height, i->width};
  if (i->bands > 1) v.shape.push_back(i->bands), v.axes = "hwc";
  v.numeric = !i->type.empty();
  v.type = v.numeric ? i->type : "complex numbers or a palette";
  v.factor = i->scale, v.offset = i->offset;
  if (i->nodata && is_finite(*i->nodata)) v.missing = *i->nodata;  // NaN is refused by itself
  v.attributes.emplace_back("driver", GDALGetDriverShortName(GDALGetDatasetDriver(d)));
  std::vector<variable_info> list{std::move(v)};
  if (i->wavelengths.empty()) return list;
  variable_info w;
  const std::size_t folder = name.rfind('/');
  w.name = (folder == std::string::npos ? "" : name.substr(0, folder + 1)) + "wavelength";
  w.type = "float64", w.numeric = true, w.shape = {i->bands}, w.numbers = i->wavelengths;
  if (!i->wavelength_unit.empty()) w.attributes.emplace_back("units", i->wavelength_unit);
  list.push_back(std::move(w));
  return list;
}

/// "reflectance" for NETCDF:"file.nc":reflectance, "10m/EPSG_32632" for SENTINEL2_L2A:/x/MTD.xml:10m:EPSG_32632.
inline std::string part_name(const std::string& part, const std::string& path) {
  const std::size_t at = part.find(path);
  std::string name = part.substr(at == std::string::npos ? part.find(':') + 1 : at + path.size());
  name.erase(0, std::min(name.size(), name.find_first_not_of("\":/")));
  for (char& c : name)
    if (c == ':') c = '/';
  return name;
}

}  // namespace detail

/// Errors: `not_found` (nothing that GDAL knows), `unreadable`, `wrong_value`.
inline result<io::file_info> list(const std::string& path) {
  constexpr int most_parts = 256;
  const auto d = detail::open(path);
  if (!d) return d.error();
  const detail::quiet silence;
  io::file_info info{path, io::file_format::other, {}, {}};
  const auto add = [&](GDALDatasetH one, const std::string& location, const std::string& name) -> result<> {
    auto found = detail::variables_of(one, path, location, name);
    if (!found) return found.error();
    for (auto& v : *found) {
      const bool there =
          std::any_of(info.variables.begin(), info.variables.end(), [&](const auto& w) { return w.name == v.name; });
      if (!there) info.variables.push_back(std::move(v));
    }
    return {};
  };
  if (GDALGetRasterCount(d->get()) > 0) {
    if (auto ok = add(d->get(), path, GDALGetRasterCount(d->get()) > 1 ? "cube" : "image"); !ok) return ok.error();
    return info;
  }
  for (int n = 1; n <= most_parts; ++n) {
    // not every driver gives single items of this list
    const char* found = CSLFetchNameValue(GDALGetMetadata(d->get(), "SUBDATASETS"),
                                          ("SUBDATASET_" + std::to_string(n) + "_NAME").c_str());
    const std::string part = found ? found : "";
    if (part.empty()) break;
    const auto one = detail::open(part);
    if (!one || GDALGetRasterCount(one->get()) == 0) continue;  // coordinates, texts
    if (auto ok = add(one->get(), part, detail::part_name(part, path)); !ok) return ok.error();
  }
  if (!info.variables.empty()) return info;
  return error(errc::unreadable, detail::printable(path, 1000) + ": has no raster that GDAL reads");
}

namespace detail {

/// Rows [first, first + count) of all bands, bands of a pixel side by side.
template <class T>
result<> read_rows(const std::string& path, const variable_info& v, index_t first, index_t count, T* to) {
  if (!v.numbers.empty()) {
    std::transform(v.numbers.begin(), v.numbers.end(), to, [](double x) { return static_cast<T>(x); });
    return {};
  }
  const auto d = open(v.location);
  if (!d) return d.error();
  const index_t bands = v.shape.size() > 2 ? v.shape[2] : 1, W = v.shape[1];
  if (GDALGetRasterYSize(d->get()) != v.shape[0] || GDALGetRasterXSize(d->get()) != W ||
      GDALGetRasterCount(d->get()) != bands)
    return io::detail::variable_error(errc::wrong_shape, path, v, "has changed while it was read");
  const quiet silence;
  constexpr GDALDataType type = sizeof(T) == sizeof(double) ? GDT_Float64 : GDT_Float32;
  const auto size = static_cast<GSpacing>(sizeof(T));
  if (GDALDatasetRasterIOEx(d->get(), GF_Read, 0, static_cast<int>(first), static_cast<int>(W), static_cast<int>(count),
                            to, static_cast<int>(W), static_cast<int>(count), type, static_cast<int>(bands), nullptr,
                            size * bands, size * bands * W, size, nullptr) == CE_None)
    return {};
  return io::detail::variable_error(errc::unreadable, path, v, "cannot be read" + quiet::said());
}

template <class T>
result<> read(const std::string& path, const variable_info& v, T* to) {
  return read_rows(path, v, 0, v.shape[0], to);
}

/// More numbers than even a picture of one value packs into the file's bytes are none; folders have many files.
inline result<> check_size(const std::string& path, const variable_info& v) {
  const auto count = io::detail::checked_elements(path, v);
  if (!count) return count.error();
  struct ::stat there {};
  if (!v.numbers.empty() || ::stat(path.c_str(), &there) != 0 || !S_ISREG(there.st_mode)) return {};
  if (*count <= (std::int64_t{1} << 24) || *count / 65536 <= static_cast<std::int64_t>(there.st_size)) return {};
  return io::detail::variable_error(
      errc::unreadable, path, v,
      "claims [" + io::detail::shape_text(v.shape) + "] elements in " + std::to_string(there.st_size) + " bytes");
}

}  // namespace detail

inline constexpr io::data_format format{io::file_format::other,
                                        "GDAL",
                                        list,
                                        detail::check_size,
                                        io::detail::listed_scale,
                                        detail::read<float>,
                                        detail::read<double>,
                                        detail::read_rows<float>};

}  // namespace unmask::inline UNMASK_ABI::gdal
