#pragma once

/// Shadows that no mask marks: open pixels much darker than the other dates say, where they form a moved copy of the
/// clouds. Darkness alone is not enough, a field may have been ploughed; the copy of the clouds' shape decides, and
/// where the sun is known, the direction in which it lies.

#include <algorithm>
#include <cmath>

#include "../core/arena.hpp"
#include "blur.hpp"
#include "scene.hpp"

namespace unmask::inline UNMASK_ABI::clouds {

class unmarked_shadow {
 public:
  static constexpr double highest_cloud = 13000;  ///< metres
  static constexpr index_t coarse = 64;           ///< the shift is looked for on at most coarse x coarse blocks

  void carve(arena& a, grid g) {
    size_ = g;
    index_ = a.take<float>(g.size());
    weight_ = a.take<float>(g.size());
    between_ = a.take<float>(g.size());
    running_ = a.take<double>(g.width);
    near_ = a.take<std::uint8_t>(g.size());
    dark_ = a.take<float>(coarse * coarse);
    cloud_ = a.take<float>(coarse * coarse);
    seen_ = a.take<float>(coarse * coarse);
  }

  /// How many open pixels look like shadow: they become 1 in shadow [H, W], all others 0. y and prediction [H, W, C];
  /// open, cloud [H, W]. 0 too where nothing dark has the clouds' shape.
  index_t find(const float* y, const float* prediction, index_t C, const std::uint8_t* open, const std::uint8_t* cloud,
               const sun_position& sun, std::uint8_t* shadow) noexcept {
    const index_t n = size_.size();
    std::fill_n(shadow, n, std::uint8_t{0});
    darkness(y, prediction, C, open);
    const double noise = centre(open);
    const auto certain = static_cast<float>(std::max(.10, 3.5 * noise)), likely = certain * .5f;
    index_t dy = 0, dx = 0;
    if (!count_blocks(open, cloud, certain) || !find_shift(sun, dy, dx)) return 0;
    // the clouds, moved; thin edges and heights that differ take some pixels around
    for (index_t i = 0; i < n; ++i) {
      const index_t h = i / size_.width - dy, w = i % size_.width - dx;
      const bool inside = h >= 0 && h < size_.height && w >= 0 && w < size_.width;
      weight_[i] = inside && cloud[h * size_.width + w] != 0 ? 1.f : 0.f;
    }
    box_mean(weight_, weight_, size_, 2 * (block_ + 4) + 1, between_, running_);
    for (index_t i = 0; i < n; ++i) near_[i] = open[i] != 0 && weight_[i] > 1e-6f && index_[i] > likely;
    // two pixels around: the edge is half dark
    index_t count = 0;
    for (index_t i = 0; i < n; ++i) {
      const index_t h = i / size_.width, w = i % size_.width;
      bool beside = false;
      for (index_t y1 = std::max<index_t>(0, h - 2); y1 <= std::min(size_.height - 1, h + 2) && !beside; ++y1)
        for (index_t x1 = std::max<index_t>(0, w - 2); x1 <= std::min(size_.width - 1, w + 2) && !beside; ++x1)
          beside = near_[y1 * size_.width + x1] != 0;
      shadow[i] = beside && open[i] != 0;
      count += shadow[i];
    }
    return count;
  }

 private:
  /// The share of light that is missing, by least squares over the bands, smoothed over a few open pixels.
  void darkness(const float* y, const float* prediction, index_t C, const std::uint8_t* open) noexcept {
    for (index_t i = 0; i < size_.size(); ++i) {
      double dark = 0, all = 1e-9;
      for (index_t c = 0; c < C; ++c) {
        const double e = static_cast<double>(prediction[i * C + c]);
        dark += e * (e - static_cast<double>(y[i * C + c])), all += e * e;
      }
      index_[i] = open[i] != 0 ? static_cast<float>(dark / all) : 0.f;
      weight_[i] = open[i] != 0 ? 1.f : 0.f;
    }
    gaussian(index_, index_, size_, 1.5, between_, running_);
    gaussian(weight_, weight_, size_, 1.5, between_, running_);
    for (index_t i = 0; i < size_.size(); ++i) index_[i] = open[i] != 0 ? index_[i] / std::max(weight_[i], 1e-6f) : 0.f;
  }

  /// Takes the median off the index of open pixels: shadow that took part in the fit makes all else look too bright.
  /// Returns how far the brighter ones scatter, which shadow does not widen: the median less the 16th percentile.
  double centre(const std::uint8_t* open) noexcept {
    index_t count = 0;
    for (index_t i = 0; i < size_.size(); ++i)
      if (open[i] != 0) between_[count++] = index_[i];
    if (count == 0) return 1;
    std::nth_element(between_, between_ + count / 2, between_ + count);
    const float median = between_[count / 2];
    std::nth_element(between_, between_ + count * 16 / 100, between_ + count / 2);
    const double scatter = static_cast<double>(median - between_[count * 16 / 100]);
    for (index_t i = 0; i < size_.size(); ++i) index_[i] = open[i] != 0 ? index_[i] - median : 0.f;
    return scatter;
  }

  /// Dark pixels and cloud by block; false where hardly anything is dark.
  bool count_blocks(const std::uint8_t* open, const std::uint8_t* cloud, float certain) noexcept {
    block_ = (std::max(size_.height, size_.width) + coarse - 1) / coarse;
    blocks_ = {(size_.height + block_ - 1) / block_, (size_.width + block_ - 1) / block_};
    std::fill_n(dark_, blocks_.size(), 0.f);
    std::fill_n(cloud_, blocks_.size(), 0.f);
    std::fill_n(seen_, blocks_.size(), 0.f);
    total_ = all_ = 0;
    for (index_t i = 0; i < size_.size(); ++i) {
      const index_t at = i / size_.width / block_ * blocks_.width + i % size_.width / block_;
      if (open[i] != 0 && index_[i] > certain) dark_[at] += 1, total_ += 1;
      if (open[i] != 0) seen_[at] += 1, all_ += 1;
      if (cloud[i] != 0) cloud_[at] = 1;
    }
    return total_ >= 20;
  }

  /// Whether a shadow may lie v, u blocks from its cloud: away from the sun, as far as the highest clouds throw it. A
  /// satellite that looks aslant moves it some way to the side.
  bool possible(const sun_position& sun, index_t v, index_t u) const noexcept {
    if (v == 0 && u == 0) return false;
    if (!std::isfinite(sun.azimuth)) return true;
    const double angle = sun.azimuth * 3.14159265358979323846 / 180, down = std::cos(angle), right = -std::sin(angle);
    const double y = static_cast<double>(v), x = static_cast<double>(u), along = y * down + x * right;
    if (!(along > 0) || std::abs(y * right - x * down) > 1 + .15 * along) return false;
    const double metres = along * static_cast<double>(block_) * sun.pixel;
    const double most = highest_cloud / std::tan(sun.elevation * 3.14159265358979323846 / 180);
    return !(metres > most);  // where one of them is not known, any distance
  }

  /// The shift in pixels by which the clouds best explain what is dark; false where none explains enough. Where the sun
  /// is known few shifts are left: then it is enough that the ground there is darker than elsewhere, however much else
  /// is dark.
  bool find_shift(const sun_position& sun, index_t& dy, index_t& dx) const noexcept {
    const bool known = std::isfinite(sun.azimuth);
    double best = known ? -1e9 : 0;
    index_t rows = 0, columns = 0;
    const index_t ry = std::max<index_t>(1, blocks_.height / 3), rx = std::max<index_t>(1, blocks_.width / 3);
    for (index_t v = -ry; v <= ry; ++v)
      for (index_t u = -rx; u <= rx; ++u) {
        if (!possible(sun, v, u)) continue;
        const double score = explained(v, u);
        if (score > best) best = score, rows = v, columns = u;
      }
    dy = rows * block_, dx = columns * block_;
    if (rows == 0 && columns == 0) return false;
    return best > .25 || (known && darker_there(rows, columns) > .25);
  }

  /// body(block) for every block under the clouds that are moved by v, u blocks.
  template <class Body>
  void for_moved(index_t v, index_t u, const Body& body) const noexcept {
    const grid g = blocks_;
    for (index_t h = std::max<index_t>(0, v); h < std::min(g.height, g.height + v); ++h)
      for (index_t w = std::max<index_t>(0, u); w < std::min(g.width, g.width + u); ++w)
        if (cloud_[(h - v) * g.width + w - u] > 0) body(h * g.width + w);
  }

  /// The share of all that is dark under the moved clouds, less twice what chance puts there: any shift may be meant.
  double explained(index_t v, index_t u) const noexcept {
    double covered = 0, area = 1;
    for_moved(v, u, [&](index_t at) {
      covered += static_cast<double>(dark_[at]);
      area += cloud_[at] > 0 ? 0 : 1;  // under cloud nothing dark is expected
    });
    const double chance = total_ * area / static_cast<double>(blocks_.size());
    return (covered - 2 * chance) / total_;
  }

  /// The share of the open ground under the moved clouds that is dark, less twice that elsewhere. A known sun leaves
  /// few shifts, so that other darkness, wherever it is, need not be less than the shadow.
  double darker_there(index_t v, index_t u) const noexcept {
    double covered = 0, area = 0;
    for_moved(v, u, [&](index_t at) {
      covered += static_cast<double>(dark_[at]);
      area += static_cast<double>(seen_[at]);
    });
    if (covered < 20) return 0;
    return covered / area - 2 * (total_ - covered) / std::max(all_ - area, 1.);
  }

  grid size_, blocks_;
  index_t block_ = 1;
  double total_ = 0, all_ = 0;  ///< dark and open pixels
  float *index_ = nullptr, *weight_ = nullptr, *between_ = nullptr, *dark_ = nullptr, *cloud_ = nullptr,
        *seen_ = nullptr;
  double* running_ = nullptr;
  std::uint8_t* near_ = nullptr;
};

}  // namespace unmask::inline UNMASK_ABI::clouds
