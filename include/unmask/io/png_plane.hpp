#pragma once

/// Grey PNG pictures of 8 or 16 bits, digits as stored: no gamma, no colour management, which libpng's simple interface
/// would apply. Source: W3C, "Portable Network Graphics Specification", second edition. Read by our own code over zlib:
/// a picture of a band needs one of its colour types, and memory in proportion to the picture.

#include <zlib.h>

#include <array>
#include <cstdlib>
#include <vector>

#include "data_format.hpp"

namespace unmask::inline UNMASK_ABI::io {

namespace detail {

inline std::uint32_t png_number(const unsigned char* bytes) {
  return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 | std::uint32_t{bytes[2]} << 8 | bytes[3];
}

inline error png_damaged(const input_file& file, const std::string& what) {
  return error(errc::unreadable, file.name() + ": truncated or damaged PNG picture (" + what + ")");
}

/// Walks the chunks of a picture and hands out the bytes of its IDAT chunks, whose sums it checks.
class png_chunks {
 public:
  explicit png_chunks(input_file& file) : file_(&file) {}

  /// The 13 bytes of IHDR; false where the file does not begin with it.
  bool header(std::array<unsigned char, 13>& to) {
    return file_->seek(8) && next() && type_ == "IHDR" && left_ == to.size() && take(to.data(), to.size()) == 13 &&
           left_ == 0;
  }
  /// Up to `bytes` of image data; 0 at their end, or where the file is damaged.
  std::size_t image(unsigned char* to, std::size_t bytes) {
    while (fine_ && left_ == 0 && !ended_) {
      if (!next() || type_ == "IEND") break;
      if (type_ != "IDAT" && begun_) {
        ended_ = true;  // what follows has no more of them
      } else {
        begun_ = type_ == "IDAT";
        if ((!begun_ || left_ == 0) && !skip()) break;
      }
    }
    return fine_ && type_ == "IDAT" && !ended_ ? take(to, std::min<std::uint64_t>(bytes, left_)) : 0;
  }
  bool fine() const { return fine_; }

 private:
  bool next() {
    unsigned char head[8];
    fine_ = fine_ && file_->read(head, 8);
    if (!fine_) return false;
    left_ = png_number(head);
    type_.assign(reinterpret_cast<const char*>(head + 4), 4);
    sum_ = ::crc32_z(0, head + 4, 4);
    return fine_ = left_ < (std::uint32_t{1} << 31);
  }
  std::size_t take(unsigned char* to, std::uint64_t bytes) {
    const auto n = static_cast<std::size_t>(bytes);
    fine_ = fine_ && file_->read(to, n);
    if (!fine_) return 0;
    sum_ = ::crc32_z(sum_, to, n);
    left_ -= static_cast<std::uint32_t>(n);
    unsigned char stored[4];
    if (left_ == 0) fine_ = file_->read(stored, 4) && png_number(stored) == sum_;
    return fine_ ? n : 0;
  }
  bool skip() {
    std::array<unsigned char, 4096> waste;
    if (left_ == 0) take(waste.data(), 0);
    while (fine_ && left_ > 0) take(waste.data(), std::min<std::uint64_t>(waste.size(), left_));
    return fine_;
  }

  input_file* file_;
  std::string type_;
  std::uint32_t left_ = 0;
  ::uLong sum_ = 0;
  bool fine_ = true, begun_ = false, ended_ = false;
};

/// Undoes the filter of one row, in place; `above` is the row before. False for a filter that there is not.
inline bool png_unfilter(int filter, std::vector<unsigned char>& row, const std::vector<unsigned char>& above,
                         std::size_t pixel) {
  if (filter == 0) return true;
  for (std::size_t i = 0; i < row.size(); ++i) {
    const int left = i < pixel ? 0 : row[i - pixel], up = above[i], corner = i < pixel ? 0 : above[i - pixel];
    const int p = left + up - corner, a = std::abs(p - left), b = std::abs(p - up), c = std::abs(p - corner);
    const int guess = filter == 1   ? left
                      : filter == 2 ? up
                      : filter == 3 ? (left + up) / 2
                                    : (a <= b && a <= c ? left
                                       : b <= c         ? up
                                                        : corner);
    row[i] = static_cast<unsigned char>(row[i] + guess);
  }
  return filter <= 4;
}

/// The rows of a picture, each handed to `body(row bytes)`. False where it ends too early or is damaged.
template <class Body>
bool png_rows(input_file& file, index_t height, std::size_t row_bytes, std::size_t pixel, const Body& body) {
  png_chunks chunks(file);
  std::array<unsigned char, 13> header;
  if (!chunks.header(header)) return false;
  z_stream z{};
  if (::inflateInit(&z) != Z_OK) return false;
  std::array<unsigned char, 16384> input;
  std::vector<unsigned char> row(row_bytes), above(row_bytes, 0);
  int code = Z_OK;
  const auto unpack = [&](unsigned char* to, std::size_t wanted) {
    z.next_out = to, z.avail_out = static_cast<uInt>(wanted);
    while (z.avail_out > 0 && code == Z_OK) {
      if (z.avail_in == 0) {
        z.next_in = input.data(), z.avail_in = static_cast<uInt>(chunks.image(input.data(), input.size()));
        if (z.avail_in == 0) return false;
      }
      code = ::inflate(&z, Z_NO_FLUSH);
    }
    return z.avail_out == 0;
  };
  bool good = true;
  for (index_t h = 0; good && h < height; ++h) {
    unsigned char filter = 0;
    good = unpack(&filter, 1) && unpack(row.data(), row.size()) && png_unfilter(filter, row, above, pixel);
    if (!good) break;
    body(row);
    row.swap(above);
  }
  unsigned char beyond = 0;
  if (good && code == Z_OK) good = !unpack(&beyond, 1) && code == Z_STREAM_END;  // no more, and its sum is right
  ::inflateEnd(&z);
  return good && chunks.fine();
}

}  // namespace detail

/// A picture as the list of its one variable, `picture` [H, W]. Errors: `unreadable` (no PNG picture, or damaged).
inline result<file_info> list_png(const std::string& path) {
  auto file = input_file::open(path);
  if (!file) return file.error();
  std::array<unsigned char, 13> header;
  if (!detail::png_chunks(*file).header(header)) return detail::png_damaged(*file, "its header");
  const std::uint32_t width = detail::png_number(header.data()), height = detail::png_number(header.data() + 4);
  const int bits = header[8], colour = header[9];
  variable_info v;
  v.name = "picture";
  v.shape = {static_cast<index_t>(height), static_cast<index_t>(width)};
  constexpr std::array<std::string_view, 7> kinds{"grey",           "", "colour",          "palette",
                                                  "grey and alpha", "", "colour and alpha"};
  if (colour > 6 || kinds[static_cast<std::size_t>(colour)].empty() || header[12] > 1 || width == 0 || height == 0 ||
      width >= 1u << 31 || height >= 1u << 31)
    return detail::png_damaged(*file, "its header");
  v.numeric = colour == 0 && (bits == 8 || bits == 16) && header[12] == 0;
  v.type = v.numeric ? "uint" + std::to_string(bits)
                     : std::to_string(bits) + " bits, " + std::string(kinds[static_cast<std::size_t>(colour)]) +
                           (header[12] == 1 ? ", interlaced" : "");
  v.usual_full_scale = bits == 8 ? 255 : 65535;
  // a row has one byte more than its pixels, and deflate packs at most 1032 to 1
  const std::uint64_t row = std::uint64_t{width} * static_cast<std::uint64_t>(bits / 8) + 1;
  if (v.numeric && row * height / 1032 > file->size())
    return detail::png_damaged(*file, "claims " + std::to_string(width) + " x " + std::to_string(height) +
                                          " pixels in " + std::to_string(file->size()) + " bytes");
  return file_info{path, file_format::png, {std::move(v)}, {}};
}

namespace detail {

/// As stored, row by row.
template <class T>
result<> read_png(const std::string& path, const variable_info& v, T* to) {
  auto file = input_file::open(path);
  if (!file) return file.error();
  const std::size_t pixel = v.type == "uint8" ? 1 : 2;
  const bool good = png_rows(*file, v.shape[0], static_cast<std::size_t>(v.shape[1]) * pixel, pixel,
                             [&](const std::vector<unsigned char>& row) {
                               for (std::size_t i = 0; i < row.size(); i += pixel)
                                 *to++ = static_cast<T>(pixel == 1 ? row[i] : 256 * row[i] + row[i + 1]);
                             });
  return good ? result<>() : png_damaged(*file, "its pixels");
}

}  // namespace detail

inline constexpr data_format png_format{
    file_format::png,        "PNG", list_png, detail::check_count, detail::listed_scale, detail::read_png<float>,
    detail::read_png<double>};

}  // namespace unmask::inline UNMASK_ABI::io
