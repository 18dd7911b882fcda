#pragma once

/// A trainer owns parameters, gradients, optimiser state and the network's plan in one memory block; a step takes a
/// batch and a loss, and no heap. The bits of a training depend on configuration, options, samples and losses only, not
/// on the number of threads and not on where it was interrupted. On a device a step waits for it once, to learn whether
/// loss and gradient are finite; a device's error ends in a report of NaN and in `finish(backend)`.

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <tuple>
#include <utility>

#include "../core/arena.hpp"
#include "../core/recording.hpp"
#include "../models/initialise.hpp"
#include "../models/s2_network.hpp"
#include "../nn/padding.hpp"
#include "adamw.hpp"
#include "checkpoint.hpp"
#include "drop_path.hpp"
#include "loss_sums.hpp"
#include "placed_images.hpp"
#include "schedule.hpp"
#include "trained_blocks.hpp"
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
  /// Errors name the option that contradicts; a device may have too little memory.
  static result<trainer> create(Backend backend, const s2_config& config, const trainer_options& options) {
    if (auto ok = unmask::check(config); !ok) return ok.error();
    if (auto ok = check(options); !ok) return ok.error();
    trainer t(backend, config, options);
    if (auto ok = t.allocate(); !ok) return ok.error();
    return result<trainer>(std::move(t));
  }

  /// One step on a batch of the planned size; another size changes nothing and reports a loss of NaN.
  step_report step(const batch<T>& samples, const loss_spec& spec) noexcept {
    step_report report{.step = state_.step, .learning_rate = options_.schedule(state_.step)};
    if (!fits(samples)) return report;
    std::tie(report.loss, report.encoding) = differentiate(samples, spec);
    report.gradient_norm = std::sqrt(sums_[2]);
    if (std::isfinite(report.loss) && std::isfinite(report.gradient_norm)) {
      adamw_step<T>(backend_, options_.optimiser, report.learning_rate, ++state_.updates,
                    clip_factor(report.gradient_norm, options_.optimiser.clip), blocks_.parameters, blocks_.gradients,
                    blocks_.moments, size());
      blocks_.changed();
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
    if (drops) {
      draw_keep(keep_host_.data(), network_.branches(), options_.batch, blocks(), options_.drop_path, options_.seed,
                state_.step);
      upload(backend_, keep_, keep_host_.data(), static_cast<index_t>(keep_host_.size()));
    }
    place(samples);
    if (!(spec == recorded_spec_)) recorded_spec_ = spec, ++recorded_generation_;
    const T* keep = drops ? keep_ : nullptr;
    const auto work = [&] {
      forward(keep);
      evaluate_loss<T>(backend_, sums_memory_, operands_, spec, scratch_);
      fill(backend_, blocks_.gradients, size(), T{});
      std::array<array_view<const T, 4>, max_stages> dpins;
      std::copy(operands_.dpins.begin(), operands_.dpins.end(), dpins.begin());
      network_.backward(blocks_.gradients, {}, {}, operands_.destimate, std::span(dpins.data(), operands_.stages),
                        samples_.input, mask_, blocks_.parameters, keep);
      square_norm_to(backend_, sums_memory_ + 2, static_cast<const T*>(blocks_.gradients), size(), scratch_);
    };
    // on a host the batch may lie elsewhere each time; what a device has recorded reads its own copy
    recorded_.run(backend_, {address(samples_.input.data()), address(keep), recorded_generation_}, work);
    sums_.fill(std::numeric_limits<double>::quiet_NaN());
    download(backend_, sums_.data(), sums_memory_, static_cast<index_t>(sums_.size()));
    return {sums_[0] + sums_[1], sums_[0]};
  }

  /// All branches kept, as in inference; afterwards `estimate()` and `pin()` belong to this batch.
  void predict(const batch<T>& samples) noexcept { place(samples), forward(nullptr); }
  array_view<const T, 4> estimate() const { return shown_.show(backend_, operands_.estimate, max_stages); }
  array_view<const T, 4> pin(int stage) const {
    return shown_.show(backend_, network_.pin(stage), static_cast<std::size_t>(stage));
  }

  const trainer_options& options() const { return options_; }
  const s2_config& config() const { return state_.config; }
  const Backend& backend() const { return backend_; }
  const unmask::manifest& manifest() const { return manifest_; }
  std::size_t bytes() const { return block_.bytes(); }

  /// Step number, weights, optimiser state and history: what a checkpoint stores. On a device the blocks of numbers are
  /// a copy that belongs to the moment of the call; changes count until the next step.
  training_state<T>& state() {
    blocks_.fetch(backend_, state_, true);
    return state_;
  }
  const training_state<T>& state() const {
    blocks_.fetch(backend_, state_, false);
    return state_;
  }
  std::span<const T> parameters() const { return state().parameters; }
  std::span<const T> gradients() const { return blocks_.fetch_gradients(backend_); }
  /// The weights to use: averaged where the optimiser keeps an average.
  std::span<const T> inference_parameters() const {
    const training_state<T>& s = state();
    return s.average.empty() ? s.parameters : s.average;
  }

  /// Starts from these weights (fine-tuning); the optimiser starts afresh.
  result<> start_from(std::span<const T> parameters) {
    if (parameters.size() != state_.parameters.size())
      return error(errc::wrong_shape, "trainer: found " + std::to_string(parameters.size()) + " parameters, expected " +
                                          std::to_string(state_.parameters.size()));
    state();  // a device's blocks are now the host's to change
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
    bytes_ = measure.peak();
    keep_host_.resize(static_cast<std::size_t>(network_.branches() * options.batch));
  }

  result<> allocate() {
    auto block = storage<Backend>::allocate(backend_, bytes_);
    if (!block) return block.error();
    block_ = std::move(*block);
    arena memory(block_.data(), block_.bytes());
    carve(memory);
    blocks_.show(state_);
    initialise(state_.parameters.data(), manifest_, options_.seed);
    for (const parameter& p : manifest_.entries)
      if (options_.last_zero && p.name.starts_with("conv_last."))
        std::fill_n(state_.parameters.data() + p.offset, p.size, T(0));
    std::copy_n(state_.parameters.begin(), state_.average.size(), state_.average.begin());
    return {};
  }

  void carve(arena& a) {
    const index_t B = options_.batch, H = options_.height, W = options_.width, C = state_.config.bands;
    const index_t Hp = state_.config.padded(H), Wp = state_.config.padded(W);
    const auto image = [&](index_t h, index_t w) { return array_view<T, 4>(a.take<T>(B * h * w * C), B, h, w, C); };
    blocks_.carve(a, size(), options_.optimiser.average > 0);
    keep_ = a.take<T>(network_.branches() * B);
    mask_ = array_view<T, 3>(a.take<T>(B * Hp * Wp), B, Hp, Wp);
    operands_.stages = static_cast<std::size_t>(state_.config.stages);
    operands_.estimate = image(H, W);
    operands_.destimate = image(H, W);
    for (std::size_t k = 0; k <= operands_.stages; ++k) operands_.memory[k] = image(Hp, Wp);
    sums_memory_ = a.take<double>(static_cast<index_t>(sums_.size()));
    if (storage<Backend>::remote) scratch_ = a.take<double>(loss_scratch);
    samples_.carve(a, B, H, W, C);
    network_.carve(a);
    for (std::size_t k = 0; k < operands_.stages; ++k) operands_.pins[k] = network_.pin(static_cast<int>(k));
  }

  index_t size() const { return manifest_.size; }
  index_t blocks() const {
    const auto first = state_.config.depths.begin();
    return std::accumulate(first, first + state_.config.stages, index_t{0});
  }
  bool fits(const batch<T>& s) const {
    const auto& image = operands_.estimate.extents();
    return s.input.extents() == image && s.truth.extents() == image &&
           s.mask.extents() == std::array<index_t, 3>{options_.batch, options_.height, options_.width};
  }

  /// What the work reads.
  void place(const batch<T>& samples) {
    assert(fits(samples));
    blocks_.send(backend_, state_);
    samples_.place(backend_, samples);
    operands_.truth = samples_.truth, operands_.mask = samples_.mask;
  }

  void forward(const T* keep) {
    pad_images(backend_, mask_.data(), operands_.mask.data(),
               pad_sizes{options_.batch, options_.height, options_.width, mask_.extent(1), mask_.extent(2), 1});
    network_.forward(operands_.estimate, samples_.input, mask_, blocks_.parameters, keep);
  }

  Backend backend_;
  trainer_options options_;
  unmask::manifest manifest_;
  network network_;
  typename storage<Backend>::block block_;
  std::size_t bytes_ = 0;
  training_state<T> state_;
  trained_blocks<T, Backend> blocks_;
  T* keep_ = nullptr;
  std::vector<T> keep_host_;
  array_view<T, 3> mask_;
  placed_batch<T, Backend> samples_;
  loss_operands<T> operands_;
  double *sums_memory_ = nullptr, *scratch_ = nullptr;
  std::array<double, 3> sums_{};  ///< auxiliary loss, the rest of it, square of the gradient's norm
  recording<Backend> recorded_;
  loss_spec recorded_spec_;
  std::uintptr_t recorded_generation_ = 0;
  shown_images<T, Backend> shown_;
};

}  // namespace unmask::inline UNMASK_ABI::train
