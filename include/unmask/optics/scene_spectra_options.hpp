#pragma once

/// The settings of `adaptive_spectral_tv`.

#include <utility>

#include "../core/refuse_setting.hpp"
#include "../core/result.hpp"
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

[[gnu::cold]] inline result<> check_scene_spectra(const scene_spectra_options& o) {
  const auto refuse = [](const char* name, double found, const char* expected) {
    return unmask::detail::refuse_setting("spectral-tv", name, found, expected);
  };
  for (const auto& [name, value] :
       {std::pair{"rank of the scene's own spectra", o.rank}, std::pair{"rows of a strip", o.strip_rows},
        std::pair{"spacing of strips", o.spacing}, std::pair{"outer iterations on strips", o.look_outer},
        std::pair{"iterations on strips", o.look_inner}, std::pair{"outer iterations", o.outer},
        std::pair{"iterations", o.inner}})
    if (value < 1) return refuse(name, static_cast<double>(value), "at least 1");
  if (o.least_rows < 0) return refuse("least rows of all strips", static_cast<double>(o.least_rows), "at least 0");
  if (!(o.share >= 0 && o.share <= 1)) return refuse("share of the scene's own spectra", o.share, "a number in [0, 1]");
  for (const auto& [name, value] :
       {std::pair{"first weight", o.first_weight}, std::pair{"first irls epsilon", o.first_irls_epsilon}})
    if (!(value > 0 && value <= 1e6f)) return refuse(name, static_cast<double>(value), "a number in (0, 1e6]");
  return {};
}

}  // namespace unmask::inline UNMASK_ABI::optics
