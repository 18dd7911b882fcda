#pragma once

/// Opens what a manifest names and checks that all of it belongs together: one size, one number of bands, one place.

#include <unmask/io/json_text.hpp>
#include <unmask/io/wavelengths.hpp>

#include "clouds_stack.hpp"

namespace program {

namespace manifest {

/// Whether a second file lies where the first does. `pixel`: how many pixels of the first one of it covers.
inline result<> same_place(const image_file& a, const image_file& b, double pixel) {
  if (!a.place || !b.place) return {};
  const auto corner = [](const image_file& f) {
    char text[80];
    std::snprintf(text, sizeof text, "(%.10g, %.10g)", f.place->x, f.place->y);
    return std::string(text);
  };
  if (a.place->system != 0 && b.place->system != 0 && a.place->system != b.place->system)
    return error(errc::wrong_value, b.name() + ": lies in EPSG:" + std::to_string(b.place->system) +
                                        ", expected EPSG:" + std::to_string(a.place->system) + " as " + a.name() +
                                        ": warp both to one grid (gdalwarp -t_srs -te -tr)");
  const double off =
      std::max(std::abs(b.place->x - a.place->x) / a.place->width, std::abs(b.place->y - a.place->y) / a.place->height);
  const double wide = b.place->width / a.place->width / pixel, high = b.place->height / a.place->height / pixel;
  if (off <= .01 && std::abs(wide - 1) < 1e-6 && std::abs(high - 1) < 1e-6) return {};
  const std::string what = off <= .01 ? "pixels of " + std::to_string(b.place->width) + " where " +
                                            std::to_string(a.place->width * pixel) + " were expected"
                                      : "its corner is " + corner(b) + ", expected " + corner(a);
  return error(errc::wrong_value,
               b.name() + ": " + what + " as " + a.name() + ": cut both to one grid (gdalwarp -te -tr)");
}

inline result<std::optional<mask_file>> mask_of(const json& entry, const char* key, const std::string& where,
                                                const std::string& folder, const image_source& image, bool untrusted) {
  if (!entry.contains(key)) return std::optional<mask_file>();
  auto source = mask(entry[key], where + ": " + key, folder);
  if (!source) return source.error();
  source->untrusted = untrusted;
  auto file = mask_file::open(*source, image.height(), image.width());
  if (!file) return file.error();
  if (auto ok = same_place(image.file(), file->file(), file->pixel()); !ok) return ok.error();
  return std::optional<mask_file>(std::move(*file));
}

inline result<> read_sun(date_notes& d, const json& entry, const std::string& where) {
  const auto azimuth = number(entry, where, "sun_azimuth"), elevation = number(entry, where, "sun_elevation");
  if (!azimuth) return azimuth.error();
  if (!elevation) return elevation.error();
  d.sun_azimuth = *azimuth, d.sun_elevation = *elevation;
  if (d.sun_azimuth && !(*d.sun_azimuth >= -360 && *d.sun_azimuth <= 360))
    return wrong(where, "'sun_azimuth' must be degrees clockwise from north, -360 to 360");
  if (d.sun_elevation && !(*d.sun_elevation > 0 && *d.sun_elevation <= 90))
    return wrong(where,
                 "'sun_elevation' must be degrees above the horizon, above 0 and at most 90 (90 - zenith angle)");
  return {};
}

inline result<date_files> open_date(const json& entry, const json& above, const std::string& folder,
                                    const std::string& where, bool untrusted) {
  if (auto ok = only_keys(entry, where,
                          {"file", "axes", "date", "visibility", "hidden", "scale", "offset", "nodata", "baseline",
                           "sun_azimuth", "sun_elevation"});
      !ok)
    return ok.error();
  date_files d;
  const auto list = files(entry, where, folder);
  const auto date = text(entry, where, "date");
  if (!list) return list.error();
  if (!date) return date.error();
  const auto day = day_of(*date);
  if (!day) return wrong(where, "date '" + unmask::io::detail::printable(*date, 40) + "', expected as 2023-08-10");
  const json& axes = entry.contains("axes") ? entry["axes"] : above.value("axes", json("hwc"));
  if (axes != "hwc" && axes != "chw")
    return wrong(where, "'axes' is " + unmask::io::detail::printable(unmask::io::json_text(axes), 40) +
                            ", expected \"hwc\" or \"chw\"");
  auto image = image_source::open(*list, axes == "chw", untrusted);
  if (!image) return image.error();
  d.image = std::move(*image);
  d.file = d.image.name(), d.date = *date, d.day = *day;
  if (auto ok = calibrate(d, d.image.file(), entry, above); !ok) return ok.error();
  if (auto ok = read_sun(d, entry, where); !ok) return ok.error();
  auto visibility = mask_of(entry, "visibility", where, folder, d.image, untrusted);
  if (!visibility) return visibility.error();
  auto given = mask_of(entry, "hidden", where, folder, d.image, untrusted);
  if (!given) return given.error();
  d.visibility = std::move(*visibility), d.given = std::move(*given);
  return result<date_files>(std::move(d));
}

/// Whether a further date belongs to the first.
inline result<> belongs(const date_files& first, const date_files& d) {
  if (d.image.bands() != first.image.bands())
    return error(errc::wrong_shape, d.file + ": found " + std::to_string(d.image.bands()) + " bands, expected " +
                                        std::to_string(first.image.bands()) + " as " + first.file +
                                        " (Sentinel-2 L2A has no B10: leave it out of the others too)");
  if (d.image.height() != first.image.height() || d.image.width() != first.image.width())
    return error(errc::wrong_shape, d.file + ": found " + d.image.file().size_text() + " pixels, expected " +
                                        first.image.file().size_text() + " as " + first.file + ": cut all to one grid");
  return same_place(first.image.file(), d.image.file(), 1);
}

}  // namespace manifest

/// Everything the manifest names, open. Errors name the file, what was found and what was expected. `untrusted`: HDF5
/// and GeoTIFF are read by child processes.
inline result<stack_files> open_stack(const std::string& path, bool untrusted) {
  using namespace manifest;
  const auto bytes = unmask::io::read_file(path, std::uint64_t{1} << 24);
  if (!bytes) return bytes.error();
  std::string twice;
  const json j = unmask::io::detail::parse_unique({reinterpret_cast<const char*>(bytes->data()), bytes->size()}, twice);
  if (j.is_discarded()) return error(errc::unreadable, path + ": not JSON");
  if (!twice.empty()) return wrong(path, "'" + unmask::io::detail::printable(twice, 60) + "' is there twice");
  if (auto ok =
          only_keys(j, path, {"images", "target", "axes", "scale", "offset", "nodata", "baseline", "wavelengths"});
      !ok)
    return ok.error();
  if (!j.contains("images") || !j["images"].is_array() || j["images"].empty())
    return wrong(path, "'images' is missing, expected a list of at least one");
  stack_files s;
  const std::string folder = std::filesystem::path(path).parent_path().string();
  for (const json& entry : j["images"]) {
    auto date = open_date(entry, j, folder, path + ": image " + std::to_string(s.dates.size()), untrusted);
    if (!date) return date.error();
    for (const date_files& earlier : s.dates) {
      if (auto ok = belongs(earlier, *date); !ok) return ok.error();
      if (earlier.file == date->file) return wrong(path, date->file + " is there as two dates");
    }
    s.dates.push_back(std::move(*date));
  }
  if (j.contains("target")) {
    if (!j["target"].is_number_unsigned() || j["target"].get<std::size_t>() >= s.dates.size())
      return wrong(path, "'target' is " + unmask::io::detail::printable(unmask::io::json_text(j["target"]), 40) +
                             ", expected 0 to " + std::to_string(s.dates.size() - 1));
    s.target = j["target"].get<index_t>();
  }
  if (j.contains("wavelengths")) {
    const json& w = j["wavelengths"];
    const bool ok = w.is_array() && std::all_of(w.begin(), w.end(), [](const json& v) { return v.is_number(); });
    if (!ok || static_cast<index_t>(w.size()) != s.bands())
      return wrong(path, "'wavelengths' must be " + std::to_string(s.bands()) + " numbers in nm, one a band");
    auto list = unmask::io::detail::in_nm(w.get<std::vector<double>>(), "", "wavelengths");
    if (!list) return wrong(path, "'wavelengths' " + list.error().message());
    s.wavelengths = std::move(list->nm);
    if (!list->note.empty()) s.notes.push_back(path + ": " + list->note);
  }
  return result<stack_files>(std::move(s));
}

}  // namespace program
