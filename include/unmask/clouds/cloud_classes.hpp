#pragma once

/// Pixels sorted by how much cloud they show: their difference from the estimate, along the spectral direction in which
/// it is largest beside the estimate's error. That is cloud at one end and shadow, or nothing, at the other.

#include "wiener_gain.hpp"

namespace unmask::inline UNMASK_ABI::clouds {

class cloud_classes {
 public:
  static constexpr index_t most = 6;  // 5 to 16 differ by .1 dB

  /// A pixel's two classes, and the second one's weight.
  struct place {
    index_t first;
    double second;
  };

  void carve(arena& a, index_t pixels, index_t bands) {
    n_ = pixels, C_ = bands;
    amount_ = a.take<float>(pixels);
    sorted_ = a.take<float>(pixels);
    moment_ = a.take<double>(bands * bands);
    along_ = a.take<double>(bands);
  }

  /// y, b [n, C]; asked [n]: not 0 at the `count` pixels to sort; error [C, C].
  void sort(const float* y, const float* b, const std::uint8_t* asked, index_t count, const double* error, double noise,
            wiener_gain& w) noexcept {
    double* r = w.scratch();
    std::fill_n(moment_, C_ * C_, 0.);
    for (index_t i = 0; i < n_; ++i) {
      if (asked[i] == 0) continue;
      difference(r, y + i * C_, b + i * C_);
      add_outer(moment_, C_, 1 / static_cast<double>(count), r);
    }
    mirror(moment_, C_);
    w.strongest(along_, moment_, error, noise);
    index_t filled = 0;
    for (index_t i = 0; i < n_; ++i) {
      if (asked[i] == 0) continue;
      difference(r, y + i * C_, b + i * C_);
      double sum = 0;
      for (index_t c = 0; c < C_; ++c) sum += along_[c] * r[c];
      amount_[i] = sorted_[filled++] = static_cast<float>(sum);
    }
    used_ = std::clamp<index_t>(count / (10 * C_), 1, most);
    for (index_t k = 0; k < used_; ++k) {
      float* middle = sorted_ + (2 * k + 1) * count / (2 * used_);
      std::nth_element(sorted_, middle, sorted_ + count);
      centre_[static_cast<std::size_t>(k)] = *middle;
    }
  }

  index_t count() const { return used_; }

  place of(index_t pixel) const noexcept {
    const float amount = amount_[pixel];
    const auto centre = [&](index_t k) { return centre_[static_cast<std::size_t>(k)]; };
    index_t k = 0;
    while (k + 1 < used_ && amount >= centre(k + 1)) ++k;
    const bool between = k + 1 < used_ && amount > centre(k);
    return {k, between ? static_cast<double>((amount - centre(k)) / (centre(k + 1) - centre(k))) : 0.};
  }

  /// A pixel's weight in class k.
  double weight(index_t pixel, index_t k) const noexcept {
    const place p = of(pixel);
    return p.first == k ? 1 - p.second : p.first + 1 == k ? p.second : 0.;
  }

 private:
  void difference(double* r, const float* y, const float* b) const noexcept {
    for (index_t c = 0; c < C_; ++c) r[c] = static_cast<double>(y[c]) - static_cast<double>(b[c]);
  }

  index_t n_ = 0, C_ = 0, used_ = 0;
  std::array<float, most> centre_{};
  float *amount_ = nullptr, *sorted_ = nullptr;
  double *moment_ = nullptr, *along_ = nullptr;
};

}  // namespace unmask::inline UNMASK_ABI::clouds
