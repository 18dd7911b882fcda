#pragma once

/// The settings of `adaptive_spectral_tv`.

#include "../core/view.hpp"

namespace unmask::inline UNMASK_ABI::optics {

/// What of a scene tells its spectra, how much they count, and what work each half gets (docs/decisions.md, "From a few
/// rows"). The halves' own numbers stand in place of those of `spectral_tv_options`.
struct scene_spectra_options {
  index_t rank = 12;               ///< rows of the scene's own basis
  double share = .8;               ///< of what the strips show beside what all scenes have in common
  index_t strip_rows = 2;          ///< neighbours down tell spectra too
  index_t spacing = 6;             ///< a strip in as many rows, evenly over the image
  index_t least_rows = 64;         ///< of all strips; the spacing is less where they would have fewer
  index_t look_outer = 6;          ///< outer iterations on the strips
  index_t look_inner = 90;         ///< of conjugate gradients in each
  index_t outer = 5;               ///< on the whole image, which starts from what the strips show
  index_t inner = 50;              ///< so these are half of what they would be from a coarse image
  float first_weight = .001f;      ///< lambda of the first of them: most edges are known already
  float first_irls_epsilon = .5f;  ///< and s
};

}  // namespace unmask::inline UNMASK_ABI::optics
