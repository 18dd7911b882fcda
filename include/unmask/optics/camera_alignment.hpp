#pragma once

/// How a camera differs from its stored mask and a dispersion of `step` columns a band. The mask's picture on the
/// sensor lies beside the stored one by parts of a pixel and is less sharp, and the prism spreads light not quite
/// evenly:
///
///   m(h, w)    = stored mask, moved by (down, right), then through a Gaussian lens
///   band c     lands at column s c + stretch t + 4 bend t (1 - t),   t = c / (C - 1),   within [0, s (C - 1)]
///   y          = sum over c of m x_c there, shared linearly by the two columns beside it
///
/// Half a pixel is a lot: a mask's cells are two or three wide. `calibrate` finds these numbers from snapshots.

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "../core/tensor.hpp"
#include "cassi.hpp"

namespace unmask::inline UNMASK_ABI::optics {

/// All in pixels.
struct camera_alignment {
  float down = 0, right = 0;  ///< where the mask's picture lies beside the stored mask
  float blur = 0;             ///< standard deviation of its unsharpness, at least 0
  float stretch = 0;          ///< how much farther than step (C - 1) the last band lands
  float bend = 0;             ///< how much farther than the line between first and last a band in the middle lands
};

/// What `calibrate` finds beside the mask; by default a camera as the benchmark's.
struct camera_model {
  std::vector<float> positions;  ///< [C] of `band_positions`; empty: multiples of the step
  float noise_weight = .18f;     ///< of `spectral_tv_options`: more where the model is rougher than its noise
};

/// Column of each band of a scene, beside its own place: [C], in [0, step (C - 1)].
inline std::vector<float> band_positions(const cassi_geometry& g, const camera_alignment& a) {
  const auto last = static_cast<float>(g.step * (g.bands - 1));
  std::vector<float> positions(static_cast<std::size_t>(g.bands));
  for (index_t c = 0; c < g.bands; ++c) {
    const float t = g.bands > 1 ? static_cast<float>(c) / static_cast<float>(g.bands - 1) : 0.f;
    const float at = last * t + a.stretch * t + 4 * a.bend * t * (1 - t);
    positions[static_cast<std::size_t>(c)] = std::clamp(at, 0.f, last);
  }
  return positions;
}

namespace detail {

/// A Gaussian's share of the pixels -reach ... reach, moved by `shift`; without blur the two pixels beside.
inline std::vector<float> lens(float shift, float blur) {
  const auto reach = static_cast<index_t>(std::ceil(std::abs(shift) + 4 * blur)) + 1;
  std::vector<float> taps;
  float sum = 0;
  for (index_t k = -reach; k <= reach; ++k) {
    const float at = static_cast<float>(k) - shift;
    const auto below = [&](float x) { return .5f * std::erf(x / (blur * std::sqrt(2.f))); };
    taps.push_back(blur < .05f ? std::max(0.f, 1 - std::abs(at)) : below(at + .5f) - below(at - .5f));
    sum += taps.back();
  }
  for (float& t : taps) t /= sum;
  return taps;
}

}  // namespace detail

/// The mask [H, W] as the sensor sees it; beyond its edge the mask goes on as at the edge.
template <class Backend>
tensor<float, 2> aligned_mask(const Backend& be, in<float, 2> mask, const camera_alignment& a) {
  const index_t H = mask.extent(0), W = mask.extent(1);
  tensor<float, 2> moved({H, W}), result({H, W});
  const auto pass = [&](const std::vector<float>& taps, auto&& from, tensor<float, 2>& to) {
    const index_t reach = static_cast<index_t>(taps.size()) / 2;
    parallel_for(be, H, [&](index_t h, int) {
      for (index_t w = 0; w < W; ++w) {
        float sum = 0;
        for (index_t k = -reach; k <= reach; ++k) sum += taps[static_cast<std::size_t>(k + reach)] * from(h, w, k);
        to(h, w) = sum;
      }
    });
  };
  pass(
      detail::lens(a.down, a.blur),
      [&](index_t h, index_t w, index_t k) { return mask(std::clamp<index_t>(h - k, 0, H - 1), w); }, moved);
  pass(
      detail::lens(a.right, a.blur),
      [&](index_t h, index_t w, index_t k) { return moved(h, std::clamp<index_t>(w - k, 0, W - 1)); }, result);
  return result;
}

/// y = A x [H, V] where band c lands at `positions` [C], which are in [0, V - W].
template <class Backend, class T, class Shape>
void cassi_forward(const Backend& be, const view<T, Shape>& y, in<T, 3> cube, in<T, 2> mask,
                   std::span<const float> positions) {
  const index_t W = cube.extent(1), C = cube.extent(2), V = y.extent(1);
  assert(Shape::rank == 2 && static_cast<index_t>(positions.size()) == C);
  parallel_for(be, cube.extent(0), [&](index_t h, int) {
    T* row = y.data() + h * V;
    std::fill_n(row, V, T(0));
    for (index_t c = 0; c < C; ++c) {
      const float at = positions[static_cast<std::size_t>(c)];
      const auto first = static_cast<index_t>(at);
      const T part = static_cast<T>(at - static_cast<float>(first));
      for (index_t w = 0; w < W; ++w) {
        const T light = mask(h, w) * cube(h, w, c);
        row[w + first] += (1 - part) * light;
        if (part > 0) row[w + first + 1] += part * light;
      }
    }
  });
}

}  // namespace unmask::inline UNMASK_ABI::optics
