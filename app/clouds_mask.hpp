#pragma once

/// A mask file turned into visibility, by windows: of the image's size, or a whole number of times coarser or finer.

#include <unmask/clouds/visibility.hpp>

#include "clouds_files.hpp"

namespace program {

/// How a mask file is to be read.
struct mask_source {
  std::string file;
  unmask::clouds::mask_kind kind = unmask::clouds::mask_kind::visibility;
  std::optional<double> hides, scale;
  bool untrusted = false;  ///< read by a child process where another library parses it
};

class mask_file {
 public:
  /// For an image of height x width. Errors: other sizes, and what cannot be known without being told.
  static result<mask_file> open(const mask_source& m, index_t height, index_t width) {
    namespace clouds = unmask::clouds;
    auto file = image_file::open(m.file, false, m.untrusted);
    if (!file) return file.error();
    mask_file r{std::move(*file), m};
    const image_file& f = r.file_;
    if (f.bands() != 1)
      return error(errc::wrong_shape,
                   m.file + ": found " + std::to_string(f.bands()) + " bands, expected a mask [H, W]");
    const index_t h = f.height(), w = f.width();
    if (height % h == 0 && width % w == 0 && height / h == width / w)
      r.coarser_ = height / h;
    else if (h % height == 0 && w % width == 0 && h / height == w / width)
      r.finer_ = h / height;
    else
      return error(errc::wrong_shape, m.file + ": mask of " + f.size_text() + ", expected " + std::to_string(height) +
                                          " x " + std::to_string(width) +
                                          " or a whole number of times coarser or finer");
    const bool whole = is_whole(f.type());
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
    return result<mask_file>(std::move(r));
  }

  const image_file& file() const { return file_; }
  const mask_source& source() const { return source_; }

  /// Pixels of the image that one of the mask covers along a side; below 1 where it is finer.
  double pixel() const { return static_cast<double>(coarser_) / static_cast<double>(finer_); }

  /// Visibility of a window of the image: a coarser pixel speaks for all it covers, of finer ones the least visible.
  result<unmask::tensor<float, 2>> read(const pixel_window& w) {
    const index_t k = coarser_, f = finer_;
    const pixel_window own{w.row / k * f, w.column / k * f, ((w.row + w.rows - 1) / k - w.row / k + 1) * f,
                           ((w.column + w.columns - 1) / k - w.column / k + 1) * f};
    const auto r = file_.read(own);
    if (!r) return r.error();
    unmask::tensor<float, 2> v({r->height, r->width});
    for (index_t i = 0; i < r->size(); ++i) {
      const double digit = r->digit(i);
      const auto seen =
          unmask::clouds::visibility_of(source_.kind, digit, source_.hides.value_or(0), source_.scale.value_or(1));
      if (source_.kind == unmask::clouds::mask_kind::binary && digit != source_.hides.value_or(0) &&
          other_.value_or(digit) != digit)
        return error(errc::wrong_value, source_.file + ": values " + std::to_string(*other_) + " and " +
                                            std::to_string(digit) + " beside \"hides\" " +
                                            std::to_string(*source_.hides) + ": a binary mask has two values in all");
      if (digit != source_.hides.value_or(0)) other_ = digit;
      if (!seen)
        return error(errc::wrong_value,
                     source_.file + ": value " + std::to_string(digit) + " at [" +
                         std::to_string(own.row + i / r->width) + ", " + std::to_string(own.column + i % r->width) +
                         "] is none of kind '" +
                         std::string(unmask::clouds::mask_kind_names[static_cast<std::size_t>(source_.kind)]) + "'");
      v.data()[i] = *seen;
    }
    if (k == 1 && f == 1) return v;
    unmask::tensor<float, 2> out({w.rows, w.columns}, 1.f);
    for (index_t h = 0; h < w.rows * f; ++h)
      for (index_t x = 0; x < w.columns * f; ++x) {
        const index_t row = (w.row * f + h) / k - own.row, column = (w.column * f + x) / k - own.column;
        float& to = out(h / f, x / f);
        const float from = v(row, column);
        if (std::isnan(from) || from < to) to = from;  // NaN stays: comparisons with it are false
      }
    return out;
  }

 private:
  mask_file(image_file file, mask_source source) : file_(std::move(file)), source_(std::move(source)) {}

  image_file file_;
  mask_source source_;
  index_t coarser_ = 1, finer_ = 1;
  std::optional<double> other_;  ///< of a binary mask: the value that does not hide
};

/// Visibility [height, width] of the whole image.
inline result<unmask::tensor<float, 2>> read_visibility(const mask_source& m, index_t height, index_t width) {
  auto file = mask_file::open(m, height, width);
  if (!file) return file.error();
  return file->read({0, 0, height, width});
}

}  // namespace program
