#pragma once

/// Quality on whole scenes that training never sees: each is measured once, whole, when the set is made; a validation
/// reconstructs it with the weights of the moment and compares by the official PSNR, all, hidden and open pixels.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "../core/finite.hpp"
#include "../core/tensor.hpp"
#include "../metrics/quality.hpp"
#include "../models/session.hpp"
#include "../optics/noise.hpp"
#include "../reconstruct/estimator.hpp"

namespace unmask::inline UNMASK_ABI::train {

struct validation_report {
  double psnr = 0;               ///< dB, mean over scenes
  std::optional<double> hidden;  ///< mask < 0.5, mean over the scenes that have such pixels
  std::optional<double> open;    ///< mask >= 0.5
  std::vector<double> scenes;    ///< each scene's
};

class validation_set {
 public:
  struct scene {
    tensor<float, 3> truth, input;  ///< [H, W, C]; what the network starts from
    tensor<float, 2> mask;          ///< [H, W]
    metrics::region hidden, open;
  };

  /// Scenes [H, W, C] of one C, mask [H, W]; the common part at the top left is measured. The noise's full scale is in
  /// units of the network's input, y 2 / C. Errors name the scene.
  template <class Backend = ref>
  static result<validation_set> create(const std::vector<tensor<float, 3>>& scenes, const tensor<float, 2>& mask,
                                       index_t step, const optics::noise_model& noise = {}, std::uint64_t seed = 1,
                                       const initial_spec& initial = {}, const Backend& be = {}) {
    validation_set set;
    if (scenes.empty()) return error(errc::bad_argument, "validation: found no scene, expected at least one");
    if (auto ok = optics::check_noise(noise); !ok) return ok.error();
    for (std::size_t i = 0; i < scenes.size(); ++i) {
      const tensor<float, 3>& x = scenes[i];
      const index_t H = std::min(x.extent(0), mask.extent(0)), W = std::min(x.extent(1), mask.extent(1));
      const index_t C = x.extent(2);
      const std::string name = "validation: scene " + std::to_string(i);
      if (C != scenes[0].extent(2))
        return error(errc::wrong_shape, name + " has " + std::to_string(C) + " bands, expected " +
                                            std::to_string(scenes[0].extent(2)) + " as scene 0");
      scene s{tensor<float, 3>({H, W, C}), tensor<float, 3>({H, W, C}), tensor<float, 2>({H, W}), {}, {}};
      for (index_t h = 0; h < H; ++h) {
        std::copy_n(&x(h, 0, 0), W * C, &s.truth(h, 0, 0));
        std::copy_n(&mask(h, 0), W, &s.mask(h, 0));
      }
      const auto camera = optics::camera::create(s.mask.view(), C, step);
      if (!camera) return error(camera.error().code(), name + ": " + camera.error().message());
      auto start = planned_estimate(initial, *camera);
      if (!start) return error(start.error().code(), name + ": " + start.error().message());
      tensor<float, 2> y(camera->geometry().measurement_extents());
      camera->forward(be, y.view(), s.truth.view());
      optics::noise_model scaled = noise;
      scaled.full_scale *= static_cast<double>(C) / 2;
      if (noise.shot != optics::shot_noise::none || noise.read_sigma > 0)
        optics::add_noise(be, y.view(), scaled, seed + i);
      (*start)->run(be, s.input.view(), y.view());
      for (float m : s.mask) {
        s.hidden.push_back(m < .5f);
        s.open.push_back(!(m < .5f));
      }
      set.scenes_.push_back(std::move(s));
    }
    return set;
  }

  const std::vector<scene>& scenes() const { return scenes_; }

 private:
  validation_set() = default;
  std::vector<scene> scenes_;
};

/// Reconstructs and compares every scene. Errors: a network that does not fit them, an estimate that is not finite.
template <Model N>
result<validation_report> validate(const typename N::backend_type& backend, const typename N::config_type& config,
                                   std::span<const typename N::value_type> parameters, const validation_set& set) {
  using T = typename N::value_type;
  validation_report report;
  std::optional<session<N>> network;  // scenes of one size share their mask's corner, and so the session
  std::array<index_t, 3> size{};
  double hidden = 0, open = 0;
  index_t hidden_scenes = 0, open_scenes = 0;
  for (const validation_set::scene& s : set.scenes()) {
    const index_t H = s.truth.extent(0), W = s.truth.extent(1), C = s.truth.extent(2);
    if (C != config.bands)
      return error(errc::wrong_shape,
                   "validation: scenes have " + std::to_string(C) + " bands, expected " + std::to_string(config.bands));
    if (s.input.extent(2) != input_channels(config))
      return error(errc::wrong_shape, "validation: inputs have " + std::to_string(s.input.extent(2)) +
                                          " channels, expected " + std::to_string(input_channels(config)));
    if (!network || size != s.truth.extents()) {
      tensor<T, 2> mask({H, W});
      std::copy(s.mask.begin(), s.mask.end(), mask.begin());
      auto made = session<N>::create(backend, config, parameters, H, W, mask.view());
      if (!made) return made.error();
      network.emplace(std::move(*made));
      size = s.truth.extents();
    }
    tensor<T, 3> input(s.input.extents()), cube(size);
    std::copy(s.input.begin(), s.input.end(), input.begin());
    network->run(cube.view(), input.view());
    tensor<float, 3> estimate(size);
    std::transform(cube.begin(), cube.end(), estimate.begin(), [](T v) { return static_cast<float>(v); });
    if (!std::all_of(estimate.begin(), estimate.end(), [](float v) { return is_finite(v); }))
      return error(errc::not_finite, "validation: reconstruction of scene " + std::to_string(report.scenes.size()) +
                                         " is NaN or infinite");
    const auto psnr = [&](const metrics::region& where) {
      return metrics::psnr(s.truth.view(), estimate.view(), metrics::definition::official_8bit, where);
    };
    report.scenes.push_back(psnr({}));
    report.psnr += report.scenes.back() / static_cast<double>(set.scenes().size());
    if (std::find(s.hidden.begin(), s.hidden.end(), 1) != s.hidden.end()) hidden += psnr(s.hidden), ++hidden_scenes;
    if (std::find(s.open.begin(), s.open.end(), 1) != s.open.end()) open += psnr(s.open), ++open_scenes;
  }
  if (hidden_scenes > 0) report.hidden = hidden / static_cast<double>(hidden_scenes);
  if (open_scenes > 0) report.open = open / static_cast<double>(open_scenes);
  return report;
}

}  // namespace unmask::inline UNMASK_ABI::train
