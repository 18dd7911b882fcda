#pragma once

/// The settings of `spectral_tv`.

#include <utility>

#include "../core/refuse_setting.hpp"
#include "../core/result.hpp"
#include "../core/view.hpp"

namespace unmask::inline UNMASK_ABI::optics {

/// What `run` starts from.
enum class spectral_tv_start {
  zero,
  coarse,  ///< an image of few coefficients: for images of whole scenes (coarse_start.hpp)
  given    ///< x as it comes in
};

/// Weights and s are relative to the scene's mean level, which the measurement tells: the scale of y does not matter.
struct spectral_tv_options {
  index_t outer_iterations = 8;        ///< each with weights of its own
  index_t iterations = 55;             ///< of conjugate gradients in each
  index_t correction_iterations = 20;  ///< those of `correct`
  spectral_tv_start start = spectral_tv_start::coarse;
  index_t patch_stride = 4;        ///< of `similar_patches`, for whoever makes them for `refine`
  float patch_noise = .7f;         ///< of z, in `refine`: what similar patches differ by
  float first_weight = .1f;        ///< lambda of the first outer iteration
  float last_weight = .0005f;      ///< lambda of the last third of them, if there is no noise
  float noise_weight = .18f;       ///< lambda is at least this times the weighted mean square of A x - y
  float first_irls_epsilon = 1;    ///< s of the first outer iteration
  float last_irls_epsilon = .05f;  ///< s of the last
  float power = .6f;               ///< p: 1 is total variation, 2 would blur edges
  float shared = .1f;              ///< of the squares of brightness that free colours too, and the other way round
  float corner_weight = 1;         ///< of corners beside neighbours
  float colour_weight = 1.5f;      ///< of differences across a pixel's own spectrum beside those along it
};

[[gnu::cold]] inline result<> check_spectral_tv(const spectral_tv_options& o) {
  const auto refuse = [](const char* name, double found, const char* expected) {
    return unmask::detail::refuse_setting("spectral-tv", name, found, expected);
  };
  if (o.outer_iterations < 1) return refuse("outer iterations", static_cast<double>(o.outer_iterations), "at least 1");
  if (o.iterations < 1) return refuse("iterations", static_cast<double>(o.iterations), "at least 1");
  if (o.correction_iterations < 1)
    return refuse("correction iterations", static_cast<double>(o.correction_iterations), "at least 1");
  if (o.patch_stride < 1 || o.patch_stride > 64)
    return refuse("patch stride", static_cast<double>(o.patch_stride), "1..64");
  for (const auto& [name, value] : {std::pair{"noise weight", o.noise_weight}, std::pair{"shared", o.shared},
                                    std::pair{"corner weight", o.corner_weight}})
    if (!(value >= 0 && value <= 1e6f)) return refuse(name, static_cast<double>(value), "a number in [0, 1e6]");
  if (!(o.power >= .1f && o.power <= 2)) return refuse("power", static_cast<double>(o.power), "a number in [0.1, 2]");
  for (const auto& [name, value] :
       {std::pair{"first weight", o.first_weight}, std::pair{"last weight", o.last_weight},
        std::pair{"patch noise", o.patch_noise}, std::pair{"colour weight", o.colour_weight},
        std::pair{"first irls epsilon", o.first_irls_epsilon}, std::pair{"last irls epsilon", o.last_irls_epsilon}})
    if (!(value > 0 && value <= 1e6f)) return refuse(name, static_cast<double>(value), "a number in (0, 1e6]");
  return {};
}

}  // namespace unmask::inline UNMASK_ABI::optics
