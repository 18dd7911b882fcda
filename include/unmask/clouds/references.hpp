#pragma once

/// Other dates have clouds too. Their hidden pixels get the mean of the dates that saw them plus the date's own smooth
/// difference from that mean; where no date saw the ground, a harmonic fill.

#include <array>
#include <cmath>

#include "harmonic.hpp"

namespace unmask::inline UNMASK_ABI::clouds {

class reference_fill {
 public:
  static constexpr std::size_t scales = 9;  ///< 1 and windows of 3, 7, ... 511 pixels

  void carve(arena& a, grid g, int slots) {
    size_ = g;
    weights_ = a.take<float>(static_cast<index_t>(scales) * g.size());
    const index_t threads = slots;  // any thread may take any item
    planes_ = a.take<float>(threads * 4 * g.size());
    running_ = a.take<double>(threads * g.width);
  }

  /// values [H, W, K, C]: pixels whose open [K, H, W] is 0 are overwritten. mean [H, W, C] and unseen [H, W] are
  /// results too: the mean of the dates that saw a pixel (0 where none did) and where there is none. How many are
  /// unseen.
  template <class Backend>
  index_t fill(const Backend& be, float* values, const std::uint8_t* open, index_t K, index_t C, float* mean,
               std::uint8_t* unseen) noexcept {
    const index_t n = size_.size();
    parallel_chunks(be, n, [&](index_t, index_t begin, index_t end, int) {
      for (index_t i = begin; i < end; ++i) {
        index_t seen = 0;
        std::fill_n(mean + i * C, C, 0.f);
        for (index_t k = 0; k < K; ++k) {
          if (open[k * n + i] == 0) continue;
          ++seen;
          for (index_t c = 0; c < C; ++c) mean[i * C + c] += values[(i * K + k) * C + c];
        }
        for (index_t c = 0; c < C && seen > 1; ++c) mean[i * C + c] /= static_cast<float>(seen);
        unseen[i] = seen == 0;
      }
    });
    for (index_t k = 0; k < K; ++k) {
      const std::uint8_t* seen = open + k * n;
      index_t count = 0;
      for (index_t i = 0; i < n; ++i) count += seen[i] != 0;
      if (count == n) continue;
      if (count >= 50) weights_of(be, seen);
      parallel_for(be, C, [&](index_t c, int slot) {
        float* sum = planes_ + slot * 4 * n;
        if (count >= 50)
          difference(values + k * C + c, K * C, mean + c, C, seen, slot);
        else
          std::fill_n(sum, n, 0.f);
        for (index_t i = 0; i < n; ++i)
          if (seen[i] == 0) values[(i * K + k) * C + c] = mean[i * C + c] + sum[i];
      });
    }
    index_t blind = 0;
    for (index_t i = 0; i < n; ++i) blind += unseen[i] != 0;
    return blind;
  }

 private:
  static double window(std::size_t s) { return static_cast<double>((index_t{2} << s) - 1); }

  /// Blurred weights at every scale; the scales above the first that covers everything stay untouched.
  template <class Backend>
  void weights_of(const Backend& be, const std::uint8_t* seen) noexcept {
    const index_t n = size_.size();
    for (index_t i = 0; i < n; ++i) weights_[i] = seen[i] != 0 ? 1.f : 0.f;
    parallel_for(be, static_cast<index_t>(scales) - 1, [&](index_t s, int slot) {
      gaussian(weights_ + (s + 1) * n, weights_, size_, window(static_cast<std::size_t>(s) + 1) / 2,
               planes_ + slot * 4 * n, running_ + slot * size_.width);
    });
  }

  /// Push-pull: normalised Gaussians of growing width, each used as far as the finer ones had nothing (Gortler 1996).
  /// The result is the slot's first plane.
  void difference(const float* value, index_t stride, const float* mean, index_t mean_stride, const std::uint8_t* seen,
                  int slot) const noexcept {
    const index_t n = size_.size();
    float *sum = planes_ + slot * 4 * n, *trust = sum + n, *blurred = trust + n, *between = blurred + n;
    double* running = running_ + slot * size_.width;
    for (index_t i = 0; i < n; ++i) {
      sum[i] = seen[i] != 0 ? value[i * stride] - mean[i * mean_stride] : 0.f;
      trust[i] = seen[i] != 0 ? 1.f : 0.f;
    }
    for (std::size_t s = 1; s < scales; ++s) {
      const float* w = weights_ + static_cast<index_t>(s) * n;
      for (index_t i = 0; i < n; ++i) blurred[i] = seen[i] != 0 ? value[i * stride] - mean[i * mean_stride] : 0.f;
      gaussian(blurred, blurred, size_, window(s) / 2, between, running);
      float least = 1;
      for (index_t i = 0; i < n; ++i) {
        const float cover = std::clamp(w[i] / .02f, 0.f, 1.f), share = (1 - trust[i]) * cover;
        sum[i] += share * blurred[i] / std::max(w[i], 1e-12f);
        trust[i] += share;
        least = std::min(least, trust[i]);
      }
      if (least > .999f) break;
    }
    for (index_t i = 0; i < n; ++i) sum[i] /= std::max(trust[i], 1e-12f);
  }

  grid size_;
  float *weights_ = nullptr, *planes_ = nullptr;
  double* running_ = nullptr;
};

}  // namespace unmask::inline UNMASK_ABI::clouds
