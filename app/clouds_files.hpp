#pragma once

/// Images and masks of a stack of dates as files: NPY, and GeoTIFF where the program was built with libtiff.

#include <string>
#include <unmask/clouds/visibility.hpp>
#include <unmask/core/tensor.hpp>
#include <unmask/io/npy.hpp>

#if UNMASK_APP_HAS_TIFF
#include <unmask/io/geotiff.hpp>
#endif

#include "context.hpp"

namespace program {

using unmask::io::raster;

inline bool ends_with_any(const std::string& text, std::initializer_list<const char*> ends) {
  for (const char* e : ends)
    if (text.ends_with(e)) return true;
  return false;
}

inline bool is_tiff(const std::string& path) { return ends_with_any(path, {".tif", ".tiff", ".TIF", ".TIFF"}); }

/// What a file says of its own digits, where it does.
struct image_file {
  raster digits;
  std::optional<double> nodata, scale, offset;
};

inline result<image_file> read_image(const std::string& path) {
  image_file f;
  if (is_tiff(path)) {
#if UNMASK_APP_HAS_TIFF
    auto t = unmask::io::read_geotiff(path);
    if (!t) return t.error();
    return image_file{std::move(t->digits), t->nodata, t->scale, t->offset};
#else
    return error(errc::bad_argument, path + ": this program was built without libtiff (Debian: libtiff-dev)");
#endif
  }
  if (!path.ends_with(".npy"))
    return error(errc::bad_argument,
                 path + ": expected a file .npy or .tif (JP2 and SAFE: convert with gdal_translate)");
  auto r = unmask::io::read_npy(path);
  if (!r) return r.error();
  f.digits = std::move(*r);
  return f;
}

/// Writes digits beside what the source file says of them: a GeoTIFF keeps every tag.
inline result<> write_image(const std::string& path, const std::string& source, const raster& digits,
                            const unmask::tensor<std::uint8_t, 2>& changed) {
#if UNMASK_APP_HAS_TIFF
  if (is_tiff(source)) return unmask::io::rewrite_geotiff(path, source, digits, changed.view());
#endif
  (void)source, (void)changed;
  return unmask::io::write_npy(path, digits);
}

/// How a mask file is to be read.
struct mask_source {
  std::string file;
  unmask::clouds::mask_kind kind = unmask::clouds::mask_kind::visibility;
  std::optional<double> hides, scale;
};

/// Visibility [height, width] from a file of the same size, or one a whole number of times coarser or finer: a coarser
/// pixel speaks for all it covers, of finer ones the least visible.
inline result<unmask::tensor<float, 2>> read_visibility(const mask_source& m, index_t height, index_t width) {
  namespace clouds = unmask::clouds;
  const auto file = read_image(m.file);
  if (!file) return file.error();
  const raster& r = file->digits;
  const std::string size = std::to_string(r.height) + " x " + std::to_string(r.width);
  if (r.bands != 1)
    return error(errc::wrong_shape, m.file + ": found " + std::to_string(r.bands) + " bands, expected a mask [H, W]");
  const bool coarser = height % r.height == 0 && width % r.width == 0 && height / r.height == width / r.width;
  const bool finer = r.height % height == 0 && r.width % width == 0 && r.height / height == r.width / width;
  if (!coarser && !finer)
    return error(errc::wrong_shape, m.file + ": mask of " + size + ", expected " + std::to_string(height) + " x " +
                                        std::to_string(width) + " or a whole number of times coarser or finer");
  const bool whole = r.type != unmask::io::sample_type::f32 && r.type != unmask::io::sample_type::f64;
  double scale = m.scale.value_or(1);
  if (m.kind == clouds::mask_kind::visibility && whole && !m.scale)
    return error(errc::bad_argument,
                 m.file +
                     ": whole numbers, expected visibility in 0..1 as floating numbers; say what it is: "
                     "\"kind\": \"probability\" (and \"scale\"), \"scl\", \"qa60\", \"qa_pixel\", \"bqa\" or "
                     "\"binary\" with \"hides\"");
  if (m.kind == clouds::mask_kind::binary && !m.hides)
    return error(errc::bad_argument, m.file + ": binary mask without \"hides\": say which value hides, 0 or 1");
  if (m.kind == clouds::mask_kind::probability && whole && !m.scale)
    return error(errc::bad_argument,
                 m.file + ": probability as whole numbers without \"scale\": say 0.01 for per cent");
  unmask::tensor<float, 2> v({r.height, r.width});
  for (index_t i = 0; i < r.size(); ++i) {
    const double digit = r.digit(i);
    const auto seen = clouds::visibility_of(m.kind, digit, m.hides.value_or(0), scale);
    if (!seen)
      return error(errc::wrong_value, m.file + ": value " + std::to_string(digit) + " at [" +
                                          std::to_string(i / r.width) + ", " + std::to_string(i % r.width) +
                                          "] is none of kind '" +
                                          std::string(clouds::mask_kind_names[static_cast<std::size_t>(m.kind)]) + "'");
    v.data()[i] = *seen;
  }
  if (r.height == height && r.width == width) return v;
  unmask::tensor<float, 2> out({height, width}, 1.f);
  const index_t k = coarser ? height / r.height : r.height / height;
  for (index_t h = 0; h < std::max(height, r.height); ++h)
    for (index_t w = 0; w < std::max(width, r.width); ++w) {
      float& to = coarser ? out(h, w) : out(h / k, w / k);
      const float from = coarser ? v(h / k, w / k) : v(h, w);
      if (std::isnan(from) || from < to) to = from;  // NaN stays: comparisons with it are false
    }
  return out;
}

}  // namespace program
