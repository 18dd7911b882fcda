#pragma once

/// Grey and other PNG pictures as bytes, made here so that every filter and every damage can be asked for.

#include <zlib.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

namespace io_test {

inline std::string big_endian(std::uint32_t n) {
  return {static_cast<char>(n >> 24), static_cast<char>(n >> 16), static_cast<char>(n >> 8), static_cast<char>(n)};
}

inline std::string png_chunk(const std::string& type, const std::string& data) {
  const std::string summed = type + data;
  return big_endian(static_cast<std::uint32_t>(data.size())) + summed +
         big_endian(static_cast<std::uint32_t>(
             ::crc32(0, reinterpret_cast<const Bytef*>(summed.data()), static_cast<uInt>(summed.size()))));
}

inline std::string deflated(const std::string& raw) {
  uLongf size = ::compressBound(static_cast<uLong>(raw.size()));
  std::string packed(size, '\0');
  ::compress2(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(raw.data()),
              static_cast<uLong>(raw.size()), 6);
  packed.resize(size);
  return packed;
}

struct png_kind {
  std::uint32_t width = 0, height = 0;
  int bits = 8, colour = 0, interlace = 0;
};

inline std::string png_header(const png_kind& k) {
  return big_endian(k.width) + big_endian(k.height) +
         std::string{static_cast<char>(k.bits), static_cast<char>(k.colour), 0, 0, static_cast<char>(k.interlace)};
}

/// Row h has filter h % 5; pixels go into chunks of `split` bytes.
inline std::string png_picture(const png_kind& k, const std::vector<int>& pixels, std::size_t split = 7) {
  const std::size_t bytes = static_cast<std::size_t>(k.bits) / 8, row = k.width * bytes;
  std::string raw;
  std::vector<int> above(row, 0), now(row);
  for (std::size_t h = 0; h < k.height; ++h) {
    for (std::size_t i = 0; i < row; ++i) {
      const int pixel = pixels[h * k.width + i / bytes];
      now[i] = bytes == 1 || i % 2 == 1 ? pixel & 255 : pixel >> 8;
    }
    const int filter = static_cast<int>(h % 5);
    raw += static_cast<char>(filter);
    for (std::size_t i = 0; i < row; ++i) {
      const int left = i < bytes ? 0 : now[i - bytes], up = above[i], corner = i < bytes ? 0 : above[i - bytes];
      const int p = left + up - corner, a = std::abs(p - left), b = std::abs(p - up), c = std::abs(p - corner);
      const std::array<int, 5> guess{0, left, up, (left + up) / 2, a <= b && a <= c ? left : b <= c ? up : corner};
      raw += static_cast<char>(now[i] - guess[static_cast<std::size_t>(filter)]);
    }
    above = now;
  }
  const std::string packed = deflated(raw);
  std::string file("\x89PNG\r\n\x1a\n" + png_chunk("IHDR", png_header(k)) + png_chunk("tEXt", "Software\0nobody"));
  for (std::size_t at = 0; at < packed.size(); at += split) file += png_chunk("IDAT", packed.substr(at, split));
  return file + png_chunk("IDAT", "") + png_chunk("IEND", "");
}

}  // namespace io_test
