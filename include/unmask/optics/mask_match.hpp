#pragma once

/// Where a mask lies and how large it is seen, from what its pattern does to whole snapshots. Of scenes that are
/// roughly known take the smooth part l; what is fine in a snapshot y is then the mask's pattern, and the scene's own
/// detail, which knows nothing of the mask and is the same for every alignment:
///
///   error^2 = |F (y - A l)|^2 / |F y|^2,   F takes away what is smooth, A has the aligned mask
///
/// No scene is solved for, so all rows can count: that tells what a few strips (calibrate.hpp) cannot resolve, a mask's
/// picture a thousandth larger than stored or less sharp at its top and bottom.

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "camera_alignment.hpp"

namespace unmask::inline UNMASK_ABI::optics {

class mask_match {
 public:
  /// The camera as stored has to live as long as this; `positions` [C] of its bands.
  mask_match(const camera& stored, std::vector<float> positions) : stored_(stored), positions_(std::move(positions)) {}

  /// A snapshot y [H, V] and an estimate x [H, W, C] of its scene by whatever alignment, in y's units.
  template <class Backend>
  void add(const Backend& be, in<float, 2> y, tensor<float, 3> x) {
    blur(be, x.view(), scene_blur);
    snapshot s{std::move(x), copy(y), copy(y)};
    blur(be, cube(s.inverse_variance), scene_blur);
    const double mean = std::accumulate(y.data(), y.data() + y.size(), 0.) / static_cast<double>(y.size());
    const float floor = std::max(stored_.noise().floor * static_cast<float>(mean), 1e-20f);
    for (float& w : s.inverse_variance) w = 1 / (std::max(w, 0.f) + floor);  // shot noise, as spectral TV takes it
    s.power = std::max(fine(be, s, copy(y)), 1e-30);
    snapshots_.push_back(std::move(s));
  }

  /// The root of the mean of its square over all snapshots.
  template <class Backend>
  double error(const Backend& be, const camera_alignment& a) const {
    const camera aligned = aligned_camera(be, stored_, a, positions_);
    double sum = 0;
    for (const snapshot& s : snapshots_) {
      tensor<float, 2> off(s.y.extents());
      aligned.forward(be, off.view(), s.scene.view());
      for (index_t i = 0; i < off.size(); ++i) off.data()[i] -= s.y.data()[i];
      sum += fine(be, s, std::move(off)) / s.power;
    }
    return std::sqrt(sum / static_cast<double>(snapshots_.size()));
  }

 private:
  /// Deviations, pixels. A mask's cells are two or three wide: a scene is taken without what may be left of them.
  static constexpr float scene_blur = 4, fine_blur = 5;

  struct snapshot {
    tensor<float, 3> scene;
    tensor<float, 2> y, inverse_variance;
    double power = 1;
  };

  static tensor<float, 2> copy(in<float, 2> y) {
    tensor<float, 2> same({y.extent(0), y.extent(1)});
    std::copy_n(y.data(), y.size(), same.data());
    return same;
  }

  static out<float, 3> cube(tensor<float, 2>& image) {
    return out<float, 3>(image.data(), image.extent(0), image.extent(1), 1);
  }

  template <class Backend>
  static void blur(const Backend& be, out<float, 3> image, float deviation) {
    const auto kernel = [&](index_t) { return detail::blur_kernel(0, deviation); };
    detail::blur(be, image, image, kernel, kernel);
  }

  /// |F off|^2, weighed, without the columns that light from beyond the mask's sides reaches.
  template <class Backend>
  double fine(const Backend& be, const snapshot& s, tensor<float, 2> off) const {
    tensor<float, 2> smooth = off;
    blur(be, cube(smooth), fine_blur);
    const index_t H = off.extent(0), V = off.extent(1), margin = std::min(V - stored_.geometry().width + 6, V / 4);
    std::vector<double> rows(static_cast<std::size_t>(H));
    parallel_for(be, H, [&](index_t h, int) {
      for (index_t v = margin; v < V - margin; ++v) {
        const float f = off(h, v) - smooth(h, v);
        rows[static_cast<std::size_t>(h)] += static_cast<double>(f * f * s.inverse_variance(h, v));
      }
    });
    return std::accumulate(rows.begin(), rows.end(), 0.);
  }

  const camera& stored_;
  std::vector<float> positions_;
  std::vector<snapshot> snapshots_;
};

}  // namespace unmask::inline UNMASK_ABI::optics
