#pragma once

/// GeoTIFF through libtiff: reading any striped, tiled, compressed, big-endian or BigTIFF file of whole or floating
/// numbers, and writing changed pixels into a copy of it. The copy's tags are those of the source, byte for byte: only
/// blocks that hold a changed pixel are encoded anew, everything else is not touched.

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "atomic_file.hpp"
#include "geotiff_layout.hpp"

namespace unmask::inline UNMASK_ABI::io {

struct geotiff {
  raster digits;
  std::optional<double> nodata;         ///< GDAL_NODATA
  std::optional<double> scale, offset;  ///< GDAL_METADATA, where all bands agree
};

namespace detail {

/// The number of <Item ... role="scale"> entries, if all bands have the same.
inline std::optional<double> metadata_number(const std::string& xml, const std::string& role) {
  std::optional<double> value;
  for (std::size_t at = xml.find("role=\"" + role + "\""); at != std::string::npos;
       at = xml.find("role=\"" + role + "\"", at)) {
    const std::size_t open = xml.find('>', at);
    if (open == std::string::npos) return std::nullopt;
    at = open;  // roles that share one bracket are one item; each would search for it again
    char* end = nullptr;
    const double v = std::strtod(xml.c_str() + open + 1, &end);
    if (end == xml.c_str() + open + 1 || (value && *value != v)) return std::nullopt;
    value = v;
  }
  return value;
}

/// Tags that libtiff does not know come back as a count and a pointer; that of another type than text has no end.
inline std::optional<std::string> ascii_tag(TIFF* t, std::uint32_t tag) {
  const TIFFField* field = TIFFFindField(t, tag, TIFF_ANY);
  if (!field || TIFFFieldDataType(field) != TIFF_ASCII) return std::nullopt;
  std::uint32_t count = 0;
  const char* text = nullptr;
  if (!TIFFFieldPassCount(field)) return TIFFGetField(t, tag, &text) && text ? std::optional(text) : std::nullopt;
  if (!TIFFGetField(t, tag, &count, &text) || !text) return std::nullopt;
  return std::string(text, strnlen(text, count));
}

}  // namespace detail

/// Reads the first image of the file. Errors: `not_found`, `unreadable` (no TIFF, truncated, a codec that libtiff was
/// built without), `wrong_value` (a type of number that is not supported), `wrong_shape`.
inline result<geotiff> read_geotiff(const std::string& path) {
  const auto there = input_file::open(path);
  if (!there) return there.error();
  const std::string& name = there->name();
  const auto t = detail::open_tiff(path, "r");
  if (!t)
    return error(errc::unreadable, name + ": not a TIFF file, or truncated or damaged" +
                                       (detail::tiff_complaint().empty() ? "" : ": ") + detail::tiff_complaint());
  const auto l = detail::layout_of(t.get(), name);
  if (!l) return l.error();
  const std::uint64_t bytes =
      static_cast<std::uint64_t>(l->height * l->width * l->bands) * static_cast<std::uint64_t>(sample_bytes(l->type));
  auto digits = std::max(bytes, static_cast<std::uint64_t>(l->block_bytes())) <= l->most_inflated * there->size()
                    ? detail::allocate<std::byte>(static_cast<std::int64_t>(bytes))
                    : std::nullopt;
  if (!digits)
    return error(errc::unreadable, name + ": claims " + std::to_string(bytes) + " bytes of numbers, which a file of " +
                                       std::to_string(there->size()) + " bytes cannot hold, or memory cannot");
  geotiff g;
  if (const auto text = detail::ascii_tag(t.get(), 42113)) {
    char* end = nullptr;
    const double v = std::strtod(text->c_str(), &end);
    if (end != text->c_str()) g.nodata = v;
  }
  if (const auto xml = detail::ascii_tag(t.get(), 42112)) {
    g.scale = detail::metadata_number(*xml, "scale");
    g.offset = detail::metadata_number(*xml, "offset");
  }
  g.digits.type = l->type, g.digits.height = l->height, g.digits.width = l->width, g.digits.bands = l->bands;
  g.digits.bytes = std::move(*digits);
  std::vector<std::byte> block(static_cast<std::size_t>(l->block_bytes()));
  for (index_t p = 0; p < l->planes(); ++p)
    for (index_t y = 0; y < l->down(); ++y)
      for (index_t x = 0; x < l->across(); ++x) {
        const index_t rows = std::min(l->block_height, l->height - y * l->block_height);
        if (!detail::read_block(t.get(), *l, detail::block_number(*l, p, y, x), block, rows))
          return error(errc::unreadable,
                       name + ": block " + std::to_string(detail::block_number(*l, p, y, x)) +
                           " cannot be read: truncated, or compressed in a way that libtiff does not know");
        detail::move_block(*l, p, y, x, block.data(), g.digits.bytes.data(), true);
      }
  return g;
}

/// `path` becomes a copy of the TIFF `source` with the digits of r where changed [H, W] is not 0. Errors: those of
/// reading, `bad_argument` where the file's compression would change the pixels around (JPEG, WebP, LERC),
/// `not_writable`.
inline result<> rewrite_geotiff(const std::string& path, const std::string& source, const raster& r,
                                in<std::uint8_t, 2> changed) {
  const auto bytes = read_file(source);
  if (!bytes) return bytes.error();
  const std::string name = detail::printable(source, 1000);
  auto file = atomic_file::create(path);
  if (!file) return file.error();
  if (auto ok = file->write(*bytes); !ok) return ok;
  auto t = detail::open_tiff(file->path(), "r+");
  if (!t) return error(errc::unreadable, name + ": not a TIFF file, or damaged");
  const auto l = detail::layout_of(t.get(), name);
  if (!l) return l.error();
  for (const int lossy : {COMPRESSION_JPEG, COMPRESSION_OJPEG, 50001, COMPRESSION_LERC})
    if (l->compression == lossy)
      return error(errc::bad_argument,
                   name + ": its compression would change observed pixels too: convert it to DEFLATE or LZW first");
  if (l->height != r.height || l->width != r.width || l->bands != r.bands || l->type != r.type)
    return error(errc::wrong_shape, name + ": is no longer the file that was read");
  raster copy = r;
  std::vector<std::byte> block(static_cast<std::size_t>(l->block_bytes()));
  for (index_t p = 0; p < l->planes(); ++p)
    for (index_t y = 0; y < l->down(); ++y)
      for (index_t x = 0; x < l->across(); ++x) {
        const index_t rows = std::min(l->block_height, l->height - y * l->block_height);
        const index_t columns = std::min(l->block_width, l->width - x * l->block_width);
        bool touched = false;
        for (index_t h = 0; h < rows && !touched; ++h)
          for (index_t w = 0; w < columns && !touched; ++w)
            touched = changed(y * l->block_height + h, x * l->block_width + w) != 0;
        if (!touched) continue;
        const std::uint32_t n = detail::block_number(*l, p, y, x);
        if (!detail::read_block(t.get(), *l, n, block, rows))
          return error(errc::unreadable, name + ": cannot be read again");
        detail::move_block(*l, p, y, x, block.data(), copy.bytes.data(), false);
        const auto size = static_cast<tmsize_t>(
            l->tiled ? l->block_bytes() : rows * l->block_width * l->samples() * sample_bytes(l->type));
        const tmsize_t done = l->tiled ? TIFFWriteEncodedTile(t.get(), n, block.data(), size)
                                       : TIFFWriteEncodedStrip(t.get(), n, block.data(), size);
        if (done != size)
          return error(errc::not_writable,
                       detail::printable(path, 1000) + ": block " + std::to_string(n) + " cannot be written");
      }
  if (!TIFFFlush(t.get()))
    return error(errc::not_writable, detail::printable(path, 1000) + ": cannot be written to its end");
  t.reset();
  return file->commit();
}

}  // namespace unmask::inline UNMASK_ABI::io
