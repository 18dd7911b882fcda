#pragma once

/// The inside of a mask as the sum of parts by scale: what a Gaussian of 1 pixel takes away, what one of 3 takes from
/// the rest, and what is left. Blurs are means over pixels inside, so that neither the outside nor an edge of the image
/// shows.

#include "../core/arena.hpp"
#include "../parallel/parallel_for.hpp"
#include "blur.hpp"

namespace unmask::inline UNMASK_ABI::clouds {

inline constexpr index_t scales = 3;

class scale_parts {
 public:
  void carve(arena& a, grid g, index_t bands, int slots) {
    size_ = g, bands_ = bands;
    for (float*& w : share_) w = a.take<float>(g.size());
    planes_ = a.take<float>(slots * 3 * g.size());
    running_ = a.take<double>(slots * g.width);
  }

  /// The mask [n] of the next calls of `split`; it must stay.
  void choose(const std::uint8_t* inside) noexcept {
    inside_ = inside;
    for (std::size_t s = 0; s + 1 < scales; ++s) {
      for (index_t i = 0; i < size_.size(); ++i) share_[s][i] = inside[i] != 0 ? 1.f : 0.f;
      gaussian(share_[s], share_[s], size_, sigma[s], planes_, running_);
    }
  }

  /// parts[s] [n, C] from image [n, C], 0 outside.
  template <class Backend>
  void split(const Backend& be, const float* image, const std::array<float*, scales>& parts) const noexcept {
    const index_t n = size_.size(), C = bands_;
    parallel_for(be, C, [&](index_t c, int slot) {
      float *rest = planes_ + slot * 3 * n, *smooth = rest + n, *between = smooth + n;
      for (index_t i = 0; i < n; ++i) rest[i] = inside_[i] != 0 ? image[i * C + c] : 0.f;
      for (std::size_t s = 0; s + 1 < scales; ++s) {
        gaussian(smooth, rest, size_, sigma[s], between, running_ + slot * size_.width);
        for (index_t i = 0; i < n; ++i) {
          smooth[i] = inside_[i] != 0 ? smooth[i] / share_[s][i] : 0.f;
          parts[s][i * C + c] = rest[i] - smooth[i];
        }
        std::swap(rest, smooth);
      }
      for (index_t i = 0; i < n; ++i) parts[scales - 1][i * C + c] = rest[i];
    });
  }

 private:
  /// Pixels. On 24 Sentinel-2 scenes {1, 3}, {1, 2, 4}, {1, 3, 9} and {2, 6} differ by .1 dB, two scales lose up to .2.
  static constexpr std::array<double, scales - 1> sigma{1, 3};

  grid size_;
  index_t bands_ = 0;
  const std::uint8_t* inside_ = nullptr;
  std::array<float*, scales - 1> share_{};
  float* planes_ = nullptr;
  double* running_ = nullptr;
};

}  // namespace unmask::inline UNMASK_ABI::clouds
