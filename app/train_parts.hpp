#pragma once

/// A training before its first step: options and files become everything that it needs, and nothing is written.

#include "ranks.hpp"
#include "train_loss.hpp"
#include "train_setup.hpp"

namespace program {

/// Every file that a run may have left, which a new one replaces.
inline constexpr const char* run_files[] = {
    "config.json", "last.ckpt", "last.ckpt.previous", "best.safetensors", "weights.safetensors",
    "log.jsonl",   "loss.svg",  "psnr.svg",           "psnr_time.svg",    "report.html"};

/// A folder without a training's configuration may hold files of these names that are somebody's own.
inline result<> check_run_folder(const run_folder& run) {
  const auto config = read_json_object(run / "config.json");
  if (config && config->contains("network") && config->contains("stages")) return {};
  for (const char* name : run_files)
    if (fs::exists(run / name))
      return error(errc::bad_argument,
                   run / name + std::string(": is there, in a folder without a training; it would be "
                                            "lost (--force starts all the same)"));
  return {};
}

/// Before a training begins or goes on.
inline result<> check_run(const train_options& o, const run_folder& run) {
  if (o.resume || o.force) return {};
  if (fs::exists(run.checkpoint()))
    return error(errc::bad_argument,
                 o.out + ": holds a training already (--resume continues it, --force starts afresh)");
  return check_run_folder(run);
}

/// Whether the best weights so far of a run that goes on are for these scenes. A file that is not there or damaged is
/// found when it is needed.
inline result<> fits_best(const run_folder& run, const unmask::model_use& use) {
  const std::string best = run / "best.safetensors";
  const auto m = unmask::io::read_weights(best);
  return m ? fits(*m, use, best) : result<>();
}

/// What a training needs, before anything is written.
template <class Backend>
struct training_parts {
  using trainer_type = unmask::train::trainer<unmask::s2_network<float, Backend>>;
  train_config config;
  unmask::train::stage_plan plan;
  unmask::train::loss_spec loss;
  training_data data;
  unmask::model learned;
  sample_source source;
  std::optional<unmask::train::validation_set> validation;
  trainer_type net;
};

/// `be` is where the network learns; everything else is the host's.
template <class Backend>
result<training_parts<Backend>> prepare_training(const Backend& be, const context& c, const train_options& o,
                                                 const run_folder& run) {
  if (auto ok = check_run(o, run); !ok) return ok.error();
  auto setup = configure(c, o, run);
  if (!setup) return setup.error();
  train_config& config = setup->config;
  const auto& from = setup->from;
  auto plan = unmask::train::parse_stages(config.stages);
  if (!plan) return plan.error();
  const auto loss = loss_of(config);
  if (!loss) return loss.error();
  const auto samples = sample_options_of(config);
  if (!samples) return samples.error();
  auto data = read_data(config, o.untrusted);
  if (!data) return data.error();
  for (const auto* scenes : {&data->training, &data->validation})
    for (const scene& s : *scenes) say_notes(c, s.notes);
  const auto bands = static_cast<int>(data->training.front().cube.extent(2));
  const auto wavelengths = wavelengths_of(*data);
  const unmask::model_use use{bands, config.step, *unmask::dispersion_by_name(config.dispersion), wavelengths};
  if (from)
    if (auto ok = fits(*from, use, config.from); !ok) return ok.error();
  if (auto ok = o.resume ? fits_best(run, use) : result<>(); !ok) return ok.error();
  config.network.bands = bands;
  if (auto ok = learn_basis(config, data->training); !ok) return ok.error();
  auto learned = model_of(config, *data);
  if (!learned) return learned.error();
  auto source = source_of(config, *data, *samples, learned->initial);
  if (!source) return source.error();
  auto validation = validation_of(c, config, *data, learned->initial);
  if (!validation) return validation.error();
  auto options = trainer_options_of(config, plan->steps());
  options.ranks = c.ranks;
  auto net = training_parts<Backend>::trainer_type::create(be, config.network, options);
  if (!net) return net.error();
  if (from)
    if (auto ok = net->start_from(from->parameters); !ok) return ok.error();
  return training_parts<Backend>{std::move(config),      std::move(*plan),    *loss,
                                 std::move(*data),       std::move(*learned), std::move(*source),
                                 std::move(*validation), std::move(*net)};
}

}  // namespace program
