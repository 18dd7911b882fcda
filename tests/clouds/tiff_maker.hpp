#pragma once

/// GeoTIFF files as GDAL writes them, in every layout, and what their directories say.

#include <doctest/doctest.h>

#include <fstream>
#include <unmask/io/geotiff_rewrite.hpp>
#include <unmask/io/geotiff_writer.hpp>

namespace unmask_test {

using unmask::index_t;
namespace io = unmask::io;

inline std::string bytes_of(const std::string& path) {
  std::ifstream f(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(f), {}};
}

struct layout {
  const char* mode;  ///< of TIFFOpen
  bool tiled, planar;
  std::uint16_t compression, predictor;
};

/// Strips and tiles, bands beside each other and apart, every lossless compression, both byte orders, both sizes.
inline std::vector<layout> layouts() {
  return {{"w", false, false, COMPRESSION_NONE, 1},
          {"w", true, false, COMPRESSION_NONE, 1},
          {"w", false, true, COMPRESSION_LZW, 2},
          {"w", true, true, COMPRESSION_ADOBE_DEFLATE, 2},
          {"w", false, false, COMPRESSION_PACKBITS, 1},
          {"wb", true, true, COMPRESSION_PACKBITS, 1},
          {"wb", true, false, COMPRESSION_ADOBE_DEFLATE, 2},
          {"wb", false, false, COMPRESSION_NONE, 1},
          {"w8", true, false, COMPRESSION_LZW, 1},
          {"wb8", false, true, COMPRESSION_ADOBE_DEFLATE, 1}};
}

/// Where the file lies, and what it says of its digits.
struct geo_tags {
  double x = 500000, y = 4649776.22, pixel = 10;
  std::uint16_t system = 32633;
  bool any = true;
  std::string more = {};  ///< further items of the metadata
};

/// Tags that are written as GDAL does: geo keys, tie points, metadata, no-data value.
inline void write_tiff(const std::string& path, const io::raster& r, const layout& l, const geo_tags& geo = {}) {
  static const TIFFFieldInfo fields[] = {{33550, -1, -1, TIFF_DOUBLE, FIELD_CUSTOM, 1, 1, const_cast<char*>("Scale")},
                                         {33922, -1, -1, TIFF_DOUBLE, FIELD_CUSTOM, 1, 1, const_cast<char*>("Tie")},
                                         {34735, -1, -1, TIFF_SHORT, FIELD_CUSTOM, 1, 1, const_cast<char*>("Keys")},
                                         {34737, -1, -1, TIFF_ASCII, FIELD_CUSTOM, 1, 0, const_cast<char*>("Ascii")},
                                         {42112, -1, -1, TIFF_ASCII, FIELD_CUSTOM, 1, 0, const_cast<char*>("Meta")},
                                         {42113, -1, -1, TIFF_ASCII, FIELD_CUSTOM, 1, 0, const_cast<char*>("Nodata")}};
  TIFF* t = TIFFOpen(path.c_str(), l.mode);
  REQUIRE(t != nullptr);
  TIFFMergeFieldInfo(t, fields, 6);
  TIFFSetField(t, TIFFTAG_IMAGEWIDTH, static_cast<std::uint32_t>(r.width));
  TIFFSetField(t, TIFFTAG_IMAGELENGTH, static_cast<std::uint32_t>(r.height));
  TIFFSetField(t, TIFFTAG_SAMPLESPERPIXEL, static_cast<std::uint16_t>(r.bands));
  TIFFSetField(t, TIFFTAG_BITSPERSAMPLE, static_cast<int>(8 * sample_bytes(r.type)));
  TIFFSetField(t, TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_UINT);
  TIFFSetField(t, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK);
  TIFFSetField(t, TIFFTAG_PLANARCONFIG, l.planar ? PLANARCONFIG_SEPARATE : PLANARCONFIG_CONTIG);
  TIFFSetField(t, TIFFTAG_COMPRESSION, l.compression);
  if (l.predictor > 1) TIFFSetField(t, TIFFTAG_PREDICTOR, l.predictor);
  if (l.tiled)
    TIFFSetField(t, TIFFTAG_TILEWIDTH, 16), TIFFSetField(t, TIFFTAG_TILELENGTH, 16);
  else
    TIFFSetField(t, TIFFTAG_ROWSPERSTRIP, 7);
  const double scale[] = {geo.pixel, geo.pixel, 0}, tie[] = {0, 0, 0, geo.x, geo.y, 0};
  const std::uint16_t keys[] = {1, 1, 0, 2, 1024, 0, 1, 1, 3072, 0, 1, geo.system};
  if (geo.any) {
    TIFFSetField(t, 33550, 3, scale), TIFFSetField(t, 33922, 6, tie), TIFFSetField(t, 34735, 12, keys);
    TIFFSetField(t, 34737, "WGS 84 / UTM zone 33N|");
    TIFFSetField(t, 42112,
                 ("<GDALMetadata><Item name=\"SCALE\" sample=\"0\" role=\"scale\">0.0001</Item><Item name=\"OFFSET\" "
                  "sample=\"0\" role=\"offset\">-0.1</Item>" +
                  geo.more + "</GDALMetadata>")
                     .c_str());
    TIFFSetField(t, 42113, "0");
  }
  const auto d = io::detail::layout_of(t, path);
  REQUIRE(d);
  io::raster copy = r;
  std::vector<std::byte> block(static_cast<std::size_t>(d->block_bytes()));
  for (index_t p = 0; p < d->planes(); ++p)
    for (index_t y = 0; y < d->down(); ++y)
      for (index_t x = 0; x < d->across(); ++x) {
        const io::detail::tiff_block at{p, y, x};
        io::detail::move_block(*d, at, block.data(), copy.bytes.data(), {0, 0, r.height, r.width}, false);
        const auto n = io::detail::block_number(*d, at);
        if (l.tiled)
          TIFFWriteEncodedTile(t, n, block.data(), d->block_bytes());
        else
          TIFFWriteEncodedStrip(t, n, block.data(), io::detail::stored_bytes(*d, at));
      }
  TIFFClose(t);
}

/// Every tag of the first directory but those that say where blocks lie (or those from `least` to `most`): number,
/// type, count and the bytes of its values.
inline std::string tags_of(const std::string& path, std::uint64_t least = 0, std::uint64_t most = 65535) {
  const std::string f = bytes_of(path);
  const bool big_end = f[0] == 'M';
  const auto number = [&](std::uint64_t at, int bytes) {
    std::uint64_t v = 0;
    for (int i = 0; i < bytes; ++i)
      v |= std::uint64_t{static_cast<unsigned char>(f.at(at + static_cast<std::uint64_t>(big_end ? bytes - 1 - i : i)))}
           << (8 * i);
    return v;
  };
  const bool large = number(2, 2) == 43;
  const int word = large ? 8 : 4;
  std::uint64_t at = number(large ? 8 : 4, word);
  const std::uint64_t count = number(at, large ? 8 : 2);
  at += large ? 8 : 2;
  std::string all;
  constexpr int sizes[] = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8};
  for (std::uint64_t i = 0; i < count; ++i, at += large ? 20 : 12) {
    const std::uint64_t tag = number(at, 2), type = number(at + 2, 2), n = number(at + 4, word);
    if (tag < least || tag > most) continue;
    if (tag == TIFFTAG_STRIPOFFSETS || tag == TIFFTAG_STRIPBYTECOUNTS || tag == TIFFTAG_TILEOFFSETS ||
        tag == TIFFTAG_TILEBYTECOUNTS)
      continue;
    const std::uint64_t bytes = n * static_cast<std::uint64_t>(sizes[type]),
                        field = at + 4 + static_cast<std::uint64_t>(word);
    const std::uint64_t from = bytes <= static_cast<std::uint64_t>(word) ? field : number(field, word);
    all +=
        std::to_string(tag) + ":" + std::to_string(type) + ":" + std::to_string(n) + ":" + f.substr(from, bytes) + "\n";
  }
  return all;
}

}  // namespace unmask_test
