#pragma once

/// Between a network and what was measured. A network that starts from spectral TV improves edges and colours, and
/// with them what is known about the differences between neighbours; but it sees a few dozen pixels, and its result
/// no longer explains the measurement. Its correction is the smallest that does, in the metric and with the weights of
/// spectral TV, which are those of the network's result x now:
///
///   x + level L d,   d = argmin sum of t (A L d - (y - A x) / level)^2 / 2 + lambda R(d)
///
/// R is the sum over differences of spectral_tv.hpp, lambda what `run` ended with. The texture of x stays as it is:
/// only d is smooth. What texture has more than once, similar patches tell each other, and a correction follows again.

#include "similar_patches.hpp"
#include "spectral_tv.hpp"

namespace unmask::inline UNMASK_ABI::optics {

template <class Backend>
void spectral_tv::correct(const Backend& be, out<float, 3> x, in<float, 2> y, in<float, 2> mask) {
  auto& a = problem_;
  const index_t H = a.geometry.height, V = a.geometry.measurement_width();
  assert(x.size() == H * a.geometry.width * bands_ && mask.size() == H * a.geometry.width && y.size() == H * V);
  if (!(level_ > 0)) return;  // an all-dark measurement
  take_apart(be, x);
  a.weigh_all(be, options_, options_.last_softness);
  const array_view<float, 2> lines(a.line, H, V);
  if (positions_.empty())
    cassi_forward(be, lines, x, mask, a.geometry.step);
  else
    cassi_forward(be, lines, x, mask, std::span<const float>(positions_));
  parallel_for(be, H, [&](index_t h, int) {
    float* line = a.line + h * V;  // what x leaves unexplained
    for (index_t v = 0; v < V; ++v) line[v] = (line[v] - y(h, v)) / level_;
    a.weigh_line(h);
  });
  std::fill_n(a.z, H * a.row, 0.f);
  a.descend(be, mask.data(), lambda_, options_.correction);
  add(be, x, a.z);
}

template <class Backend>
void spectral_tv::refine(const Backend& be, similar_patches& patches, out<float, 3> x, in<float, 2> y,
                         in<float, 2> mask) {
  if (!(level_ > 0)) return;
  auto& a = problem_;
  take_apart(be, x);
  const index_t n = a.geometry.height * a.row;
  std::copy_n(a.z, n, a.r);
  patches.run(be, a.z, options_.patch_noise);
  std::transform(a.z, a.z + n, a.r, a.z, [](float after, float before) { return after - before; });
  add(be, x, a.z);
  correct(be, x, y, mask);
}

}  // namespace unmask::inline UNMASK_ABI::optics
