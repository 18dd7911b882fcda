#pragma once

/// The manifest of a stack of dates, read strictly:
///   {"scale": 1e-4, "offset": -0.1, "images": [{"file": "a.npy", "date": "2023-08-10", "visibility": "v.npy"}, ...],
///    "target": 0}
/// reflectance = digit x scale + offset. Paths are relative to the manifest. `scale`, `offset`, `nodata`, `baseline`
/// may stand above for all images, or in one.

#include <chrono>
#include <limits>

#include "clouds_mask.hpp"
#include "clouds_source.hpp"

namespace program {

/// What the manifest says of a date.
struct date_notes {
  std::string file, date;
  double day = 0, scale = 1, offset = 0;
  std::optional<double> nodata;
  std::optional<double> sun_azimuth, sun_elevation;  ///< degrees; azimuth clockwise from the image's up
};

/// Days since 1970-01-01 of "2023-08-10" or "20230810".
inline std::optional<double> day_of(const std::string& text) {
  int y = 0, m = 0, d = 0;
  const bool dashes = text.size() >= 10 && text[4] == '-' && text[7] == '-';
  if (!(dashes ? std::sscanf(text.c_str(), "%4d-%2d-%2d", &y, &m, &d) == 3
               : text.size() == 8 && std::sscanf(text.c_str(), "%4d%2d%2d", &y, &m, &d) == 3))
    return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(y), std::chrono::month(static_cast<unsigned>(m)),
                                         std::chrono::day(static_cast<unsigned>(d))};
  if (!date.ok()) return std::nullopt;
  return static_cast<double>(std::chrono::sys_days(date).time_since_epoch().count());
}

namespace manifest {

using json = nlohmann::json;

inline error wrong(const std::string& where, const std::string& what) {
  return error(errc::wrong_value, where + ": " + what);
}

inline result<> only_keys(const json& j, const std::string& where, std::initializer_list<const char*> known) {
  if (!j.is_object()) return wrong(where, "expected a JSON object");
  for (const auto& item : j.items())
    if (std::find(known.begin(), known.end(), item.key()) == known.end()) {
      std::string list;
      for (const char* k : known) list += std::string(list.empty() ? "" : ", ") + k;
      return wrong(where, "unknown key '" + unmask::io::detail::printable(item.key(), 60) + "', expected " + list);
    }
  return {};
}

inline result<std::optional<double>> number(const json& j, const std::string& where, const char* key) {
  if (!j.contains(key)) return std::optional<double>();
  const json& v = j[key];
  if (v.is_string() && (v == "nan" || v == "NaN"))
    return std::optional<double>(std::numeric_limits<double>::quiet_NaN());
  if (!v.is_number())
    return wrong(where, std::string("'") + key + "' is " + unmask::io::detail::printable(unmask::io::json_text(v), 40) +
                            ", expected a number");
  return std::optional<double>(v.get<double>());
}

inline result<std::string> text(const json& j, const std::string& where, const char* key) {
  if (!j.contains(key) || !j[key].is_string() || j[key].get<std::string>().empty())
    return wrong(where, std::string("'") + key + "' is missing, expected a text");
  return j[key].get<std::string>();
}

inline std::string beside(const std::string& folder, const std::string& file) {
  return std::filesystem::path(file).is_absolute() ? file : (std::filesystem::path(folder) / file).string();
}

/// 'file': one, or a list of files that hold the image's bands.
inline result<std::vector<std::string>> files(const json& j, const std::string& where, const std::string& folder) {
  std::vector<std::string> list;
  if (!j.contains("file") || !j["file"].is_array()) {
    const auto one = text(j, where, "file");
    if (!one) return one.error();
    list.push_back(beside(folder, *one));
    return list;
  }
  for (const json& f : j["file"]) {
    if (!f.is_string() || f.get<std::string>().empty())
      return wrong(where, "'file' is a list with something that is no text");
    list.push_back(beside(folder, f.get<std::string>()));
  }
  if (list.empty()) return wrong(where, "'file' is an empty list, expected the files of the image's bands");
  return list;
}

inline result<mask_source> mask(const json& j, const std::string& where, const std::string& folder) {
  mask_source m;
  if (j.is_string()) {
    m.file = beside(folder, j.get<std::string>());
    return m;
  }
  if (auto ok = only_keys(j, where, {"file", "kind", "hides", "scale"}); !ok) return ok.error();
  const auto file = text(j, where, "file"), kind = text(j, where, "kind");
  if (!file) return file.error();
  if (!kind) return kind.error();
  m.file = beside(folder, *file);
  const auto& names = unmask::clouds::mask_kind_names;
  const auto* at = std::find(names.begin(), names.end(), *kind);
  if (at == names.end())
    return wrong(where, "kind '" + unmask::io::detail::printable(*kind, 40) +
                            "', expected visibility, probability, scl, qa60, qa_pixel, bqa or binary");
  m.kind = static_cast<unmask::clouds::mask_kind>(at - names.begin());
  const auto hides = number(j, where, "hides"), scale = number(j, where, "scale");
  if (!hides) return hides.error();
  if (!scale) return scale.error();
  m.hides = *hides, m.scale = *scale;
  return m;
}

/// Scale and offset from the image's entry, else from above, else from the file. What cannot be known is asked for.
inline result<> calibrate(date_notes& image, const image_file& file, const json& entry, const json& above) {
  const auto find = [&](const char* key) -> result<std::optional<double>> {
    return entry.contains(key) ? number(entry, image.file, key) : number(above, "manifest", key);
  };
  const auto scale = find("scale"), offset = find("offset"), nodata = find("nodata");
  for (const auto* v : {&scale, &offset, &nodata})
    if (!*v) return v->error();
  if (!*scale && !file.scale && is_whole(file.type()))
    return wrong(image.file,
                 "whole numbers without \"scale\": reflectance = digit x scale + offset, 0.0001 for Sentinel-2");
  image.scale = scale->value_or(file.scale.value_or(1));
  if (!(image.scale > 0)) return wrong(image.file, "scale must be above 0");
  image.nodata = *nodata ? *nodata : file.nodata;
  const json& baseline = entry.contains("baseline") ? entry["baseline"] : above.value("baseline", json());
  const std::optional<double> said = *offset ? *offset : file.offset;
  if (said) {
    image.offset = *said;
  } else if (baseline.is_string()) {
    int major = -1, minor = 0;
    if (std::sscanf(baseline.get<std::string>().c_str(), "%d.%d", &major, &minor) != 2 || major < 0)
      return wrong(image.file, "baseline '" + unmask::io::detail::printable(baseline.get<std::string>(), 20) +
                                   "', expected as \"04.00\"");
    // ESA: from processing baseline 04.00 on, digits carry BOA_ADD_OFFSET / RADIO_ADD_OFFSET -1000
    image.offset = major >= 4 ? -1000 * image.scale : 0;
  } else if (std::abs(image.scale - 1e-4) < 1e-9) {
    return wrong(
        image.file,
        "digits x 1e-4 without \"offset\": Sentinel-2 since baseline 04.00 has -0.1 (-1000 digits), before it and "
        "others 0; say \"offset\" or \"baseline\"");
  }
  return {};
}

}  // namespace manifest

}  // namespace program
