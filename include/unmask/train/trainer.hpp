#pragma once

/// A trainer owns parameters, gradients, optimiser state and the network's plan in one memory block; a step takes a
/// batch and a loss, and no heap. The bits of a training depend on configuration, options, samples and losses only, not
/// on the number of threads and not on where it was interrupted.

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <tuple>
#include <utility>

#include "../core/arena.hpp"
#include "../models/initialise.hpp"
#include "../models/s2_network.hpp"
#include "../nn/padding.hpp"
#include "adamw.hpp"
#include "checkpoint.hpp"
#include "dataset.hpp"
#include "drop_path.hpp"
#include "schedule.hpp"
#include "stages.hpp"
#include "trainer_options.hpp"

namespace unmask::inline UNMASK_ABI::train {

struct step_report {
  index_t step = 0;  ///< its number; the first is 0
  double loss = std::numeric_limits<double>::quiet_NaN();
  double encoding = 0;       ///< the auxiliary term's part of the loss
  double gradient_norm = 0;  ///< before clipping
  double learning_rate = 0;
  bool updated = false;  ///< false where loss or gradient were not finite: weights stay as they were
};

template <class T, class Backend>
class trainer {
 public:
  /// Errors name the option that contradicts.
  static result<trainer> create(Backend backend, const s2_config& config, const trainer_options& options) {
    if (auto ok = unmask::check(config); !ok) return ok.error();
    if (auto ok = check(options); !ok) return ok.error();
    return trainer(backend, config, options);
  }

  /// One step on a batch of the planned size; another size changes nothing and reports a loss of NaN.
  step_report step(const batch<T>& samples, const loss_spec& spec) noexcept {
    step_report report{.step = state_.step, .learning_rate = options_.schedule(state_.step)};
    if (!fits(samples)) return report;
    std::tie(report.loss, report.encoding) = differentiate(samples, spec);
    report.gradient_norm = norm(backend_, gradients_, size());
    if (std::isfinite(report.loss) && std::isfinite(report.gradient_norm)) {
      adamw_step<T>(backend_, options_.optimiser, report.learning_rate, ++state_.updates,
                    clip_factor(report.gradient_norm, options_.optimiser.clip), state_.parameters.data(), gradients_,
                    {state_.first.data(), state_.second.data(), state_.average.data()}, size());
      report.updated = true;
    }
    state_.losses.push_back(static_cast<float>(report.loss));
    ++state_.step;
    return report;
  }

  /// The loss and, in it, the auxiliary term of a batch of the planned size, with the gradient left in `gradients()`:
  /// a step without the update. Branches drop as in the step that comes next.
  std::pair<double, double> differentiate(const batch<T>& samples, const loss_spec& spec) noexcept {
    const bool drops = options_.drop_path > 0;
    if (drops)
      draw_keep(keep_, network_.branches(), options_.batch, blocks(), options_.drop_path, options_.seed, state_.step);
    forward(samples, drops ? keep_ : nullptr);
    const auto losses = evaluate(samples, spec);
    parallel_chunks(backend_, size(), [&](index_t, index_t begin, index_t end, int) {
      std::fill(gradients_ + begin, gradients_ + end, T{});
    });
    const auto used = static_cast<std::size_t>(state_.config.stages);
    std::array<array_view<const T, 4>, max_stages> dpins;
    std::copy_n(dpins_.begin(), used, dpins.begin());
    network_.backward(gradients_, {}, {}, destimate_, std::span(dpins.data(), used), samples.input.view(), mask_,
                      state_.parameters.data(), drops ? keep_ : nullptr);
    return losses;
  }

  /// All branches kept, as in inference; afterwards `estimate()` and `pin()` belong to this batch.
  void predict(const batch<T>& samples) noexcept { forward(samples, nullptr); }
  array_view<const T, 4> estimate() const { return estimate_; }
  array_view<const T, 4> pin(int stage) const { return network_.pin(stage); }

  const trainer_options& options() const { return options_; }
  const s2_config& config() const { return state_.config; }
  const Backend& backend() const { return backend_; }
  const unmask::manifest& manifest() const { return manifest_; }
  std::size_t bytes() const { return block_.bytes(); }

  /// Step number, weights, optimiser state and history: what a checkpoint stores.
  training_state<T>& state() { return state_; }
  const training_state<T>& state() const { return state_; }
  std::span<const T> parameters() const { return state_.parameters; }
  std::span<const T> gradients() const { return {gradients_, state_.parameters.size()}; }
  /// The weights to use: averaged where the optimiser keeps an average.
  std::span<const T> inference_parameters() const {
    return state_.average.empty() ? state_.parameters : state_.average;
  }

  /// Starts from these weights (fine-tuning); the optimiser starts afresh.
  result<> start_from(std::span<const T> parameters) {
    if (parameters.size() != state_.parameters.size())
      return error(errc::wrong_shape, "trainer: found " + std::to_string(parameters.size()) + " parameters, expected " +
                                          std::to_string(state_.parameters.size()));
    std::copy(parameters.begin(), parameters.end(), state_.parameters.begin());
    if (!state_.average.empty()) std::copy(parameters.begin(), parameters.end(), state_.average.begin());
    std::fill(state_.first.begin(), state_.first.end(), T{});
    std::fill(state_.second.begin(), state_.second.end(), T{});
    state_.updates = 0;
    return {};
  }

 private:
  using network = s2_network<T, Backend>;

  trainer(Backend backend, const s2_config& config, const trainer_options& options)
      : backend_(backend),
        options_(options),
        manifest_(network::manifest(config)),
        network_(backend, config, {options.batch, options.height, options.width},
                 options.frugal ? network::mode::frugal_training : network::mode::training) {
    state_.config = config;
    state_.batch = options.batch, state_.height = options.height, state_.width = options.width;
    state_.seed = options.seed;
    // A step must not allocate: the history has room for the planned steps, and doubles after them.
    state_.losses.reserve(static_cast<std::size_t>(std::clamp<index_t>(options.schedule.steps, 16, 1 << 24)));
    arena measure;
    carve(measure);
    block_ = memory_block(measure.peak());
    arena memory(block_.data(), block_.bytes());
    carve(memory);
    initialise(state_.parameters.data(), manifest_, options.seed);
    for (const parameter& p : manifest_.entries)
      if (options.last_zero && p.name.starts_with("conv_last."))
        std::fill_n(state_.parameters.data() + p.offset, p.size, T(0));
    std::copy_n(state_.parameters.begin(), state_.average.size(), state_.average.begin());
  }

  void carve(arena& a) {
    const index_t B = options_.batch, H = options_.height, W = options_.width, C = state_.config.bands;
    const index_t Hp = state_.config.padded(H), Wp = state_.config.padded(W), n = size();
    const auto block = [&](index_t count) { return std::span<T>(a.take<T>(count), static_cast<std::size_t>(count)); };
    state_.parameters = block(n);
    state_.first = block(n);
    state_.second = block(n);
    if (options_.optimiser.average > 0) state_.average = block(n);
    gradients_ = a.take<T>(n);
    keep_ = a.take<T>(network_.branches() * B);
    mask_ = array_view<T, 3>(a.take<T>(B * Hp * Wp), B, Hp, Wp);
    estimate_ = array_view<T, 4>(a.take<T>(B * H * W * C), B, H, W, C);
    destimate_ = array_view<T, 4>(a.take<T>(B * H * W * C), B, H, W, C);
    for (int k = 0; k <= state_.config.stages; ++k)
      pin_gradients_[static_cast<std::size_t>(k)] = array_view<T, 4>(a.take<T>(B * Hp * Wp * C), B, Hp, Wp, C);
    network_.carve(a);
  }

  index_t size() const { return manifest_.size; }
  index_t blocks() const {
    const auto first = state_.config.depths.begin();
    return std::accumulate(first, first + state_.config.stages, index_t{0});
  }
  bool fits(const batch<T>& s) const {
    return s.input.extents() == estimate_.extents() && s.truth.extents() == estimate_.extents() &&
           s.mask.extents() == std::array<index_t, 3>{options_.batch, options_.height, options_.width};
  }

  void forward(const batch<T>& samples, const T* keep) {
    assert(fits(samples));
    const index_t H = options_.height, W = options_.width, Hp = mask_.extent(1), Wp = mask_.extent(2);
    for (index_t b = 0; b < options_.batch; ++b)
      reflect_pad<T>(array_view<T, 3>(mask_.data() + b * Hp * Wp, Hp, Wp, 1),
                     array_view<const T, 3>(samples.mask.data() + b * H * W, H, W, 1));
    network_.forward(estimate_, samples.input.view(), mask_, state_.parameters.data(), keep);
  }

  /// The loss of what `forward` left, into destimate_ and dpins_ (null: zero). One gradient more than there are pins
  /// has memory: stage MA's, where the last pin has one of the encoding term too.
  std::pair<double, double> evaluate(const batch<T>& samples, const loss_spec& spec) {
    const auto stages = static_cast<std::size_t>(state_.config.stages);
    std::fill(dpins_.begin(), dpins_.end(), array_view<T, 4>());
    const double factor = spec.kind == stage::mask_encoding ? spec.encoding
                          : spec.kind == stage::mask_aware  ? spec.encoding_in_aware
                                                            : 0;
    double encoding = 0;
    if (factor > 0) {
      std::array<array_view<const T, 4>, max_stages> pins;
      for (std::size_t k = 0; k < stages; ++k) pins[k] = network_.pin(static_cast<int>(k));
      std::copy_n(pin_gradients_.begin(), stages, dpins_.begin());
      encoding = mask_encoding_term<T>(backend_, spec.rho, factor, std::span(dpins_.data(), stages),
                                       std::span(pins.data(), stages), samples.mask.view(), samples.truth.view());
    }
    if (spec.kind != stage::mask_aware) {
      const double plain = reconstruction_loss<T>(backend_, spec.rho, destimate_, estimate_, samples.truth.view());
      return {encoding + plain, encoding};
    }
    array_view<T, 4>& last = dpins_[stages - 1];
    const array_view<T, 4> spare = spec.aware.detached ? array_view<T, 4>() : pin_gradients_[stages];
    const double loss = mask_aware_loss<T>(backend_, spec.rho, spec.aware, destimate_, spare, estimate_,
                                           network_.pin(static_cast<int>(stages) - 1), samples.truth.view());
    if (!last.data())
      last = spare;
    else if (spare.data())
      std::transform(last.begin(), last.end(), spare.begin(), last.begin(), std::plus<T>());
    return {encoding + loss, encoding};
  }

  Backend backend_;
  trainer_options options_;
  unmask::manifest manifest_;
  network network_;
  memory_block block_;
  training_state<T> state_;
  T* gradients_ = nullptr;
  T* keep_ = nullptr;
  array_view<T, 3> mask_;
  array_view<T, 4> estimate_, destimate_;
  std::array<array_view<T, 4>, max_stages + 1> pin_gradients_;
  std::array<array_view<T, 4>, max_stages> dpins_;
};

}  // namespace unmask::inline UNMASK_ABI::train
