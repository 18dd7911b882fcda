#pragma once

/// How a camera differs from its stored mask and a dispersion of `step` columns a band. The mask's picture on the
/// sensor lies beside the stored one by parts of a pixel, is a little larger or smaller and is less sharp, most so at
/// its top and bottom, and the prism spreads light not quite evenly:
///
///   m(h, w)    = stored mask, moved by (down + tall u, right + wide v), then blurred by Gaussians, in columns of
///                deviation sqrt(blur^2 + (edge_blur u^2)^2), in rows of blur;   u, v = -1 ... 1 from side to side
///   band c     lands at column s c + stretch t + 4 bend t (1 - t),   t = c / (C - 1),   within [0, s (C - 1)]
///   y          = sum over c of m x_c there, shared linearly by the two columns beside it
///
/// Half a pixel is a lot: a mask's cells are two or three wide. `calibrate` finds these numbers from snapshots.

#include <algorithm>
#include <cmath>
#include <vector>

#include "camera.hpp"

namespace unmask::inline UNMASK_ABI::optics {

/// All in pixels.
struct camera_alignment {
  float down = 0, right = 0;  ///< where the mask's picture lies beside the stored mask
  float tall = 0, wide = 0;   ///< how much farther from its middle its edges lie
  float blur = 0;             ///< standard deviation of its unsharpness, at least 0
  float edge_blur = 0;        ///< what is added to that (in squares) at the top and bottom, at least 0
  float stretch = 0;          ///< how much farther than step (C - 1) the last band lands
  float bend = 0;             ///< how much farther than the line between first and last a band in the middle lands
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

/// A Gaussian's share of the pixels -radius ... radius, moved by `shift`; without blur the two pixels beside.
inline std::vector<float> blur_kernel(float shift, float blur) {
  const auto radius = static_cast<index_t>(std::ceil(std::abs(shift) + 4 * blur)) + 1;
  std::vector<float> taps;
  float sum = 0;
  for (index_t k = -radius; k <= radius; ++k) {
    const float at = static_cast<float>(k) - shift;
    const auto below = [&](float x) { return .5f * std::erf(x / (blur * std::sqrt(2.f))); };
    taps.push_back(blur < .05f ? std::max(0.f, 1 - std::abs(at)) : below(at + .5f) - below(at - .5f));
    sum += taps.back();
  }
  for (float& t : taps) t /= sum;
  return taps;
}

/// to [H, W, C] = from [H, W, C], blurred: `down(h)` is the kernel (`blur_kernel`) in columns, `right(w)` that in rows;
/// beyond its edge an image goes on as at the edge. `to` and `from` may be the same.
template <class Backend, class Down, class Right>
void blur(const Backend& be, out<float, 3> to, in<float, 3> from, Down&& down, Right&& right) {
  const index_t H = from.extent(0), W = from.extent(1), C = from.extent(2);
  const auto add = [](float* sum, float tap, const float* values, index_t n) {
    for (index_t i = 0; i < n; ++i) sum[i] += tap * values[i];
  };
  const auto radius = [](const std::vector<float>& taps) { return static_cast<index_t>(taps.size()) / 2; };
  tensor<float, 3> moved({H, W, C});
  parallel_for(be, H, [&](index_t h, int) {
    const std::vector<float> taps = down(h);
    for (index_t k = -radius(taps); k <= radius(taps); ++k)
      add(&moved(h, 0, 0), taps[static_cast<std::size_t>(k + radius(taps))],
          from.data() + std::clamp<index_t>(h - k, 0, H - 1) * W * C, W * C);
  });
  std::vector<std::vector<float>> across;
  for (index_t w = 0; w < W; ++w) across.push_back(right(w));
  parallel_for(be, H, [&](index_t h, int) {
    std::fill_n(to.data() + h * W * C, W * C, 0.f);
    for (index_t w = 0; w < W; ++w) {
      const std::vector<float>& taps = across[static_cast<std::size_t>(w)];
      for (index_t k = -radius(taps); k <= radius(taps); ++k)
        add(to.data() + (h * W + w) * C, taps[static_cast<std::size_t>(k + radius(taps))],
            &moved(h, std::clamp<index_t>(w - k, 0, W - 1), 0), C);
    }
  });
}

}  // namespace detail

/// The mask [H, W] as the sensor sees it; beyond its edge the mask goes on as at the edge.
template <class Backend>
tensor<float, 2> aligned_mask(const Backend& be, in<float, 2> mask, const camera_alignment& a) {
  const index_t H = mask.extent(0), W = mask.extent(1);
  tensor<float, 2> result({H, W});
  const auto side = [](index_t i, index_t n) {
    return n > 1 ? 2 * static_cast<float>(i) / static_cast<float>(n - 1) - 1 : 0.f;
  };
  detail::blur(
      be, out<float, 3>(result.data(), H, W, 1), in<float, 3>(mask.data(), H, W, 1),
      [&](index_t h) {
        const float u = side(h, H);
        return detail::blur_kernel(a.down + a.tall * u, std::hypot(a.blur, a.edge_blur * u * u));
      },
      [&](index_t w) { return detail::blur_kernel(a.right + a.wide * side(w, W), a.blur); });
  return result;
}

/// The camera that a stored one is with this alignment; `positions` [C] instead of those that the alignment says.
template <class Backend>
camera aligned_camera(const Backend& be, const camera& stored, const camera_alignment& a,
                      std::vector<float> positions) {
  const cassi_geometry& g = stored.geometry();
  const tensor<float, 2> mask = aligned_mask(be, stored.mask(), a);
  // a stored mask's values are finite, and so are their means
  return camera::create(mask.view(), g.bands, g.step, g.direction, std::move(positions), stored.noise()).value();
}

template <class Backend>
camera aligned_camera(const Backend& be, const camera& stored, const camera_alignment& a) {
  return aligned_camera(be, stored, a, band_positions(stored.geometry(), a));
}

}  // namespace unmask::inline UNMASK_ABI::optics
