#pragma once

/// A trainer owns parameters, gradients, optimiser state and the network's plan in one memory block; a step takes a
/// batch and a loss, and no heap. The bits of a training depend on configuration, options, samples and losses only, not
/// on the number of threads and not on where it was interrupted. On a device a step waits for it once, to learn whether
/// loss and gradient are finite; a device's error ends in a report of NaN and in `finish(backend)`.
///
/// A step is `differentiate`, then `apply_update`; in between `gradients` may be replaced, by their mean over several
/// machines for instance. Functions are defined outside the class: one file of a program can instantiate them for all.

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "../core/finite.hpp"
#include "../core/recording.hpp"
#include "../models/s2_network.hpp"
#include "by_sample.hpp"
#include "drop_path.hpp"
#include "trainer_report.hpp"

namespace unmask::inline UNMASK_ABI::train {

template <Model N>
class trainer {
 public:
  using T = typename N::value_type;
  using Backend = typename N::backend_type;
  using config_type = typename N::config_type;
  using state_type = training_state<T, config_type>;

  /// Errors name the option that contradicts; a device may have too little memory.
  static result<trainer> create(Backend, const config_type&, const trainer_options&);

  /// One step on a batch of the planned size; another size changes nothing and reports a loss of NaN.
  step_report step(const batch<T>& samples, const loss_spec& spec) noexcept;

  /// The loss of a batch of the planned size, with its gradient left in `gradients()`: a step without the update.
  /// Branches drop as in the step that comes next.
  batch_loss differentiate(const batch<T>& samples, const loss_spec& spec) noexcept;
  /// In place of what `differentiate` left, as many numbers.
  void replace_gradients(std::span<const T> values) noexcept;
  /// The rest of a step: clips, updates and counts. `loss`: what `differentiate` returned, or its mean.
  step_report apply_update(const batch_loss& loss) noexcept;

  /// The samples of a batch that this rank's `samples` have: all of them, unless it shares them with other ranks.
  sample_range share() const { return options_.by_sample ? by_sample_.share() : sample_range{0, options_.batch}; }

  /// All branches kept, as in inference; afterwards `estimate()` and `pin()` belong to this batch. By sample: to
  /// its first sample.
  void predict(const batch<T>& samples) noexcept;
  array_view<const T, 4> estimate() const { return shown_.show(backend_, pass_.operands.estimate, max_pins); }
  array_view<const T, 4> pin(int stage) const {
    return shown_.show(backend_, pass_.network.pin(stage), static_cast<std::size_t>(stage));
  }

  const trainer_options& options() const { return options_; }
  const config_type& config() const { return state_.config; }
  const Backend& backend() const { return backend_; }
  const unmask::manifest& manifest() const { return manifest_; }
  std::size_t bytes() const { return block_.bytes(); }

  /// Step number, weights, optimiser state and history: what a checkpoint stores. On a device the blocks of numbers are
  /// a copy that belongs to the moment of the call; changes count until the next step.
  state_type& state() {
    pass_.blocks.fetch(backend_, state_, true);
    return state_;
  }
  const state_type& state() const {
    pass_.blocks.fetch(backend_, state_, false);
    return state_;
  }
  std::span<const T> parameters() const { return state().parameters; }
  std::span<const T> gradients() const { return pass_.blocks.fetch_gradients(backend_); }
  /// The weights to use: averaged where the optimiser keeps an average.
  std::span<const T> inference_parameters() const {
    const state_type& s = state();
    return s.average.empty() ? s.parameters : s.average;
  }

  /// Starts from these weights (fine-tuning); the optimiser starts afresh.
  result<> start_from(std::span<const T> parameters);

 private:
  trainer(Backend, const config_type&, const trainer_options&);
  result<> allocate();
  void carve(arena&);
  void place(const batch<T>&);
  void learn_sums();  ///< waits for the device
  index_t size() const { return manifest_.size; }

  Backend backend_;
  trainer_options options_;
  unmask::manifest manifest_;
  typename storage<Backend>::block block_;
  state_type state_;
  training_pass<N> pass_;
  by_sample<N> by_sample_;
  std::vector<T> keep_host_;
  std::array<double, 3> sums_{};  ///< pass_.sums, as the host knows them
  recording<Backend> recorded_;
  loss_spec recorded_spec_;
  std::uintptr_t recorded_generation_ = 0;
  shown_images<T, Backend> shown_;
};

template <Model N>
trainer<N>::trainer(Backend backend, const config_type& config, const trainer_options& options)
    : backend_(backend),
      options_(options),
      manifest_(N::manifest(config)),
      pass_(backend, config, options),
      by_sample_(options, manifest_.size) {
  state_.architecture = N::architecture;
  state_.config = config;
  state_.batch = options.batch, state_.height = options.height, state_.width = options.width;
  state_.seed = options.seed;
  // A step must not allocate: the history has room for the planned steps, and doubles after them.
  state_.losses.reserve(static_cast<std::size_t>(std::clamp<index_t>(options.schedule.steps, 16, 1 << 24)));
  keep_host_.resize(static_cast<std::size_t>(pass_.network.branches() * options.batch));
}

template <Model N>
auto trainer<N>::create(Backend backend, const config_type& config, const trainer_options& options) -> result<trainer> {
  if (auto ok = N::check(config); !ok) return ok.error();
  if (auto ok = check(options); !ok) return ok.error();
  if (storage<Backend>::remote && options.by_sample)
    return error(errc::bad_argument, "trainer: by_sample is for the host, not for a device");
  trainer t(backend, config, options);
  if (t.pass_.network.stages() < 1 || t.pass_.network.stages() > max_pins)
    return error(errc::bad_argument, "trainer: the network has " + std::to_string(t.pass_.network.stages()) +
                                         " auxiliary predictions, expected 1.." + std::to_string(max_pins));
  if (auto ok = t.allocate(); !ok) return ok.error();
  return result<trainer>(std::move(t));
}

template <Model N>
void trainer<N>::carve(arena& a) {
  pass_.carve(a);
  a.release(a.peak());  // what follows stays beside the network's scratch
  if (options_.by_sample) by_sample_.carve(a, pass_);
}

template <Model N>
result<> trainer<N>::allocate() {
  arena measure;
  carve(measure);
  auto block = storage<Backend>::allocate(backend_, measure.peak());
  if (!block) return block.error();
  block_ = std::move(*block);
  arena memory(block_.data(), block_.bytes());
  carve(memory);
  pass_.blocks.show(state_);
  start_afresh<N>(state_, manifest_, options_);
  return {};
}

template <Model N>
step_report trainer<N>::step(const batch<T>& samples, const loss_spec& spec) noexcept {
  if (!pass_.fits(samples, share().count))
    return {.step = state_.step, .learning_rate = options_.schedule(state_.step)};
  return apply_update(differentiate(samples, spec));
}

template <Model N>
batch_loss trainer<N>::differentiate(const batch<T>& samples, const loss_spec& spec) noexcept {
  const bool drops = options_.drop_path > 0;
  if (drops)
    draw_keep(keep_host_.data(), pass_.network.branches(), options_.batch, pass_.network.blocks(), options_.drop_path,
              options_.seed, state_.step);
  if constexpr (!storage<Backend>::remote)
    if (options_.by_sample) {
      const batch_loss loss = by_sample_.differentiate(pass_, samples, spec, drops ? keep_host_.data() : nullptr);
      learn_sums();
      return loss;
    }
  if (drops) upload(backend_, pass_.keep, keep_host_.data(), static_cast<index_t>(keep_host_.size()));
  place(samples);
  if (!(spec == recorded_spec_)) recorded_spec_ = spec, ++recorded_generation_;
  const T* keep = drops ? pass_.keep : nullptr;
  // on a host the batch may lie elsewhere each time; what a device has recorded reads its own copy
  recorded_.run(backend_, {address(pass_.samples.input.data()), address(keep), recorded_generation_},
                [&] { pass_.differentiate(spec, keep); });
  learn_sums();
  return {sums_[0] + sums_[1], sums_[0]};
}

template <Model N>
void trainer<N>::place(const batch<T>& samples) {
  pass_.blocks.send(backend_, state_);
  if (options_.by_sample) return pass_.place_sample(samples, 0);
  assert(pass_.fits(samples, options_.batch));
  pass_.place(samples);
}

template <Model N>
void trainer<N>::learn_sums() {
  sums_.fill(std::numeric_limits<double>::quiet_NaN());
  download(backend_, sums_.data(), pass_.sums, static_cast<index_t>(sums_.size()));
}

template <Model N>
void trainer<N>::replace_gradients(std::span<const T> values) noexcept {
  assert(static_cast<index_t>(values.size()) == size());
  upload(backend_, pass_.blocks.gradients, values.data(), size());
  pass_.measure_gradient();
  learn_sums();
}

template <Model N>
step_report trainer<N>::apply_update(const batch_loss& loss) noexcept {
  step_report report{.step = state_.step,
                     .loss = loss.value,
                     .encoding = loss.encoding,
                     .gradient_norm = std::sqrt(sums_[2]),
                     .learning_rate = options_.schedule(state_.step)};
  if (is_finite(report.loss) && is_finite(report.gradient_norm)) {
    auto& b = pass_.blocks;
    adamw_step<T>(backend_, options_.optimiser,
                  {report.learning_rate, ++state_.updates, clip_factor(report.gradient_norm, options_.optimiser.clip)},
                  b.parameters, b.gradients, b.moments, size());
    b.changed();
    report.updated = true;
  }
  state_.losses.push_back(static_cast<float>(report.loss));
  ++state_.step;
  return report;
}

template <Model N>
void trainer<N>::predict(const batch<T>& samples) noexcept {
  place(samples);
  pass_.forward(nullptr);
}

template <Model N>
result<> trainer<N>::start_from(std::span<const T> parameters) {
  if (parameters.size() != state_.parameters.size())
    return error(errc::wrong_shape, "trainer: found " + std::to_string(parameters.size()) + " parameters, expected " +
                                        std::to_string(state_.parameters.size()));
  start_with(state(), parameters);  // a device's blocks are now the host's to change
  return {};
}

}  // namespace unmask::inline UNMASK_ABI::train
