#pragma once

/// The dates of a manifest with their files open, and what a window of them shows.

#include "clouds_manifest.hpp"

namespace program {

/// One date's files. Pixels are read by windows.
struct date_files : date_notes {
  image_source image;
  std::optional<mask_file> visibility;
  std::optional<mask_file> given;  ///< exactly the pixels to reconstruct
};

struct stack_files {
  std::vector<date_files> dates;
  std::vector<double> wavelengths;
  std::optional<index_t> target;
  std::vector<std::string> notes;  ///< what was changed on the way

  index_t height() const { return dates[0].image.height(); }
  index_t width() const { return dates[0].image.width(); }
  index_t bands() const { return dates[0].image.bands(); }
  pixel_window whole() const { return {0, 0, height(), width()}; }
};

/// One date in a window.
struct dated_image : date_notes {
  raster digits;
  unmask::tensor<float, 3> values;         ///< reflectance; NaN without data
  unmask::tensor<float, 2> visibility;     ///< NaN without data
  unmask::tensor<std::uint8_t, 2> hidden;  ///< with margin
  index_t zeros = 0;                       ///< pixels taken as no data because all their digits are 0
};

struct dated_stack {
  std::vector<dated_image> images;
  std::vector<double> wavelengths;
  std::optional<index_t> target;
};

/// What counts as hidden where the manifest does not give it.
struct hiding {
  double below = .5;
  index_t margin = 3;
};

/// Reflectance from digits. A pixel whose digit is the no-data value in any band, or that is NaN, has none; without a
/// no-data value, whole numbers that are 0 in all bands have none either.
inline void to_reflectance(dated_image& image) {
  const raster& r = image.digits;
  image.values = unmask::tensor<float, 3>({r.height, r.width, r.bands});
  const bool whole = is_whole(r.type);
  for (index_t i = 0; i < r.height * r.width; ++i) {
    bool missing = false, zero = whole && !image.nodata;
    for (index_t c = 0; c < r.bands; ++c) {
      const double d = r.digit(i * r.bands + c);
      missing = missing || !std::isfinite(d) || (image.nodata && d == *image.nodata);
      zero = zero && d == 0;
      image.values.data()[i * r.bands + c] = static_cast<float>(d * image.scale + image.offset);
    }
    image.zeros += zero;
    if (missing || zero)
      std::fill_n(image.values.data() + i * r.bands, r.bands, std::numeric_limits<float>::quiet_NaN());
  }
}

/// Visibility and hidden pixels of a window. Around it a margin is read, so that windows agree with the whole.
inline result<> read_masks(date_files& d, const pixel_window& w, const hiding& how,
                           unmask::tensor<float, 2>& visibility, unmask::tensor<std::uint8_t, 2>& hidden) {
  visibility = unmask::tensor<float, 2>({w.rows, w.columns}, 1.f);
  hidden = unmask::tensor<std::uint8_t, 2>({w.rows, w.columns});
  if (d.given) {
    const auto seen = d.given->read(w);
    if (!seen) return seen.error();
    for (index_t i = 0; i < hidden.size(); ++i) hidden.data()[i] = !(seen->data()[i] >= .5f);
    if (!d.visibility) return {};
    auto v = d.visibility->read(w);
    if (!v) return v.error();
    visibility = std::move(*v);
    return {};
  }
  if (!d.visibility) return {};
  const index_t top = std::min(how.margin, w.row), left = std::min(how.margin, w.column);
  const pixel_window around{w.row - top, w.column - left,
                            std::min(w.rows + top + how.margin, d.image.height() - w.row + top),
                            std::min(w.columns + left + how.margin, d.image.width() - w.column + left)};
  const auto v = d.visibility->read(around);
  if (!v) return v.error();
  unmask::tensor<std::uint8_t, 2> all(v->extents()), hard(v->extents());
  unmask::clouds::hide_with_margin(v->data(), {around.rows, around.columns}, how.below, how.margin, all.data(),
                                   hard.data());
  for (index_t h = 0; h < w.rows; ++h)
    for (index_t x = 0; x < w.columns; ++x) {
      visibility(h, x) = (*v)(h + top, x + left);
      hidden(h, x) = all(h + top, x + left);
    }
  return {};
}

/// Everything of a date in a window.
inline result<dated_image> read_date(date_files& d, const pixel_window& w, const hiding& how) {
  dated_image image;
  static_cast<date_notes&>(image) = d;
  auto digits = d.image.read(w);
  if (!digits) return digits.error();
  image.digits = std::move(*digits);
  to_reflectance(image);
  if (auto ok = read_masks(d, w, how, image.visibility, image.hidden); !ok) return ok.error();
  return image;
}

/// Whether any pixel of the date is open, by its masks.
inline result<bool> sees_anything(date_files& d, const hiding& how) {
  unmask::tensor<float, 2> visibility;
  unmask::tensor<std::uint8_t, 2> hidden;
  constexpr index_t rows = 256;
  for (index_t h = 0; h < d.image.height(); h += rows) {
    const pixel_window w{h, 0, std::min(rows, d.image.height() - h), d.image.width()};
    if (auto ok = read_masks(d, w, how, visibility, hidden); !ok) return ok.error();
    if (std::find(hidden.begin(), hidden.end(), 0) != hidden.end()) return true;
  }
  return false;
}

inline result<dated_stack> read_window(stack_files& s, const pixel_window& w, const hiding& how) {
  dated_stack all{{}, s.wavelengths, s.target};
  for (date_files& d : s.dates) {
    auto image = read_date(d, w, how);
    if (!image) return image.error();
    all.images.push_back(std::move(*image));
  }
  return all;
}

}  // namespace program
