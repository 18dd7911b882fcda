#pragma once

/// A cube's values as text inside a page: 16-bit codes, for each band a zlib stream in base64.

#include <zlib.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "html.hpp"

namespace unmask::inline UNMASK_ABI::render {

/// Code `q` means `lo + q (hi - lo) / 65534`; `no_number` stands for NaN and infinity. So a finite value is off by at
/// most `error()`.
///
/// Each stream unpacks to 2 H W bytes: the high bytes of all pixels, then the low ones, of the difference between a
/// code and the one to its left (0 in column 0), modulo 65536. Neighbours are alike, so most high bytes are 0 or 255.
struct packed_cube {
  static constexpr std::uint16_t no_number = 65535;
  double lo = 0, hi = 1;           ///< least and greatest finite value
  std::vector<std::string> bands;  ///< base64, one per band

  double error() const { return (hi - lo) / 65534 / 2; }
};

namespace detail {

/// A zlib stream (RFC 1950), as browsers unpack it under the name "deflate". Errors: no memory.
inline result<std::string> zlib_stream(const std::string& bytes) {
  uLongf size = compressBound(static_cast<uLong>(bytes.size()));
  std::string packed(size, '\0');
  const int status = compress2(reinterpret_cast<Bytef*>(packed.data()), &size,
                               reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uLong>(bytes.size()), 6);
  if (status != Z_OK)
    return error(errc::bad_argument, "zlib: " + std::to_string(bytes.size()) + " bytes refused: " + zError(status));
  packed.resize(size);
  return packed;
}

/// Means over k x k pixels of every band, as `shrink` makes them.
inline tensor<float, 3> shrink_cube(in<float, 3> cube, index_t k) {
  const index_t bands = cube.extent(2);
  tensor<float, 3> small({(cube.extent(0) + k - 1) / k, (cube.extent(1) + k - 1) / k, bands});
  for (index_t c = 0; c < bands; ++c) {
    const tensor<float, 2> plane = shrink(band_plane(cube, c), k);
    for (index_t i = 0; i < plane.size(); ++i) small.data()[i * bands + c] = plane.data()[i];
  }
  return small;
}

}  // namespace detail

/// Errors: those of zlib.
inline result<packed_cube> pack_cube(in<float, 3> cube) {
  packed_cube packed;
  double lo = INFINITY, hi = -INFINITY;
  for (const float f : cube)
    if (const double v = static_cast<double>(f); std::isfinite(v)) lo = std::min(lo, v), hi = std::max(hi, v);
  if (lo <= hi) packed.lo = lo, packed.hi = hi;
  const double scale = packed.hi > packed.lo ? 65534 / (packed.hi - packed.lo) : 0;
  const index_t width = cube.extent(1), bands = cube.extent(2), n = cube.extent(0) * width;
  std::string bytes(static_cast<std::size_t>(2 * n), '\0');
  for (index_t c = 0; c < bands; ++c) {
    unsigned left = 0;
    for (index_t i = 0; i < n; ++i) {
      const double v = static_cast<double>(cube.data()[i * bands + c]);
      const unsigned code =
          std::isfinite(v) ? static_cast<unsigned>(std::lround((v - packed.lo) * scale)) : packed_cube::no_number;
      const unsigned step = code - (i % width == 0 ? 0 : left);
      bytes[static_cast<std::size_t>(i)] = static_cast<char>(static_cast<unsigned char>(step >> 8 & 255));
      bytes[static_cast<std::size_t>(n + i)] = static_cast<char>(static_cast<unsigned char>(step & 255));
      left = code;
    }
    auto stream = detail::zlib_stream(bytes);
    if (!stream) return stream.error();
    packed.bands.push_back(base64(*stream));
  }
  return packed;
}

}  // namespace unmask::inline UNMASK_ABI::render
