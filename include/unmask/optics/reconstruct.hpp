#pragma once

/// A cube from a snapshot: the estimate that a network starts from, the network, and, after spectral TV, refinement by
/// what was measured and by what the image has more than once.

#include "initial_estimate.hpp"
#include "spectral_tv_refine.hpp"

namespace unmask::inline UNMASK_ABI::optics {

/// Steps of `refine` after the network: most scenes gain up to the eighth, some through a binary mask lose after the
/// second (docs/decisions.md).
inline constexpr index_t usual_refinements = 6;

/// x [H, W, C] from y [H, W + step (C - 1)] and the mask [H, W]. `network(x)` works in place; `refinements` > 0: a
/// correction by the measurement, and as many steps with similar patches; fewer the noisier it is, down to none,
/// because each step explains more of the noise too. Only spectral TV refines, after other initial estimates the
/// network's result is the last. `progress` is the initial estimate's; `refined(step from 1, steps)` after each step.
template <class Backend, class Network, class Progress, class Refined>
void reconstruct(const Backend& be, const initial_estimate& initial, Network&& network, out<float, 3> x, in<float, 2> y,
                 in<float, 2> mask, index_t step, index_t refinements, Progress&& progress, Refined&& refined) {
  const index_t H = x.extent(0), W = x.extent(1);
  if (initial.kind != initial_kind::spectral_tv || refinements == 0) {
    estimate_initially(be, initial, x, y, mask, step, progress);
    return network(x);
  }
  spectral_tv plan = spectral_tv_plan(initial, {H, W, x.extent(2), step});
  plan.run(be, x, y, mask, progress);
  network(x);
  const auto steps = static_cast<index_t>(std::lround(static_cast<float>(refinements) * plan.certainty()));
  if (steps <= 0) return;
  plan.correct(be, x, y, mask);
  similar_patches patches(H, initial.spread.extent(0), W);
  for (index_t i = 0; i < steps; ++i) {
    plan.refine(be, patches, x, y, mask);
    refined(i + 1, steps);
  }
}

template <class Backend, class Network>
void reconstruct(const Backend& be, const initial_estimate& initial, Network&& network, out<float, 3> x, in<float, 2> y,
                 in<float, 2> mask, index_t step, index_t refinements = usual_refinements) {
  reconstruct(
      be, initial, network, x, y, mask, step, refinements, [](index_t, float) {}, [](index_t, index_t) {});
}

/// Memory that `reconstruct` takes and gives back.
inline std::size_t reconstruct_bytes(const initial_estimate& initial, const cassi_geometry& g, index_t refinements) {
  const bool refines = initial.kind == initial_kind::spectral_tv && refinements > 0;
  return initial_bytes(initial, g) +
         (refines ? similar_patches::bytes(g.height, initial.spread.extent(0), g.width) : 0);
}

}  // namespace unmask::inline UNMASK_ABI::optics
