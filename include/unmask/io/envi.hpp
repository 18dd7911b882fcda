#pragma once

/// ENVI: a text header (.hdr) beside raw numbers. Read are samples, lines, bands, header offset, data type, interleave,
/// byte order, wavelength, wavelength units, reflectance scale factor, data gain and offset values that are the same
/// for all bands, data ignore value and bbl; compressed data and frame offsets are refused, other lines are left alone.
/// Either of the two files may be named. Source of the format: the header's documentation by its maker (L3Harris).

#include <functional>

#include "envi_header.hpp"

namespace unmask::inline UNMASK_ABI::io {

namespace detail {

/// Scale and offset of all bands: `reflectance scale factor` divides, `data gain values` and `data offset values` count
/// where they are the same for all. Errors: gains that differ from band to band, two scales.
inline result<> envi_scale(const envi_header& h, index_t bands, variable_info& v) {
  double number = 0;
  if (h.has("reflectance scale factor")) {
    if (!parse_number(h.text("reflectance scale factor"), number) || !(number > 0))
      return h.bad("reflectance scale factor", "a number above 0");
    v.factor = 1 / number;
  }
  for (const char* key : {"data gain values", "data offset values"}) {
    if (!h.has(key)) continue;
    const auto list = h.numbers(key);
    if (!list) return list.error();
    const bool gain = key[5] == 'g';
    if (static_cast<index_t>(list->size()) != bands ||
        std::adjacent_find(list->begin(), list->end(), std::not_equal_to<>()) != list->end())
      return h.bad(key, "one value for all " + std::to_string(bands) + " bands (apply them first where they differ)");
    const double value = list->front();
    if (value == (gain ? 1 : 0)) continue;
    if ((gain && value == 0) || h.has("reflectance scale factor"))
      return h.bad(key, gain && value == 0 ? "a number other than 0" : "nothing beside 'reflectance scale factor'");
    (gain ? v.factor : v.offset) = value;
  }
  return {};
}

/// Headers of numbers that do not lie one behind another.
inline result<> envi_plain(const envi_header& h) {
  if (h.has("file compression"))
    if (const auto packed = h.whole("file compression", 0, 0); !packed) return packed.error();
  for (const char* key : {"major frame offsets", "minor frame offsets"}) {
    if (!h.has(key)) continue;
    const auto list = h.numbers(key);
    if (!list) return list.error();
    if (std::any_of(list->begin(), list->end(), [](double x) { return x != 0; })) return h.bad(key, "{0, 0}");
  }
  return {};
}

/// "8 of 28 bands are marked as bad (bbl)", empty where none is.
inline std::string envi_bad_bands(const envi_header& h, index_t bands) {
  if (!h.has("bbl")) return "";
  const auto list = h.numbers("bbl");
  if (!list || static_cast<index_t>(list->size()) != bands) return "";
  const auto bad = std::count(list->begin(), list->end(), 0.);
  return bad == 0 ? ""
                  : std::to_string(bad) + " of " + std::to_string(bands) +
                        " bands are marked as bad (bbl) and read all the same";
}

/// The variable `cube`: shape in the file's order, and what the header says of its values.
inline result<variable_info> envi_variable(const envi_header& h, const std::string& data) {
  constexpr index_t most = index_t{1} << 31;
  variable_info v;
  v.name = "cube", v.location = data, v.numeric = true, v.exact_size = true;
  std::array<index_t, 3> size{};  // lines, samples, bands
  const std::array<const char*, 3> keys{"lines", "samples", "bands"};
  for (std::size_t i = 0; i < 3; ++i) {
    const auto n = h.whole(keys[i], 1, most);
    if (!n) return n.error();
    size[i] = *n;
  }
  const auto code = h.whole("data type", 1, 15), order = h.has("byte order") ? h.whole("byte order", 0, 1) : 0;
  if (!code) return code.error();
  if (!order) return order.error();
  v.type = envi_type(static_cast<int>(*code));
  if (v.type.empty()) return h.bad("data type", "1 to 5 or 12 to 15 (real numbers)");
  v.swapped = (*order == 0) != (std::endian::native == std::endian::little) && number_bytes(v.type) > 1;
  if (h.has("header offset")) {
    const auto offset = h.whole("header offset", 0, most);
    if (!offset) return offset.error();
    v.position = static_cast<std::uint64_t>(*offset);
  }
  std::string way = h.text("interleave");
  for (char& c : way) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (size[2] == 1)
    v.shape = {size[0], size[1]};
  else if (way == "bsq")
    v.shape = {size[2], size[0], size[1]}, v.axes = "chw";
  else if (way == "bil")
    v.shape = {size[0], size[2], size[1]}, v.axes = "hcw";
  else if (way == "bip")
    v.shape = {size[0], size[1], size[2]}, v.axes = "hwc";
  else
    return h.bad("interleave", "bsq, bil or bip");
  if (auto fine = envi_scale(h, size[2], v); !fine) return fine.error();
  if (auto fine = envi_plain(h); !fine) return fine.error();
  if (const std::string bad = envi_bad_bands(h, size[2]); !bad.empty()) v.attributes.emplace_back("bbl", bad);
  std::string ignored = h.text("data ignore value");
  for (char& c : ignored) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (!ignored.empty() && ignored != "nan") {  // NaN is refused by itself
    double number = 0;
    if (!parse_number(ignored, number)) return h.bad("data ignore value", "a number");
    v.missing = number;
  }
  return v;
}

}  // namespace detail

/// An ENVI header and its data as the list of two variables: `cube`, and `wavelength` where the header has them.
/// Errors: `not_found` (no data beside the header), `wrong_value` (a field that is missing or makes no sense).
inline result<file_info> list_envi(const std::string& path) {
  const detail::envi_files files = detail::find_envi(path);
  if (files.data.empty())
    return error(errc::not_found, detail::printable(path, 1000) +
                                      ": an ENVI header without its data (the same name, or .img, .dat, .raw, .bin)");
  const auto bytes = read_file(files.header, std::uint64_t{1} << 24);
  if (!bytes) return bytes.error();
  const detail::envi_header header(files.header,
                                   std::string_view(reinterpret_cast<const char*>(bytes->data()), bytes->size()));
  if (auto fine = header.check_keys(); !fine) return fine.error();
  auto cube = detail::envi_variable(header, files.data);
  if (!cube) return cube.error();
  file_info info{path, file_format::envi, {std::move(*cube)}, {}};
  if (header.has("wavelength")) {
    auto list = header.numbers("wavelength");
    if (!list) return list.error();
    variable_info w;
    w.name = "wavelength", w.type = "float64", w.numeric = true;
    w.shape = {static_cast<index_t>(list->size())};
    w.numbers = std::move(*list);
    const std::string unit = header.text("wavelength units");
    if (!unit.empty() && unit != "Unknown" && unit != "unknown") w.attributes.emplace_back("units", unit);
    info.variables.push_back(std::move(w));
  }
  return info;
}

namespace detail {

/// A list stands in the header and has no size on the disk.
inline result<> check_envi_size(const std::string& path, const variable_info& v) {
  return v.numbers.empty() ? check_raw_size(path, v) : result<>();
}

}  // namespace detail

inline constexpr data_format envi_format{file_format::envi,
                                         "ENVI",
                                         list_envi,
                                         detail::check_envi_size,
                                         detail::listed_scale,
                                         detail::read_raw<float>,
                                         detail::read_raw<double>,
                                         detail::read_raw_rows};

}  // namespace unmask::inline UNMASK_ABI::io
