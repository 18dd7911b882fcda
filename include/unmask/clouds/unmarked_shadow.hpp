#pragma once

/// Shadows that no mask marks: open pixels much darker than the other dates say, where they form a moved copy of the
/// clouds. Darkness alone is not enough, a field may have been ploughed; the copy of the clouds' shape decides.

#include <algorithm>
#include <cmath>

#include "../core/arena.hpp"
#include "blur.hpp"

namespace unmask::inline UNMASK_ABI::clouds {

class unmarked_shadow {
 public:
  static constexpr index_t coarse = 64;  ///< the shift is looked for on at most coarse x coarse blocks

  void carve(arena& a, grid g) {
    size_ = g;
    index_ = a.take<float>(g.size());
    weight_ = a.take<float>(g.size());
    between_ = a.take<float>(g.size());
    running_ = a.take<double>(g.width);
    near_ = a.take<std::uint8_t>(g.size());
    dark_ = a.take<float>(coarse * coarse);
    cloud_ = a.take<float>(coarse * coarse);
  }

  /// How many open pixels look like shadow: they become 1 in shadow [H, W], all others 0. y and prediction [H, W, C];
  /// open, cloud [H, W]. 0 too where nothing dark has the clouds' shape.
  index_t find(const float* y, const float* prediction, index_t C, const std::uint8_t* open, const std::uint8_t* cloud,
               std::uint8_t* shadow) noexcept {
    const index_t n = size_.size();
    std::fill_n(shadow, n, std::uint8_t{0});
    darkness(y, prediction, C, open);
    const double noise = deviation(open);
    const auto certain = static_cast<float>(std::max(.10, 3.5 * noise)), likely = certain * .5f;
    index_t dy = 0, dx = 0;
    if (!find_shift(open, cloud, certain, dy, dx)) return 0;
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

  /// Of the index over open pixels, from the median of its size: shadows do not raise it.
  double deviation(const std::uint8_t* open) noexcept {
    index_t count = 0;
    for (index_t i = 0; i < size_.size(); ++i)
      if (open[i] != 0) between_[count++] = std::abs(index_[i]);
    if (count == 0) return 1;
    std::nth_element(between_, between_ + count / 2, between_ + count);
    return static_cast<double>(between_[count / 2]) / .6745;
  }

  /// The shift in pixels by which the clouds cover most of what is dark; false where no shift explains half of it, or
  /// where what it covers is not darker than elsewhere.
  bool find_shift(const std::uint8_t* open, const std::uint8_t* cloud, float certain, index_t& dy,
                  index_t& dx) noexcept {
    block_ = (std::max(size_.height, size_.width) + coarse - 1) / coarse;
    const grid g{(size_.height + block_ - 1) / block_, (size_.width + block_ - 1) / block_};
    std::fill_n(dark_, g.size(), 0.f);
    std::fill_n(cloud_, g.size(), 0.f);
    double total = 0;
    for (index_t i = 0; i < size_.size(); ++i) {
      const index_t at = i / size_.width / block_ * g.width + i % size_.width / block_;
      if (open[i] != 0 && index_[i] > certain) dark_[at] += 1, total += 1;
      if (cloud[i] != 0) cloud_[at] = 1;
    }
    if (total < 20) return false;
    double best = 0;
    const index_t ry = std::max<index_t>(1, g.height / 3), rx = std::max<index_t>(1, g.width / 3);
    for (index_t v = -ry; v <= ry; ++v)
      for (index_t u = -rx; u <= rx; ++u) {
        if (v == 0 && u == 0) continue;
        double covered = 0, area = 1;
        for (index_t h = std::max<index_t>(0, v); h < std::min(g.height, g.height + v); ++h)
          for (index_t w = std::max<index_t>(0, u); w < std::min(g.width, g.width + u); ++w)
            if (cloud_[(h - v) * g.width + w - u] > 0) {
              covered += static_cast<double>(dark_[h * g.width + w]);
              area += cloud_[h * g.width + w] > 0 ? 0 : 1;  // under cloud nothing dark is expected
            }
        const double chance = total * area / static_cast<double>(g.size());
        const double score = (covered - 2 * chance) / total;
        if (score > best) best = score, dy = v * block_, dx = u * block_;
      }
    return best > .25;
  }

  grid size_;
  index_t block_ = 1;
  float *index_ = nullptr, *weight_ = nullptr, *between_ = nullptr, *dark_ = nullptr, *cloud_ = nullptr;
  double* running_ = nullptr;
  std::uint8_t* near_ = nullptr;
};

}  // namespace unmask::inline UNMASK_ABI::clouds
