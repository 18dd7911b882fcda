#pragma once

/// Reads a manifest and everything it names into a stack of dates of one size.

#include <chrono>
#include <fstream>

#include "clouds_manifest.hpp"

namespace program {

/// Reflectance from digits. A pixel whose digit is the no-data value in any band, or that is NaN, has none; without a
/// no-data value, whole numbers that are 0 in all bands have none either.
inline void to_reflectance(dated_image& image) {
  const raster& r = image.digits;
  image.values = unmask::tensor<float, 3>({r.height, r.width, r.bands});
  const bool whole = r.type != unmask::io::sample_type::f32 && r.type != unmask::io::sample_type::f64;
  for (index_t i = 0; i < r.height * r.width; ++i) {
    bool missing = false, zero = whole && !image.nodata;
    for (index_t c = 0; c < r.bands; ++c) {
      const double d = r.digit(i * r.bands + c);
      missing = missing || !std::isfinite(d) || (image.nodata && d == *image.nodata);
      zero = zero && d == 0;
      image.values.data()[i * r.bands + c] = static_cast<float>(d * image.scale + image.offset);
    }
    image.zeros += zero;
    if (missing || zero)
      std::fill_n(image.values.data() + i * r.bands, r.bands, std::numeric_limits<float>::quiet_NaN());
  }
}

inline result<dated_image> read_dated(const nlohmann::json& entry, const nlohmann::json& above,
                                      const std::string& folder, const std::string& where) {
  using namespace manifest;
  if (auto ok =
          only_keys(entry, where, {"file", "date", "visibility", "hidden", "scale", "offset", "nodata", "baseline"});
      !ok)
    return ok.error();
  dated_image image;
  const auto file = text(entry, where, "file"), date = text(entry, where, "date");
  if (!file) return file.error();
  if (!date) return date.error();
  image.file = beside(folder, *file), image.date = *date;
  const auto day = day_of(*date);
  if (!day) return wrong(where, "date '" + unmask::io::detail::printable(*date, 40) + "', expected as 2023-08-10");
  image.day = *day;
  auto read = read_image(image.file);
  if (!read) return read.error();
  if (auto ok = calibrate(image, *read, entry, above); !ok) return ok.error();
  image.digits = std::move(read->digits);
  to_reflectance(image);
  const index_t H = image.digits.height, W = image.digits.width;
  image.visibility = unmask::tensor<float, 2>({H, W}, 1.f);
  if (entry.contains("visibility")) {
    const auto source = mask(entry["visibility"], where + ": visibility", folder);
    if (!source) return source.error();
    auto seen = read_visibility(*source, H, W);
    if (!seen) return seen.error();
    image.visibility = std::move(*seen);
  }
  if (entry.contains("hidden")) {
    const auto source = mask(entry["hidden"], where + ": hidden", folder);
    if (!source) return source.error();
    const auto seen = read_visibility(*source, H, W);
    if (!seen) return seen.error();
    image.given = unmask::tensor<std::uint8_t, 2>({H, W});
    for (index_t i = 0; i < H * W; ++i) image.given.data()[i] = !(seen->data()[i] >= .5f);
  }
  return image;
}

/// Everything the manifest names. Errors name the file, what was found and what was expected.
inline result<dated_stack> read_stack(const std::string& path) {
  using namespace manifest;
  std::ifstream stream(path);
  if (!stream) return error(errc::not_found, path + ": no such file");
  const json j = json::parse(stream, nullptr, false);
  if (j.is_discarded()) return error(errc::unreadable, path + ": not JSON");
  if (auto ok = only_keys(j, path, {"images", "target", "scale", "offset", "nodata", "baseline", "wavelengths"}); !ok)
    return ok.error();
  if (!j.contains("images") || !j["images"].is_array() || j["images"].empty())
    return wrong(path, "'images' is missing, expected a list of at least one");
  dated_stack s;
  const std::string folder = std::filesystem::path(path).parent_path().string();
  for (const json& entry : j["images"]) {
    auto image = read_dated(entry, j, folder, path + ": image " + std::to_string(s.images.size()));
    if (!image) return image.error();
    const raster &r = image->digits, &first = s.images.empty() ? r : s.images[0].digits;
    if (r.bands != first.bands)
      return error(errc::wrong_shape, image->file + ": found " + std::to_string(r.bands) + " bands, expected " +
                                          std::to_string(first.bands) + " as " + s.images[0].file +
                                          " (Sentinel-2 L2A has no B10: leave it out of the others too)");
    if (r.height != first.height || r.width != first.width)
      return error(errc::wrong_shape, image->file + ": found " + std::to_string(r.height) + " x " +
                                          std::to_string(r.width) + " pixels, expected " +
                                          std::to_string(first.height) + " x " + std::to_string(first.width) + " as " +
                                          s.images[0].file + ": cut all to one grid");
    s.images.push_back(std::move(*image));
  }
  if (j.contains("target")) {
    if (!j["target"].is_number_unsigned() || j["target"].get<std::size_t>() >= s.images.size())
      return wrong(path, "'target' is " + unmask::io::json_text(j["target"]).substr(0, 40) + ", expected 0 to " +
                             std::to_string(s.images.size() - 1));
    s.target = j["target"].get<index_t>();
  }
  if (j.contains("wavelengths")) {
    const json& w = j["wavelengths"];
    const bool ok = w.is_array() && std::all_of(w.begin(), w.end(), [](const json& v) { return v.is_number(); });
    if (!ok || static_cast<index_t>(w.size()) != s.images[0].digits.bands)
      return wrong(path,
                   "'wavelengths' must be " + std::to_string(s.images[0].digits.bands) + " numbers in nm, one a band");
    s.wavelengths = w.get<std::vector<double>>();
  }
  return s;
}

/// Hidden pixels of every date: what the manifest gives, or low visibility with a margin.
inline void hide(dated_stack& s, double below, index_t margin) {
  for (dated_image& image : s.images) {
    const unmask::clouds::grid g{image.digits.height, image.digits.width};
    image.hidden = unmask::tensor<std::uint8_t, 2>({g.height, g.width});
    if (image.given.size() > 0) {
      image.hidden = image.given;
      continue;
    }
    unmask::tensor<std::uint8_t, 2> hard({g.height, g.width});
    unmask::clouds::hide_with_margin(image.visibility.data(), g, below, margin, image.hidden.data(), hard.data());
  }
}

}  // namespace program
