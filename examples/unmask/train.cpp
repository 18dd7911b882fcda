/// unmask train: a network for one mask from a folder of cubes. RUN gets config.json, log.jsonl, last.ckpt,
/// weights.safetensors and report.html.

#include <unmask/io/atomic_file.hpp>

#include "reports.hpp"
#include "scene_files.hpp"
#include "training.hpp"

namespace program {

namespace {

struct train_options {
  std::string data, mask, out, config, stages, noise;
  std::vector<std::string> validation;
  bool resume = false, force = false;
};

struct split_scenes {
  std::vector<scene> training, validation;
};

result<split_scenes> split(std::vector<scene> all, const std::vector<std::string>& names, const std::string& folder) {
  split_scenes s;
  for (const auto& name : names)
    if (std::none_of(all.begin(), all.end(), [&](const scene& x) { return x.name == name; }))
      return error(errc::not_found, folder + ": no scene '" + name + "' to validate on");
  for (auto& x : all)
    (std::find(names.begin(), names.end(), x.name) != names.end() ? s.validation : s.training).push_back(std::move(x));
  if (s.training.empty())
    return error(errc::bad_argument, folder + ": every scene is kept for validation, none is left to train on");
  return s;
}

std::vector<tensor<float, 3>> cubes(const std::vector<scene>& scenes) {
  std::vector<tensor<float, 3>> list;
  for (const auto& s : scenes) list.push_back(s.cube);
  return list;
}

result<> write_run_report(const context& c, const train_config& config, const trainer& net,
                          const training_observer& observer, const split_scenes& scenes,
                          const tensor<float, 2>& whole_mask, const std::string& folder) {
  const scene& s = scenes.validation.empty() ? scenes.training.front() : scenes.validation.front();
  const auto mask = mask_for(whole_mask, s.cube.extent(0), s.cube.extent(1), "mask");
  if (!mask) return mask.error();
  const auto g = unmask::optics::check_cassi(s.cube.extents(), mask->extents(), config.step);
  if (!g) return g.error();
  snapshot shot{tensor<float, 2>({g->height, g->measurement_width()}), *mask, *g};
  unmask::optics::cassi_forward(c.backend(), shot.measurement.view(), s.cube.view(), mask->view(), config.step);
  const auto loss = loss_of(config);
  if (!loss) return loss.error();
  const std::vector<float> parameters(net.inference_parameters().begin(), net.inference_parameters().end());
  auto e = run_network(c, shot, {net.config(), parameters, {}});
  if (!e) return e.error();
  const auto aux = view_auxiliary(c, net.config(), parameters, shot, s.cube, loss->aware);
  if (!aux) return aux.error();
  report_builder report("Training: " + s.name, s.wavelengths, shot);
  report.add({"HM input", network_input(c, shot), 0, 0});
  report.add(run_gap_tv(c, shot));
  report.add(std::move(*e));
  if (auto ok = report.compare(s.cube); !ok) return ok;
  add_training(report, net.state().losses, *aux);
  c.say("auxiliary output against F': PSNR %.2f dB\n", aux->psnr);
  for (const auto& [name, q] : report.qualities)
    c.say("%-16s PSNR %.2f dB, SSIM %.3f, SAM %.2f deg (%s, %s)\n", name.c_str(), q.all.psnr, q.all.ssim, q.all.sam,
          s.name.c_str(), report.input.scores.definition.c_str());
  if (!observer.psnrs.empty()) report.fact("Last validation", std::to_string(observer.psnrs.back()) + " dB");
  return report.write(folder + "/report.html");
}

result<> train(const context& c, const train_options& o) {
  namespace fs = std::filesystem;
  const std::string stored = o.out + "/config.json", checkpoint = o.out + "/last.ckpt";
  train_config config;
  config.seed = c.seed;
  if (o.resume) {
    if (!fs::exists(stored)) return error(errc::not_found, stored + ": nothing to resume here");
    if (auto ok = read_train_config(stored, config); !ok) return ok;
  } else {
    if (fs::exists(checkpoint) && !o.force)
      return error(errc::bad_argument,
                   o.out + ": holds a training already (--resume continues it, --force starts afresh)");
    if (!o.config.empty())
      if (auto ok = read_train_config(o.config, config); !ok) return ok;
    if (!o.stages.empty()) config.stages = o.stages;
    if (!o.noise.empty()) config.noise = o.noise;
    if (!o.validation.empty()) config.validation = o.validation;
  }
  const auto plan = unmask::train::parse_stages(config.stages);
  if (!plan) return plan.error();
  const auto loss = loss_of(config);
  if (!loss) return loss.error();
  const auto samples = sample_options_of(config);
  if (!samples) return samples.error();
  auto mask = unmask::io::read_mask(unmask::io::parse_source(o.mask));
  if (!mask) return mask.error();
  auto all = read_scenes(o.data, config.bands);
  if (!all) return all.error();
  auto scenes = split(std::move(*all), config.validation, o.data);
  if (!scenes) return scenes.error();
  config.network.bands = static_cast<int>(scenes->training.front().cube.extent(2));
  const auto source = unmask::train::sample_source::create(cubes(scenes->training), {*mask}, *samples);
  if (!source) return source.error();
  std::optional<unmask::train::validation_set> validation;
  if (!scenes->validation.empty()) {
    auto set = unmask::train::validation_set::create(cubes(scenes->validation), *mask, config.step);
    if (!set) return set.error();
    validation = std::move(*set);
  }
  auto net = trainer::create(c.backend(), config.network, trainer_options_of(config, plan->steps()));
  if (!net) return net.error();
  std::error_code failure;
  fs::create_directories(o.out, failure);
  if (failure) return error(errc::not_writable, o.out + ": cannot make the folder (" + failure.message() + ")");
  if (o.resume) {
    const auto resumed = unmask::train::resume_checkpoint(checkpoint, net->state());
    if (!resumed) return resumed.error();
    if (!resumed->warning.empty()) std::fprintf(stderr, "unmask: %s\n", resumed->warning.c_str());
    c.say("resumed at step %td from %s\n", net->state().step, resumed->path.c_str());
  } else if (auto ok = unmask::io::write_file(stored, to_json(config).dump(2) + "\n"); !ok) {
    return ok;
  }
  c.say("%zu training scenes, %zu for validation, %zu parameters, %.0f MB, %td steps (%s)\n", scenes->training.size(),
        scenes->validation.size(), net->parameters().size(), static_cast<double>(net->bytes()) / 1e6, plan->steps(),
        config.stages.c_str());
  std::FILE* log = std::fopen((o.out + "/log.jsonl").c_str(), o.resume ? "a" : "w");
  if (!log) return error(errc::not_writable, o.out + "/log.jsonl: cannot be written");
  training_observer observer(plan->steps(), net->state().step, log);
  const auto end = unmask::train::fit(*net, *source,
                                      {.plan = *plan,
                                       .loss = *loss,
                                       .checkpoint = checkpoint,
                                       .checkpoint_every = config.checkpoint_every,
                                       .validation = validation ? &*validation : nullptr,
                                       .validate_every = config.validate_every,
                                       .patience = config.patience},
                                      observer);
  std::fclose(log);
  if (!end) return end.error();
  if (*end == unmask::train::fit_end::stopped) {
    c.say("stopped at step %td; `--resume` continues\n", net->state().step);
    return {};
  }
  const std::string weights = o.out + "/weights.safetensors";
  std::string nm;
  for (double w : scenes->training.front().wavelengths) nm += (nm.empty() ? "" : " ") + std::to_string(w).substr(0, 5);
  const auto best = net->inference_parameters();
  if (auto ok = unmask::io::write_weights(weights, config.network, best,
                                          {{"wavelengths", nm},
                                           {"step", std::to_string(config.step)},
                                           {"recipe", to_json(config).dump()},
                                           {"steps", std::to_string(net->state().step)},
                                           {"mask", fs::path(o.mask).filename().string()}});
      !ok)
    return ok;
  c.say("%s written\n", weights.c_str());
  if (auto ok = write_run_report(c, config, *net, observer, *scenes, *mask, o.out); !ok) return ok;
  c.print({{"out", o.out},
           {"steps", net->state().step},
           {"weights", weights},
           {"psnr", observer.psnrs.empty() ? nlohmann::json() : nlohmann::json(observer.psnrs.back())}});
  return {};
}

}  // namespace

void add_train(CLI::App& app, context& c) {
  auto o = std::make_shared<train_options>();
  auto* command = add_command(app, "train", "train a network for a mask on a folder of cubes",
                              "unmask train --data cubes/ --mask mask.mat --validation cloth,paints --out run");
  command->add_option("--data", o->data, "folder of cubes [H, W, bands], HDF5 or MATLAB")->required();
  command->add_option("--mask", o->mask, "coded mask; random parts of it are used where it is larger than a scene")
      ->required();
  command->add_option("--out", o->out, "folder of the run")->required();
  command->add_option("--config", o->config, "JSON; RUN/config.json shows every key");
  command->add_option("--stages", o->stages, "me:N,ma:M or plain:N, steps of each stage");
  command->add_option("--noise", o->noise, "none, camera, poisson, gaussian");
  command->add_option("--validation", o->validation, "names of scenes to keep back")->delimiter(',');
  command->add_flag("--resume", o->resume, "continue the training in --out");
  command->add_flag("--force", o->force, "start afresh in a folder that holds a training");
  command->callback([&c, o] { c.run = [&c, o] { return train(c, *o); }; });
}

}  // namespace program
