#pragma once

/// Thin cloud lets detail through. What is visible, minus the estimate, varies slowly where cloud is the difference;
/// what varies fast in it is ground that the other dates did not show. That part is added, times visibility.

#include <algorithm>

#include "../core/arena.hpp"
#include "../parallel/parallel_for.hpp"
#include "blur.hpp"

namespace unmask::inline UNMASK_ABI::clouds {

class visible_detail {
 public:
  void carve(arena& a, grid g, int slots) {
    size_ = g;
    const index_t threads = slots;  // any thread may take any item
    planes_ = a.take<float>(threads * 3 * g.size());
    running_ = a.take<double>(threads * g.width);
  }

  /// estimate [H, W, C] gains visibility x (difference - blurred difference) where asked [H, W] is not 0; its other
  /// pixels must be a prediction too, so that the blur meets no edge.
  template <class Backend>
  void add(const Backend& be, float* estimate, const float* y, const float* visibility, const std::uint8_t* asked,
           index_t C, double sigma) const noexcept {
    const index_t n = size_.size();
    parallel_for(be, C, [&](index_t c, int slot) {
      float *difference = planes_ + slot * 3 * n, *smooth = difference + n, *between = smooth + n;
      for (index_t i = 0; i < n; ++i) difference[i] = y[i * C + c] - estimate[i * C + c];
      gaussian(smooth, difference, size_, sigma, between, running_ + slot * size_.width);
      for (index_t i = 0; i < n; ++i) {
        if (asked[i] == 0) continue;
        const float v = visibility[i] > 0 ? std::min(visibility[i], 1.f) : 0.f;
        estimate[i * C + c] += v * (difference[i] - smooth[i]);
      }
    });
  }

 private:
  grid size_;
  float* planes_ = nullptr;
  double* running_ = nullptr;
};

}  // namespace unmask::inline UNMASK_ABI::clouds
