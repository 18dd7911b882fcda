#pragma once

/// PNG files and bytes through libpng's simplified API: it keeps its setjmp inside C, so no C++ object is ever jumped
/// over, and reports errors as text.

#include <png.h>

#include <cstdint>
#include <string>

#include "../core/result.hpp"
#include "../io/atomic_file.hpp"
#include "image.hpp"

namespace unmask::inline UNMASK_ABI::render {

/// The bytes of a PNG file (8-bit grey or RGB, tagged sRGB). Errors: bad_argument for an empty picture, for channels
/// other than 1 and 3, or for what libpng refuses.
inline result<std::string> encode_png(const image8& picture) {
  const std::string size =
      std::to_string(picture.width) + " x " + std::to_string(picture.height) + " x " + std::to_string(picture.channels);
  if (picture.height < 1 || picture.width < 1 || (picture.channels != 1 && picture.channels != 3) ||
      picture.height > INT32_MAX / 4 || picture.width > INT32_MAX / 4 ||
      static_cast<index_t>(picture.pixels.size()) != picture.height * picture.width * picture.channels)
    return error(errc::bad_argument, "png: picture of " + size + " (" + std::to_string(picture.pixels.size()) +
                                         " bytes), expected at least 1 x 1 with 1 or 3 channels");
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(picture.width);
  image.height = static_cast<png_uint_32>(picture.height);
  image.format = picture.channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;

  // One pass into a buffer that is large enough for any data, instead of compressing twice to learn the size.
  const png_alloc_size_t row = static_cast<png_alloc_size_t>(picture.width * picture.channels) + 1;
  const png_alloc_size_t raw = row * static_cast<png_alloc_size_t>(picture.height);
  png_alloc_size_t bytes = raw + raw / 256 + 4096;
  std::string file(bytes, '\0');
  if (!png_image_write_to_memory(&image, file.data(), &bytes, 0, picture.pixels.data(), 0, nullptr)) {
    const std::string why = image.message;
    png_image_free(&image);
    return error(errc::bad_argument, "png: picture of " + size + " refused: " + why);
  }
  file.resize(bytes);
  return file;
}

/// Writes a PNG file; it appears complete or not at all.
inline result<void> write_png(const std::string& path, const image8& picture) {
  result<std::string> file = encode_png(picture);
  if (!file) return file.error();
  return io::write_file(path, *file + std::string(io::output_mark));
}

}  // namespace unmask::inline UNMASK_ABI::render
