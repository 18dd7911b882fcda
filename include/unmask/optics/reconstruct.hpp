#pragma once

/// A cube from a snapshot: the estimate that a network starts from, the network, and, after spectral TV, refinement by
/// what was measured and by what the image has more than once.

#include "initial_estimate.hpp"
#include "spectral_tv_refine.hpp"

namespace unmask::inline UNMASK_ABI::optics {

/// Passes of `refine` after the network: most scenes gain up to the eighth, some through a binary mask lose after the
/// second (docs/decisions.md).
inline constexpr index_t usual_refinements = 6;

/// What a reconstruction calls while it works.
template <class Progress, class Refined>
struct reconstruct_calls {
  Progress progress;  ///< the initial estimate's
  Refined refined;    ///< refined(pass from 1, passes) after each
};

/// x [H, W, C] from a snapshot y of the camera, for which `check_initial` has passed. `network(x)` works in place;
/// `refinements` > 0: a correction by the measurement, and as many passes with similar patches; fewer the noisier it
/// is, down to none, because each pass explains more of the noise too. Only spectral TV refines, after other initial
/// estimates the network's result is the last.
template <class Backend, class Network, class Progress, class Refined>
void reconstruct(const Backend& be, const initial_estimate& initial, const camera& c, Network&& network,
                 out<float, 3> x, in<float, 2> y, index_t refinements, reconstruct_calls<Progress, Refined> calls) {
  if (initial.kind != initial_kind::spectral_tv || refinements == 0) {
    estimate_initially(be, initial, c, x, y, calls.progress);
    return network(x);
  }
  planned<spectral_tv> plan(c, initial.spectral_basis.view(), spectral_tv_settings(initial));
  plan->run(be, x, y, calls.progress);
  network(x);
  const auto passes = static_cast<index_t>(std::lround(static_cast<float>(refinements) * plan->certainty()));
  if (passes <= 0) return;
  plan->correct(be, x, y);
  planned<similar_patches> patches(x.extent(0), initial.spectral_basis.extent(0), x.extent(1));
  for (index_t i = 0; i < passes; ++i) {
    plan->refine(be, *patches, x, y);
    calls.refined(i + 1, passes);
  }
}

template <class Backend, class Network>
void reconstruct(const Backend& be, const initial_estimate& initial, const camera& c, Network&& network,
                 out<float, 3> x, in<float, 2> y, index_t refinements = usual_refinements) {
  const auto progress = [](index_t, float) {};
  const auto refined = [](index_t, index_t) {};
  reconstruct(be, initial, c, network, x, y, refinements, reconstruct_calls{progress, refined});
}

/// Memory that `reconstruct` takes and gives back; `placed`: for a camera with positions.
inline std::size_t reconstruct_bytes(const initial_estimate& initial, const cassi_geometry& g, bool placed,
                                     index_t refinements) {
  const bool refines = initial.kind == initial_kind::spectral_tv && refinements > 0;
  return initial_bytes(initial, g, placed) +
         (refines ? similar_patches::bytes(g.height, initial.spectral_basis.extent(0), g.width) : 0);
}

}  // namespace unmask::inline UNMASK_ABI::optics
