#pragma once

/// GeoTIFF through libtiff: reading any striped, tiled, compressed, big-endian or BigTIFF file of whole or floating
/// numbers, and writing changed pixels into a copy of it. The copy's tags are those of the source, byte for byte: only
/// blocks that hold a changed pixel are encoded anew, everything else is not touched.

#include <tiffio.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "atomic_file.hpp"
#include "input_file.hpp"
#include "raster.hpp"

namespace unmask::inline UNMASK_ABI::io {

struct geotiff {
  raster digits;
  std::optional<double> nodata;         ///< GDAL_NODATA
  std::optional<double> scale, offset;  ///< GDAL_METADATA, where all bands agree
};

namespace detail {

struct tiff_closer {
  void operator()(TIFF* t) const { TIFFClose(t); }
};
using tiff_file = std::unique_ptr<TIFF, tiff_closer>;

/// What libtiff said last, instead of printing it.
inline std::string& tiff_complaint() {
  thread_local std::string text;
  return text;
}

inline void keep_complaint(const char*, const char* format, std::va_list arguments) {
  char text[256];
  std::vsnprintf(text, sizeof text, format, arguments);
  // it warns of tags that it does not know too, which is no fault
  const std::string_view said = text;
  if (said.find("IO error") != said.npos || said.find("ignored") != said.npos || said.find("beyond") != said.npos)
    tiff_complaint() = printable(said);
}

/// Nothing where the file is no TIFF, or where a tag's values lie beyond the file's end.
inline tiff_file open_tiff(const std::string& path, const char* mode) {
  TIFFSetErrorHandler(nullptr);
  TIFFSetWarningHandler(keep_complaint);
  tiff_complaint().clear();
  tiff_file t(TIFFOpen(path.c_str(), mode));
  if (!tiff_complaint().empty()) t.reset();
  return t;
}

/// How pixels lie in the file: blocks are tiles, or strips as wide as the image.
struct tiff_layout {
  index_t height = 0, width = 0, bands = 0, block_height = 0, block_width = 0;
  bool tiled = false, planar = false;
  sample_type type = sample_type::u8;

  index_t across() const { return (width + block_width - 1) / block_width; }
  index_t down() const { return (height + block_height - 1) / block_height; }
  index_t planes() const { return planar ? bands : 1; }
  index_t samples() const { return planar ? 1 : bands; }
  index_t block_bytes() const { return block_height * block_width * samples() * sample_bytes(type); }
};

inline result<tiff_layout> layout_of(TIFF* t, const std::string& name) {
  std::uint32_t width = 0, height = 0, rows = 0, across = 0, down = 0;
  std::uint16_t bands = 1, bits = 1, format = SAMPLEFORMAT_UINT, planar = PLANARCONFIG_CONTIG;
  TIFFGetField(t, TIFFTAG_IMAGEWIDTH, &width);
  TIFFGetField(t, TIFFTAG_IMAGELENGTH, &height);
  TIFFGetFieldDefaulted(t, TIFFTAG_SAMPLESPERPIXEL, &bands);
  TIFFGetFieldDefaulted(t, TIFFTAG_BITSPERSAMPLE, &bits);
  TIFFGetFieldDefaulted(t, TIFFTAG_SAMPLEFORMAT, &format);
  TIFFGetFieldDefaulted(t, TIFFTAG_PLANARCONFIG, &planar);
  if (width < 1 || height < 1 || bands < 1)
    return error(errc::unreadable, name + ": no width, height or bands: not an image that can be read");
  tiff_layout l;
  l.height = height, l.width = width, l.bands = bands;
  l.tiled = TIFFIsTiled(t) != 0, l.planar = planar == PLANARCONFIG_SEPARATE && bands > 1;
  if (l.tiled) {
    TIFFGetField(t, TIFFTAG_TILEWIDTH, &across);
    TIFFGetField(t, TIFFTAG_TILELENGTH, &down);
    l.block_width = across, l.block_height = down;
  } else {
    TIFFGetFieldDefaulted(t, TIFFTAG_ROWSPERSTRIP, &rows);
    l.block_width = width, l.block_height = std::min<index_t>(rows, height);
  }
  const char kind = format == SAMPLEFORMAT_UINT     ? 'u'
                    : format == SAMPLEFORMAT_INT    ? 'i'
                    : format == SAMPLEFORMAT_IEEEFP ? 'f'
                                                    : '?';
  const std::string wanted = std::string(1, kind) + std::to_string(bits / 8);
  const auto* known = std::find(sample_type_names.begin(), sample_type_names.end(), wanted);
  if (bits % 8 != 0 || known == sample_type_names.end())
    return error(errc::wrong_value, name + ": " + std::to_string(bits) + " bits a number of format " +
                                        std::to_string(format) +
                                        ", expected whole or floating numbers of 8 to 64 bits");
  l.type = static_cast<sample_type>(known - sample_type_names.begin());
  if (l.block_width < 1 || l.block_height < 1 || l.height > max_elements / l.width / l.bands ||
      l.block_bytes() > (index_t{1} << 31))
    return error(errc::wrong_shape, name + ": sizes of " + shape_text(std::array{l.height, l.width, l.bands}) +
                                        " in blocks of " + shape_text(std::array{l.block_height, l.block_width}) +
                                        " cannot be read");
  return l;
}

inline std::uint32_t block_number(const tiff_layout& l, index_t plane, index_t down, index_t across) {
  return static_cast<std::uint32_t>((plane * l.down() + down) * l.across() + across);
}

inline bool read_block(TIFF* t, const tiff_layout& l, std::uint32_t n, std::vector<std::byte>& block, index_t rows) {
  const auto wanted =
      static_cast<tmsize_t>(l.tiled ? l.block_bytes() : rows * l.block_width * l.samples() * sample_bytes(l.type));
  return (l.tiled ? TIFFReadEncodedTile(t, n, block.data(), wanted)
                  : TIFFReadEncodedStrip(t, n, block.data(), wanted)) == wanted;
}

/// Copies a block's pixels from (`out`) or to the raster.
inline void move_block(const tiff_layout& l, index_t plane, index_t down, index_t across, std::byte* block,
                       std::byte* image, bool out) {
  const index_t size = sample_bytes(l.type), run = l.samples() * size;
  for (index_t h = 0; h < std::min(l.block_height, l.height - down * l.block_height); ++h)
    for (index_t w = 0; w < std::min(l.block_width, l.width - across * l.block_width); ++w) {
      std::byte* in_block = block + (h * l.block_width + w) * run;
      std::byte* in_image =
          image + (((down * l.block_height + h) * l.width + across * l.block_width + w) * l.bands + plane) * size;
      std::memcpy(out ? in_image : in_block, out ? in_block : in_image, static_cast<std::size_t>(run));
    }
}

/// The number of <Item ... role="scale"> entries, if all bands have the same.
inline std::optional<double> metadata_number(const std::string& xml, const std::string& role) {
  std::optional<double> value;
  for (std::size_t at = xml.find("role=\"" + role + "\""); at != std::string::npos;
       at = xml.find("role=\"" + role + "\"", at + 1)) {
    const std::size_t open = xml.find('>', at);
    if (open == std::string::npos) return std::nullopt;
    char* end = nullptr;
    const double v = std::strtod(xml.c_str() + open + 1, &end);
    if (end == xml.c_str() + open + 1 || (value && *value != v)) return std::nullopt;
    value = v;
  }
  return value;
}

inline std::optional<std::string> ascii_tag(TIFF* t, std::uint32_t tag) {
  // tags that libtiff does not know come back as a count and a pointer
  std::uint32_t count = 0;
  const char* text = nullptr;
  if (!TIFFFindField(t, tag, TIFF_ANY) || !TIFFGetField(t, tag, &count, &text) || !text) return std::nullopt;
  return std::string(text, strnlen(text, count));
}

}  // namespace detail

/// Reads the first image of the file. Errors: `not_found`, `unreadable` (no TIFF, truncated, a codec that libtiff was
/// built without), `wrong_value` (a type of number that is not supported), `wrong_shape`.
inline result<geotiff> read_geotiff(const std::string& path) {
  if (const auto there = input_file::open(path); !there) return there.error();
  const auto t = detail::open_tiff(path, "r");
  if (!t)
    return error(errc::unreadable, path + ": not a TIFF file, or truncated or damaged" +
                                       (detail::tiff_complaint().empty() ? "" : ": ") + detail::tiff_complaint());
  const auto l = detail::layout_of(t.get(), path);
  if (!l) return l.error();
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
  g.digits = raster(l->type, l->height, l->width, l->bands);
  std::vector<std::byte> block(static_cast<std::size_t>(l->block_bytes()));
  for (index_t p = 0; p < l->planes(); ++p)
    for (index_t y = 0; y < l->down(); ++y)
      for (index_t x = 0; x < l->across(); ++x) {
        const index_t rows = std::min(l->block_height, l->height - y * l->block_height);
        if (!detail::read_block(t.get(), *l, detail::block_number(*l, p, y, x), block, rows))
          return error(errc::unreadable,
                       path + ": block " + std::to_string(detail::block_number(*l, p, y, x)) +
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
  auto file = atomic_file::create(path);
  if (!file) return file.error();
  if (auto ok = file->write(*bytes); !ok) return ok;
  auto t = detail::open_tiff(file->path(), "r+");
  if (!t) return error(errc::unreadable, source + ": not a TIFF file, or damaged");
  const auto l = detail::layout_of(t.get(), source);
  if (!l) return l.error();
  std::uint16_t compression = COMPRESSION_NONE;
  TIFFGetFieldDefaulted(t.get(), TIFFTAG_COMPRESSION, &compression);
  for (const int lossy : {COMPRESSION_JPEG, COMPRESSION_OJPEG, 50001, COMPRESSION_LERC})
    if (compression == lossy)
      return error(errc::bad_argument,
                   source + ": its compression would change observed pixels too: convert it to DEFLATE or LZW first");
  if (l->height != r.height || l->width != r.width || l->bands != r.bands || l->type != r.type)
    return error(errc::wrong_shape, source + ": is no longer the file that was read");
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
          return error(errc::unreadable, source + ": cannot be read again");
        detail::move_block(*l, p, y, x, block.data(), copy.bytes.data(), false);
        const auto size = static_cast<tmsize_t>(
            l->tiled ? l->block_bytes() : rows * l->block_width * l->samples() * sample_bytes(l->type));
        const tmsize_t done = l->tiled ? TIFFWriteEncodedTile(t.get(), n, block.data(), size)
                                       : TIFFWriteEncodedStrip(t.get(), n, block.data(), size);
        if (done != size)
          return error(errc::not_writable, path + ": block " + std::to_string(n) + " cannot be written");
      }
  if (!TIFFFlush(t.get())) return error(errc::not_writable, path + ": cannot be written to its end");
  t.reset();
  return file->commit();
}

}  // namespace unmask::inline UNMASK_ABI::io
