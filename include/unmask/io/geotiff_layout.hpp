#pragma once

/// How the pixels of a TIFF file lie, and its blocks one by one, through libtiff. Part of geotiff.hpp.

#include <tiffio.h>

#include <algorithm>
#include <array>
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
  std::uint64_t most_inflated = 1;

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
  l.height = height, l.width = width, l.bands = bands;
  l.compression = compression, l.most_inflated = most_inflated(compression);
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

}  // namespace unmask::inline UNMASK_ABI::io::detail
