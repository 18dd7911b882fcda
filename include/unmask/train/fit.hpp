#pragma once

/// The training loop: samples, steps, validation, checkpoints. It starts at the trainer's step, so a resumed trainer
/// goes on where it was; whatever happens at a step depends on its number alone.

#include <string>
#include <utility>

#include "numerical_watch.hpp"
#include "validation.hpp"

namespace unmask::inline UNMASK_ABI::train {

struct fit_options {
  stage_plan plan{};
  loss_spec loss{};                            ///< its kind comes from the plan
  std::string checkpoint{};                    ///< path of the last checkpoint; empty: none
  index_t checkpoint_every = 500;              ///< steps
  const validation_set* validation = nullptr;  ///< none
  index_t validate_every = 1000;               ///< steps; after the last one too
  index_t patience = 0;                        ///< stop early after so many steps without a better PSNR; 0: never
};

inline result<> check(const fit_options& o) {
  if (o.plan.steps() < 1) return error(errc::bad_argument, "fit: the plan has no steps, expected at least one");
  const std::pair<const char*, index_t> intervals[] = {{"checkpoint_every", o.checkpoint_every},
                                                       {"validate_every", o.validate_every}};
  for (const auto& [name, n] : intervals)
    if (n < 1)
      return error(errc::bad_argument, "fit: " + std::string(name) + " is " + std::to_string(n) + ", expected >= 1");
  if (o.patience < 0) return error(errc::bad_argument, "fit: patience is negative, expected >= 0");
  return check(o.loss);
}

/// What a caller may want to hear; derive and hide what you need (no virtual calls: `fit` knows the type).
struct fit_observer {
  /// After every step; false stops after a last checkpoint (a signal, a time limit).
  bool on_step(const step_report&, stage) { return true; }
  /// Before `on_step`, after the first of some steps in a row that changed nothing: "step 812: gradient of NAME".
  void on_lost_step(const std::string& /*where*/) {}
  /// `best`: the best so far, the moment to store the weights.
  void on_validation(index_t /*step*/, const validation_report&, bool /*best*/) {}
  void on_checkpoint(index_t /*step*/, const std::string& /*path*/) {}
};

enum class fit_end { finished, stopped, patience };

/// Steps in a row without a finite loss and gradient after which a training counts as diverged: such a step changes
/// nothing, so only another sample can help, and ten did not.
inline constexpr int hopeless_steps = 10;

namespace detail {

/// What was not finite first and where: each rank looks at its own samples, and the first in the order of computing
/// counts.
template <Model N>
std::string lost_where(const trainer<N>& net, const batch<typename N::value_type>& samples, communicator& ranks) {
  const auto found = ranks.gather(first_not_finite(net, samples));
  const auto order = [](const std::string& what) {
    for (const auto& [name, place] : {std::pair{"sample", 0}, {"parameter", 1}, {"the network", 2}, {"loss", 3}})
      if (what.starts_with(name)) return place;
    return 4;
  };
  std::size_t r = 0;
  for (std::size_t k = 1; k < found.size(); ++k)
    if (order(found[k]) < order(found[r])) r = k;
  return found.size() > 1 ? found[r] + " of rank " + std::to_string(r) : found[r];
}

}  // namespace detail

/// `source`: a sample_source or an estimated_source. Where the trainer has ranks, each of them calls it; only those
/// with a `checkpoint` store any, and it ends for all where one observer says so.
/// Errors: options, a source that does not fit the trainer, a checkpoint that cannot be written, numbers that are no
/// longer finite
/// (`not_finite`, with step and place).
template <Model N, class Source, class Observer>
result<fit_end> fit(trainer<N>& net, Source&& source, const fit_options& options, Observer&& observer) {
  if (auto ok = check(options); !ok) return ok.error();
  const sample_options& samples = source.options();
  const trainer_options& planned = net.options();
  if (samples.batch != planned.batch || samples.height != planned.height || samples.width != planned.width)
    return error(errc::wrong_shape, "fit: the samples' batch and crop differ from the trainer's");
  if (source.bands() != net.config().bands)
    return error(errc::wrong_shape, "fit: scenes have " + std::to_string(source.bands()) + " bands, expected " +
                                        std::to_string(net.config().bands));
  auto& state = net.state();
  const index_t steps = options.plan.steps();
  communicator& ranks = planned.ranks ? *planned.ranks : alone();
  auto samples_of_step = source.template make_batch<typename N::value_type>(net.share().count);
  if (samples_of_step.input.extent(3) != input_channels(net.config()))
    return error(errc::wrong_shape, "fit: samples have inputs of " + std::to_string(samples_of_step.input.extent(3)) +
                                        " channels, expected " + std::to_string(input_channels(net.config())));
  loss_spec spec = options.loss;
  int wasted = 0;
  const auto save = [&]() -> result<> {
    if (options.checkpoint.empty()) return {};
    if (auto ok = save_checkpoint(options.checkpoint, std::as_const(net).state()); !ok) return ok;
    observer.on_checkpoint(state.step, options.checkpoint);
    return {};
  };
  const auto validation_due = [&] {
    return options.validation && state.step > 0 && (state.step % options.validate_every == 0 || state.step == steps);
  };
  const auto impatient = [&] {
    return options.patience > 0 && validation_due() && state.step - state.best_step >= options.patience;
  };
  if (impatient()) return fit_end::patience;  // so did the training that is resumed here
  while (state.step < steps) {
    spec.kind = options.plan.at(state.step);
    source.fill(host_of(net.backend()), samples_of_step, planned.seed, state.step, net.share().first);
    const step_report report = net.step(samples_of_step, spec);
    if (auto ok = finish(net.backend()); !ok) return ok.error();
    wasted = report.updated ? 0 : wasted + 1;
    std::string where;
    if (wasted == 1 || wasted == hopeless_steps)
      where = "step " + std::to_string(report.step) + ": " + detail::lost_where(net, samples_of_step, ranks);
    if (wasted == 1) observer.on_lost_step(where);
    if (wasted == hopeless_steps)
      return error(errc::not_finite, "training " + where + " is NaN or infinite, the last " +
                                         std::to_string(hopeless_steps) + " steps were lost");
    const bool go_on = ranks.all(observer.on_step(report, spec.kind));
    if (validation_due()) {
      const auto quality = validate<N>(net.backend(), net.config(), net.inference_parameters(), *options.validation);
      if (!quality)
        return error(quality.error().code(),
                     "training step " + std::to_string(report.step) + ": " + quality.error().message());
      const bool best = quality->psnr > state.best_psnr;
      if (best) state.best_psnr = quality->psnr, state.best_step = state.step;
      observer.on_validation(state.step, *quality, best);
    }
    if (state.step % options.checkpoint_every == 0 || state.step == steps || !go_on || impatient())
      if (auto ok = save(); !ok) return ok.error();
    if (!go_on) return fit_end::stopped;
    if (impatient()) return fit_end::patience;
  }
  return fit_end::finished;
}

}  // namespace unmask::inline UNMASK_ABI::train
