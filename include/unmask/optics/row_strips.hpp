#pragma once

/// A few rows of an image that stand for all: strips of neighbouring rows, evenly over it, put one below the other. A
/// canonical camera measures each row apart from all others, so they are an exact smaller snapshot. What lies between
/// is read between the nearest rows, linearly.

#include <algorithm>

#include "../core/view.hpp"

namespace unmask::inline UNMASK_ABI::optics::detail {

class row_strips {
 public:
  /// Strips of `strip_rows` rows, one in `spacing` rows of an image of `height`; more where all together would have
  /// less than `least_rows` rows, up to all of the image's.
  row_strips(index_t height, index_t strip_rows, index_t spacing, index_t least_rows)
      : height_(height), strip_(std::min(strip_rows, height)) {
    const index_t wanted = std::max(height / std::max(spacing, strip_), (least_rows + strip_ - 1) / strip_);
    strips_ = std::clamp<index_t>(wanted, 1, height / strip_);
  }

  index_t rows() const { return strips_ * strip_; }  ///< of all strips together
  index_t rows_of_strip() const { return strip_; }

  /// The image's row that the strips' row s is.
  index_t image_row(index_t s) const {
    const index_t strip = s / strip_;
    return (2 * strip + 1) * height_ / (2 * strips_) - strip_ / 2 + s % strip_;
  }

  /// Makes the image of rows of n numbers from the strips, which are its first rows.
  void spread(float* image, index_t n) const {
    index_t below = rows() - 1;                   // the first of the strips' rows that is not above h
    for (index_t h = height_ - 1; h >= 0; --h) {  // upwards: strips are needed at and above where they lie
      while (below > 0 && image_row(below - 1) >= h) --below;
      const index_t above = image_row(below) <= h ? below : std::max<index_t>(below - 1, 0);
      const index_t from = image_row(above), apart = image_row(below) - from;
      const float part = apart > 0 ? static_cast<float>(h - from) / static_cast<float>(apart) : 0;
      const float *a = image + above * n, *b = image + below * n;
      float* to = image + h * n;
      if (part > 0)
        std::transform(a, a + n, b, to, [part](float one, float other) { return one + part * (other - one); });
      else if (to != a)
        std::copy_n(a, n, to);
    }
  }

 private:
  index_t height_, strip_, strips_ = 1;
};

}  // namespace unmask::inline UNMASK_ABI::optics::detail
