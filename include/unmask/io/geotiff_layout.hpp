#pragma once

/// How pixels lie in a TIFF file: tiles, or strips as wide as the image, of whole or floating numbers, read and moved
/// block by block through libtiff.

#include <tiffio.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "input_file.hpp"
#include "raster.hpp"

namespace unmask::inline UNMASK_ABI::io::detail {

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

/// `mode` as TIFFOpen takes it; "rm" reads without mapping the file, whose pages would count as this process's memory.
/// Nothing where the file is no TIFF, or where a tag's values lie beyond the file's end.
inline tiff_file open_tiff(const std::string& path, const char* mode) {
  TIFFSetErrorHandler(nullptr);
  TIFFSetWarningHandler(keep_complaint);
  tiff_complaint().clear();
  tiff_file t(TIFFOpen(path.c_str(), mode));
  if (!tiff_complaint().empty()) t.reset();
  return t;
}

/// Bytes of pixels for a byte of the file, at most: what each codec can pack.
inline std::uint64_t most_inflated(int compression) {
  switch (compression) {
    case COMPRESSION_NONE:
      return 1;
    case COMPRESSION_PACKBITS:
      return 64;
    case COMPRESSION_ADOBE_DEFLATE:
    case COMPRESSION_DEFLATE:
      return 1032;
    case COMPRESSION_LZW:
      return 4096;
    default:
      return 65536;  // zstd and lzma: an image of one value
  }
}

/// How pixels lie in the file: blocks are tiles, or strips as wide as the image.
struct tiff_layout {
  index_t height = 0, width = 0, bands = 0, block_height = 0, block_width = 0;
  bool tiled = false, planar = false;
  sample_type type = sample_type::u8;
  int compression = COMPRESSION_NONE;

  index_t across() const { return (width + block_width - 1) / block_width; }
  index_t down() const { return (height + block_height - 1) / block_height; }
  index_t planes() const { return planar ? bands : 1; }
  index_t samples() const { return planar ? 1 : bands; }
  index_t block_bytes() const { return block_height * block_width * samples() * sample_bytes(type); }
};

inline result<tiff_layout> layout_of(TIFF* t, const std::string& name) {
  std::uint32_t width = 0, height = 0, rows = 0, across = 0, down = 0;
  std::uint16_t bands = 1, bits = 1, format = SAMPLEFORMAT_UINT, planar = PLANARCONFIG_CONTIG,
                compression = COMPRESSION_NONE;
  TIFFGetField(t, TIFFTAG_IMAGEWIDTH, &width);
  TIFFGetField(t, TIFFTAG_IMAGELENGTH, &height);
  TIFFGetFieldDefaulted(t, TIFFTAG_SAMPLESPERPIXEL, &bands);
  TIFFGetFieldDefaulted(t, TIFFTAG_BITSPERSAMPLE, &bits);
  TIFFGetFieldDefaulted(t, TIFFTAG_SAMPLEFORMAT, &format);
  TIFFGetFieldDefaulted(t, TIFFTAG_PLANARCONFIG, &planar);
  TIFFGetFieldDefaulted(t, TIFFTAG_COMPRESSION, &compression);
  if (width < 1 || height < 1 || bands < 1)
    return error(errc::unreadable, name + ": no width, height or bands: not an image that can be read");
  tiff_layout l;
  l.height = height, l.width = width, l.bands = bands, l.compression = compression;
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
      l.block_height > max_elements / l.block_width / l.samples() || l.block_bytes() > (index_t{1} << 31))
    return error(errc::wrong_shape, name + ": sizes of " + shape_text(std::array{l.height, l.width, l.bands}) +
                                        " in blocks of " + shape_text(std::array{l.block_height, l.block_width}) +
                                        " cannot be read");
  return l;
}

/// One block of the file.
struct tiff_block {
  index_t plane = 0, down = 0, across = 0;
};

inline std::uint32_t block_number(const tiff_layout& l, const tiff_block& b) {
  return static_cast<std::uint32_t>((b.plane * l.down() + b.down) * l.across() + b.across);
}

/// Bytes of a block as libtiff gives and takes it: the last strip may be shorter than others.
inline tmsize_t stored_bytes(const tiff_layout& l, const tiff_block& b) {
  if (l.tiled) return static_cast<tmsize_t>(l.block_bytes());
  const index_t rows = std::min(l.block_height, l.height - b.down * l.block_height);
  return static_cast<tmsize_t>(rows * l.block_width * l.samples() * sample_bytes(l.type));
}

inline bool read_block(TIFF* t, const tiff_layout& l, const tiff_block& b, std::byte* to) {
  const tmsize_t wanted = stored_bytes(l, b);
  return (l.tiled ? TIFFReadEncodedTile(t, block_number(l, b), to, wanted)
                  : TIFFReadEncodedStrip(t, block_number(l, b), to, wanted)) == wanted;
}

/// Copies what a block and a part of the image in memory have in common, from the block (`out`) or to it.
inline void move_block(const tiff_layout& l, const tiff_block& b, std::byte* block, std::byte* image,
                       const pixel_window& part, bool out) {
  const index_t size = sample_bytes(l.type), run = l.samples() * size;
  const index_t top = b.down * l.block_height, left = b.across * l.block_width;
  const index_t from = std::max(left, part.column),
                to = std::min({left + l.block_width, part.column + part.columns, l.width});
  for (index_t h = std::max(top, part.row); h < std::min({top + l.block_height, part.row + part.rows, l.height}); ++h)
    for (index_t w = from; w < to; ++w) {
      std::byte* in_block = block + ((h - top) * l.block_width + w - left) * run;
      std::byte* in_image = image + (((h - part.row) * part.columns + w - part.column) * l.bands + b.plane) * size;
      std::memcpy(out ? in_image : in_block, out ? in_block : in_image, static_cast<std::size_t>(run));
    }
}

/// body(block) for every block that shares a pixel with the window; false where one says false.
template <class Body>
bool for_blocks(const tiff_layout& l, const pixel_window& w, const Body& body) {
  for (index_t p = 0; p < l.planes(); ++p)
    for (index_t y = w.row / l.block_height; y * l.block_height < w.row + w.rows; ++y)
      for (index_t x = w.column / l.block_width; x * l.block_width < w.column + w.columns; ++x)
        if (!body(tiff_block{p, y, x})) return false;
  return true;
}

}  // namespace unmask::inline UNMASK_ABI::io::detail
