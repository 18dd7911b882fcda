#pragma once

/// What the tests of the trainer share: a network of 10,000 parameters, scenes it can learn, and every loss.

#include <cmath>
#include <utility>
#include <vector>

#ifndef __CUDACC__
#include "instances.hpp"
#endif
#include "unmask/train/trainer.hpp"

namespace tiny_training {

using namespace unmask;
using unmask::index_t;
namespace ut = unmask::train;

inline constexpr s2_config tiny{.bands = 4,
                                .channels = 12,
                                .stages = 2,
                                .depths = {1, 1},
                                .heads = {2, 2},
                                .spectral_head_width = 6,
                                .window = 4,
                                .pad_multiple = 4,
                                .hidden = 24};

inline ut::trainer_options options(index_t side = 8) {
  return {.batch = 2,
          .height = side,
          .width = side,
          .seed = 11,
          .optimiser = {.weight_decay = 1e-3, .clip = 1, .average = .9},
          .schedule = {.peak = 3e-3, .floor = 1e-5, .warm_up = 2, .steps = 40}};
}

// Smooth spectra under a smooth texture: something a network of 10,000 parameters can learn.
inline tensor<float, 3> scene(index_t h, index_t w, index_t bands, double phase) {
  tensor<float, 3> t({h, w, bands});
  for (index_t i = 0; i < h; ++i)
    for (index_t j = 0; j < w; ++j)
      for (index_t c = 0; c < bands; ++c)
        t(i, j, c) = static_cast<float>(.5 + .4 * std::sin(.35 * static_cast<double>(i) + phase) *
                                                 std::cos(.3 * static_cast<double>(j + c)));
  return t;
}

/// Uniform noise: a scene [h, w, c] or a grey mask [h, w].
template <class... Extent>
auto uniform(std::uint64_t seed, Extent... extents) {
  tensor<float, sizeof...(Extent)> t({static_cast<index_t>(extents)...});
  unmask::random draw(seed);
  for (float& v : t) v = static_cast<float>(draw.uniform());
  return t;
}

inline tensor<float, 2> binary_mask(index_t h, index_t w) {
  tensor<float, 2> t({h, w});
  unmask::random draw(5);
  for (float& v : t) v = draw.below(2) ? 1.f : .05f;
  return t;
}

inline ut::sample_source source(index_t side = 8) {
  std::vector<tensor<float, 3>> scenes;
  scenes.push_back(scene(20, 24, 4, 0));
  scenes.push_back(scene(20, 24, 4, 1));
  return ut::sample_source::create(std::move(scenes), std::vector<tensor<float, 2>>(1, binary_mask(24, 24)),
                                   {.batch = 2, .height = side, .width = side})
      .value();
}

inline std::vector<ut::loss_spec> specs() {
  ut::loss_spec me{.kind = ut::stage::mask_encoding}, ma{.kind = ut::stage::mask_aware}, all = ma;
  me.rho.kind = ut::penalty_kind::charbonnier;
  ma.aware.detached = false;
  all.aware.detached = false;
  all.aware.normalised = true;
  all.encoding_in_aware = .5;
  ut::loss_spec relative = all, visibility{.kind = ut::stage::mask_aware};
  relative.aware.weight = ut::aware_weight::relative;
  visibility.aware.weight = ut::aware_weight::visibility;
  return {{}, me, {.kind = ut::stage::mask_aware}, ma, all, relative, visibility};
}

}  // namespace tiny_training
