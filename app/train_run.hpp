#pragma once

/// A training from its options to its report, on any backend: train.cpp compiles it for cpu, device_cuda.cpp for cuda.

#include "reports.hpp"
#include "train_parts.hpp"
#include "train_ranks.hpp"
#include "training.hpp"

namespace program {

/// A run's model with what was learnt.
inline unmask::model finished(unmask::model m, std::span<const float> parameters,
                              std::map<std::string, std::string> card) {
  m.parameters.assign(parameters.begin(), parameters.end());
  m.card = std::move(card);
  return m;
}

/// Log, best weights and curves while `fit` runs. The first file that cannot be written ends the training.
template <class Trainer>
struct run_observer : training_observer {
  run_log& log;
  const Trainer& net;
  const train_config& config;
  const unmask::model& learned;  ///< all of it but parameters and card
  const unmask::train::stage_plan& plan;
  const run_folder& run;
  result<> status{};

  run_observer(run_log& l, const Trainer& n, const train_config& c, const unmask::model& m,
               const unmask::train::stage_plan& p, const run_folder& r)
      : training_observer(p.steps(), n.state().step), log(l), net(n), config(c), learned(m), plan(p), run(r) {}

  bool on_step(const unmask::train::step_report& r, unmask::train::stage s) {
    log.add(r, s);
    note(log.status());
    return training_observer::on_step(r, s) && status;
  }
  void on_validation(index_t step, const unmask::train::validation_report& r, bool best) {
    training_observer::on_validation(step, r, best);
    log.add(step, r, best);
    if (best)
      note(unmask::io::write_weights(run / "best.safetensors",
                                     finished(learned, net.inference_parameters(), card_of(config, step, r.psnr))));
  }
  void on_checkpoint(index_t, const std::string&) {
    note(write_curves(run.path, net.state().losses, plan, log.validations()));
  }
  void note(const result<>& r) {
    if (status) status = r;
  }
};

/// The folder, the stored configuration and a checkpoint of step 0: a disk that cannot hold the run is found before the
/// first step, and a training that is killed at any later moment can be resumed.
template <class Trainer>
result<> begin_run(const run_folder& run, const train_config& config, Trainer& net) {
  std::error_code failure;
  fs::create_directories(run.path, failure);
  if (failure) return error(errc::not_writable, run.path + ": cannot make the folder (" + failure.message() + ")");
  for (const char* name : run_files)
    if (std::string_view(name) != "config.json") fs::remove(run / name, failure);
  if (auto ok = unmask::io::write_file(run / "config.json", unmask::io::json_text(to_json(config), 2) + "\n"); !ok)
    return ok;
  return unmask::train::save_checkpoint(run.checkpoint(), net.state());
}

template <class Trainer>
result<> continue_run(const context& c, const run_folder& run, Trainer& net) {
  const auto resumed = unmask::train::resume_checkpoint(run.checkpoint(), net.state());
  // Killed between the two files of begin_run: nothing was learned yet.
  if (!resumed && resumed.error().code() == errc::not_found && !fs::exists(run / "log.jsonl"))
    return unmask::train::save_checkpoint(run.checkpoint(), net.state());
  if (!resumed) return resumed.error();
  if (!resumed->warning.empty()) std::fprintf(stderr, "unmask: %s\n", resumed->warning.c_str());
  c.say("resumed at step %td from %s\n", net.state().step, resumed->path.c_str());
  return {};
}

template <class Trainer>
result<> write_run_report(const context& c, const train_config& config, unmask::model weights, const Trainer& net,
                          const unmask::train::stage_plan& plan, const run_log& log, const training_data& data,
                          const run_folder& run) {
  weights.direction = dispersion_direction::right;  // as the scenes and masks of `data` are turned
  const scene& s = data.validation.empty() ? data.training.front() : data.validation.front();
  const auto mask = mask_for(data.masks.front(), s.cube.extent(0), s.cube.extent(1), config.mask.front());
  if (!mask) return mask.error();
  auto camera = unmask::optics::camera::create(mask->view(), s.cube.extent(2), config.step);
  if (!camera) return camera.error();
  if (auto ok = camera->check(s.cube.extents()); !ok) return ok;
  snapshot shot{tensor<float, 2>(camera->geometry().measurement_extents()), std::move(*camera)};
  shot.camera.forward(c.backend(), shot.measurement.view(), s.cube.view());
  const auto loss = loss_of(config);
  if (!loss) return loss.error();
  auto steps = run_steps(c, shot, weights.initial);
  if (!steps) return steps.error();
  auto e = run_method(c, shot, weights);
  if (!e) return e.error();
  const auto aux = view_auxiliary(c, weights, shot, s.cube, loss->aware);
  if (!aux) return aux.error();
  report_builder report("Training: " + s.name, s.wavelengths, shot);
  for (auto& step : *steps) report.add(std::move(step));
  report.add(std::move(*e));
  if (auto ok = report.compare(s.cube); !ok) return ok;
  add_training(report, net.state().losses, plan, *aux);
  c.say("auxiliary output against F': PSNR %.2f dB\n", aux->psnr);
  for (const auto& [name, q] : report.qualities)
    c.say("%-16s PSNR %.2f dB, SSIM %.3f, SAM %.2f deg (%s, %s)\n", name.c_str(), q.all.psnr, q.all.ssim, q.all.sam,
          s.name.c_str(), report.input.scores.definition.c_str());
  if (config.dispersion != "right") report.fact("Pictures", "turned so that bands land to the right");
  if (!log.validations().empty()) report.fact("Best validation", std::to_string(net.state().best_psnr) + " dB");
  return report.write(run / "report.html");
}

/// What ships: the best by validation, or the last where there was none; then the page about it.
template <class Trainer>
result<> finish_run(const context& c, const train_config& config, const Trainer& net,
                    const run_observer<Trainer>& observer, const run_log& log, const training_data& data) {
  const run_folder& run = observer.run;
  const auto& plan = observer.plan;
  const auto& state = net.state();
  const std::string path = run / "weights.safetensors", best = run / "best.safetensors";
  auto weights = state.best_step >= 0 ? unmask::io::read_weights(best)
                                      : result<unmask::model>(finished(observer.learned, net.inference_parameters(),
                                                                       card_of(config, state.step, state.best_psnr)));
  if (!weights) return weights.error();
  if (auto ok = unmask::io::write_weights(path, *weights); !ok) return ok;
  if (auto ok = write_curves(run.path, state.losses, plan, log.validations()); !ok) return ok;
  c.say("%s written\n", path.c_str());
  if (auto ok = write_run_report(c, config, *weights, net, plan, log, data, run); !ok) return ok;
  nlohmann::json j{{"out", run.path}, {"steps", state.step}, {"weights", path}, {"psnr", nullptr}};
  for (const auto& v : log.validations())
    if (v.step == state.best_step) {
      j["psnr"] = v.psnr;
      j["best_step"] = v.step;
      if (v.hidden) j["hidden"] = *v.hidden;
      if (v.open) j["open"] = *v.open;
    }
  j["seconds"] = log.seconds();
  c.print(j);
  return {};
}

/// Where the training begins, on every rank; only the first one writes.
template <class Backend>
result<> start_training(const context& c, const train_options& o, const run_folder& run,
                        training_parts<Backend>& parts) {
  result<> begun;
  if (c.ranks->first()) begun = o.resume ? continue_run(c, run, parts.net) : begin_run(run, parts.config, parts.net);
  if (auto ok = agree(c, begun); !ok) return ok;  // what the first one has written is there
  if (c.ranks->size() == 1) return {};
  if (o.resume && !c.ranks->first())
    if (auto resumed = unmask::train::resume_checkpoint(run.checkpoint(), parts.net.state()); !resumed)
      begun = resumed.error();
  if (auto ok = agree(c, begun); !ok) return ok;
  return agree(c, same_start(c.ranks->gather(start_of(parts.config, parts.data, parts.net).dump())));
}

template <class Backend>
result<> train_on(const Backend& be, const context& c, const train_options& o) {
  const run_folder run{o.out};
  auto parts = prepare_training(be, c, o, run);
  if (auto ok = agree_on(c, parts); !ok) return ok;
  const auto& config = parts->config;  // no structured binding: clang 14 captures none
  const auto& plan = parts->plan;
  const auto& data = parts->data;
  const auto& validation = parts->validation;
  auto& net = parts->net;
  if (auto ok = start_training(c, o, run, *parts); !ok) return ok;
  c.say("%zu training scenes, %zu for validation, %zu parameters, %.0f MB, %td steps (%s)\n", data.training.size(),
        data.validation.size(), net.parameters().size(), static_cast<double>(net.bytes()) / 1e6, plan.steps(),
        config.stages.c_str());

  const unmask::train::fit_options options{.plan = plan,
                                           .loss = parts->loss,
                                           .checkpoint = c.ranks->first() ? run.checkpoint() : "",
                                           .checkpoint_every = config.checkpoint_every,
                                           .validation = validation ? &*validation : nullptr,
                                           .validate_every = config.validate_every,
                                           .patience = config.patience};
  const auto run_fit = [&](auto& observer) {
    const double waited = c.ranks->waited();
    const index_t first = net.state().step;
    const auto start = std::chrono::steady_clock::now();
    auto end = std::visit([&](auto& s) { return unmask::train::fit(net, s, options, observer); }, parts->source);
    c.settled = !end && end.error().code() != errc::not_writable;  // only the first rank writes
    if (end) say_waiting(c, net.state().step - first, c.ranks->waited() - waited, seconds_since(start));
    return end;
  };
  if (!c.ranks->first()) {
    silent_observer observer;
    const auto end = run_fit(observer);
    return end ? result<>() : result<>(end.error());
  }
  auto log = run_log::open(run / "log.jsonl", net.state().step);
  if (!log) return log.error();
  run_observer observer(*log, net, config, parts->learned, plan, run);
  const auto end = run_fit(observer);
  if (!end) return end.error();
  if (!observer.status) return observer.status;
  if (*end == unmask::train::fit_end::stopped) {
    c.say("stopped at step %td; `--resume` continues\n", net.state().step);
    return {};
  }
  return finish_run(c, config, net, observer, *log, data);
}

}  // namespace program
