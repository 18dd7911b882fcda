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
bool spectral_tv::correct(const Backend& be, out<float, 3> x, in<float, 2> y) noexcept {
  const camera& c = measurement_.seen_by();
  const index_t H = y.extent(0), V = measurement_.values();
  assert(x.extents() == c.geometry().cube_extents() && y.extents() == c.geometry().measurement_extents());
  if (!(level_ > 0)) return is_finite(level_);  // an all-dark measurement
  clear_frames();
  weigh_measurement(be, y);
  float* z = z_.data();
  parallel_for(be, H, [&](index_t h, int) { measurement_.find_coefficients(h, z, x, level_); });
  edges_.update(be, z, options_, options_.last_irls_epsilon, solver_.spare_edges());
  const array_view<float, 2> measured(measurement_.measured(), H, V);
  c.forward(be, measured, x);
  parallel_for(be, H, [&](index_t h, int) {
    float* row = measured.data() + h * V;  // what x leaves unexplained
    for (index_t v = 0; v < V; ++v) row[v] = (row[v] - y(h, v)) / level_;
    measurement_.apply_inverse_variance(h);
  });
  std::fill_n(z, measurement_.layout().size(), 0.f);
  const bool solved = solver_.solve(be, {measurement_, edges_, lambda_}, z, options_.correction_iterations);
  add_spectra(be, x);
  return solved;
}

template <class Backend>
bool spectral_tv::refine(const Backend& be, similar_patches& patches, out<float, 3> x, in<float, 2> y) noexcept {
  if (!(level_ > 0)) return is_finite(level_);
  const index_t n = measurement_.layout().size();
  float *z = z_.data(), *before = solver_.spare_image();
  parallel_for(be, x.extent(0), [&](index_t h, int) { measurement_.find_coefficients(h, z, x, level_); });
  std::copy_n(z, n, before);
  patches.run(be, z, options_.patch_noise);
  std::transform(z, z + n, before, z, [](float after, float earlier) { return after - earlier; });
  add_spectra(be, x);
  return correct(be, x, y);
}

}  // namespace unmask::inline UNMASK_ABI::optics
