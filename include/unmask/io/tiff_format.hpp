#pragma once

/// TIFF and GeoTIFF as a format of cubes, through libtiff: `io::add_format(io::tiff_format)` makes `read_cube` and all
/// others read it. One image a file, a sample a band; wavelengths where GDAL keeps them (`wavelength` of each band).

#include "data_format.hpp"
#include "geotiff.hpp"

namespace unmask::inline UNMASK_ABI::io {

namespace detail {

/// The numbers of <Item name="..." sample="..."> by sample; false where one is no number.
inline bool band_items(const std::string& xml, const std::string& name, std::vector<std::string>& items) {
  for (std::size_t at = xml.find("<Item "); at != std::string::npos; at = xml.find("<Item ", at + 1)) {
    const std::size_t open = xml.find('>', at), close = xml.find('<', open);
    if (open == std::string::npos || close == std::string::npos) return false;
    const std::string_view tag(xml.data() + at, open - at);
    const std::size_t sample = tag.find("sample=\"");
    if (tag.find("name=\"" + name + "\"") == tag.npos || sample == tag.npos) continue;
    const auto band = static_cast<std::size_t>(std::strtoul(tag.data() + sample + 8, nullptr, 10));
    if (band >= items.size()) return false;
    items[band] = xml.substr(open + 1, close - open - 1);
  }
  return true;
}

/// The wavelengths of all bands, nothing where some have none. Errors: texts that are no numbers, units that differ.
inline result<std::optional<variable_info>> tiff_wavelengths(const std::string& path, const std::string& xml,
                                                             index_t bands) {
  std::vector<std::string> items(static_cast<std::size_t>(bands)), units = items;
  const bool whole = band_items(xml, "wavelength", items) && band_items(xml, "wavelength_units", units);
  if (!whole || std::find(items.begin(), items.end(), "") != items.end()) return std::optional<variable_info>();
  variable_info w;
  w.name = "wavelength", w.type = "float64", w.numeric = true, w.shape = {bands};
  for (std::size_t i = 0; i < items.size(); ++i) {
    char* end = nullptr;
    w.numbers.push_back(std::strtod(items[i].c_str(), &end));
    if (end == items[i].c_str() || *end != '\0' || !is_finite(w.numbers.back()) || units[i] != units[0])
      return error(errc::wrong_value, printable(path, 1000) + ": band " + std::to_string(i) + " has the wavelength '" +
                                          printable(items[i], 40) + " " + printable(units[i], 40) +
                                          "', expected a number, in one unit for all bands");
  }
  if (!units[0].empty()) w.attributes.emplace_back("units", units[0]);
  return std::optional(std::move(w));
}

/// What the first image of a file is apart from its size. Errors: several images, colours that are no brightness.
inline result<std::string> tiff_text(const std::string& path) {
  const auto t = open_tiff(path, "rm");
  const std::string name = printable(path, 1000);
  if (!t) return error(errc::unreadable, name + ": not a TIFF file, or truncated or damaged");
  std::uint16_t colour = PHOTOMETRIC_MINISBLACK;
  TIFFGetField(t.get(), TIFFTAG_PHOTOMETRIC, &colour);
  if (colour != PHOTOMETRIC_MINISBLACK && colour != PHOTOMETRIC_RGB)
    return error(errc::wrong_value, name + ": pixels of photometric kind " + std::to_string(colour) +
                                        ", expected brightness (1) or samples side by side (2): not a palette, not "
                                        "white for 0");
  const std::string xml = ascii_tag(t.get(), 42112).value_or("");
  int pages = 1;  // smaller copies and masks of the image are no pages of their own
  for (int i = 0; pages < 2 && i < 64 && TIFFReadDirectory(t.get()); ++i) {
    std::uint32_t kind = 0;
    TIFFGetField(t.get(), TIFFTAG_SUBFILETYPE, &kind);
    if ((kind & (FILETYPE_REDUCEDIMAGE | FILETYPE_MASK)) == 0) ++pages;
  }
  if (pages > 1)
    return error(errc::wrong_shape, name + ": several pictures in one file, expected one, with a sample for each band");
  return xml;
}

}  // namespace detail

/// `cube` [H, W, bands], or `image` [H, W] where there is one band. Errors: those of `geotiff_file`, several images in
/// one file, a palette.
inline result<file_info> list_tiff(const std::string& path) {
  const auto file = geotiff_file::open(path);
  if (!file) return file.error();
  const auto xml = detail::tiff_text(path);
  if (!xml) return xml.error();
  const detail::tiff_layout& l = file->layout();
  variable_info v;
  v.name = l.bands > 1 ? "cube" : "image";
  v.shape = {l.height, l.width};
  if (l.bands > 1) v.shape.push_back(l.bands), v.axes = "hwc";
  const std::string_view code = sample_type_names[static_cast<std::size_t>(l.type)];
  v.type = (code[0] == 'u' ? "uint" : code[0] == 'i' ? "int" : "float") + std::to_string(8 * (code[1] - '0'));
  v.numeric = true;
  v.factor = file->scale.value_or(1), v.offset = file->offset.value_or(0);
  if (v.factor == 0 || !is_finite(v.factor) || !is_finite(v.offset))
    return error(errc::wrong_value, detail::printable(path, 1000) + ": a scale of " + detail::number_text(v.factor) +
                                        " and an offset of " + detail::number_text(v.offset) +
                                        ", expected numbers, the first not 0");
  if (file->nodata && is_finite(*file->nodata)) v.missing = *file->nodata;  // NaN is refused by itself
  file_info info{path, file_format::tiff, {std::move(v)}, {}};
  auto wavelengths = detail::tiff_wavelengths(path, *xml, l.bands);
  if (!wavelengths) return wavelengths.error();
  if (*wavelengths) info.variables.push_back(std::move(**wavelengths));
  return info;
}

namespace detail {

/// Rows as stored.
template <class T>
result<> read_tiff_rows(const std::string& path, const variable_info& v, index_t first, index_t count, T* to) {
  if (!v.numbers.empty()) {
    std::transform(v.numbers.begin(), v.numbers.end(), to, [](double x) { return static_cast<T>(x); });
    return {};
  }
  auto file = geotiff_file::open(path);
  if (!file) return file.error();
  const tiff_layout& l = file->layout();
  if (l.height != v.shape[0] || l.width != v.shape[1] || first + count > l.height)
    return variable_error(errc::wrong_shape, path, v, "has changed while it was read");
  const index_t at_once = std::max<index_t>(l.block_height, 64);
  for (index_t row = first; row < first + count; row += at_once) {
    const auto part = file->read({row, 0, std::min(at_once, first + count - row), l.width});
    if (!part) return part.error();
    with_sample(l.type, [&](auto zero) {
      for (index_t i = 0; i < part->size(); ++i) {
        std::memcpy(&zero, part->bytes.data() + i * static_cast<index_t>(sizeof zero), sizeof zero);
        *to++ = static_cast<T>(zero);
      }
    });
  }
  return {};
}

template <class T>
result<> read_tiff(const std::string& path, const variable_info& v, T* to) {
  return read_tiff_rows(path, v, 0, v.shape[0], to);
}

}  // namespace detail

inline constexpr data_format tiff_format{file_format::tiff,
                                         "TIFF",
                                         list_tiff,
                                         detail::check_count,
                                         detail::listed_scale,
                                         detail::read_tiff<float>,
                                         detail::read_tiff<double>,
                                         detail::read_tiff_rows<float>};

}  // namespace unmask::inline UNMASK_ABI::io
