/// unmask train --task clouds: a network that mends what the stack of `unmask declouds` errs in. Clear dates of
/// manifests are clouded and reconstructed again and again; RUN gets the files of any training but report.html.

#include "train_clouds.hpp"

namespace program {

namespace {

namespace clouds = unmask::clouds;
namespace train = unmask::train;

/// PSNR (peak 1) of hidden pixels, mean over cases, and what the network gains on each.
train::validation_report judge(const context& c, const unmask::s2_config& config, std::span<const float> parameters,
                               const std::vector<train::cloud_case>& cases) {
  train::validation_report report;
  for (const train::cloud_case& k : cases) {
    auto network = clouds::network_correction<unmask::cpu>::create(c.backend(), config, parameters, k.bands);
    if (!network) continue;  // the trainer has this network already
    std::vector<float> mended(k.truth.size());
    (*network)(k.view(), mended.data());
    double before = 1e-30, after = 1e-30, count = 0;
    for (std::size_t i = 0; i < mended.size(); ++i) {
      if (k.asked[i / static_cast<std::size_t>(k.bands)] == 0) continue;
      const double x = static_cast<double>(k.truth[i]), old = static_cast<double>(k.base[i]) - x,
                   now = static_cast<double>(mended[i]) - x;
      before += old * old, after += now * now, ++count;
    }
    report.psnr += 10 * std::log10(count / after) / static_cast<double>(cases.size());
    report.scenes.push_back(10 * std::log10(before / after));
  }
  return report;
}

using network_trainer = train::trainer<unmask::s2_network<float, unmask::cpu>>;

/// Validation on cases instead of scenes; the rest is that of any training.
struct clouds_observer : run_observer<network_trainer> {
  network_trainer& trained;
  const context& program;
  const std::vector<train::cloud_case>& cases;

  clouds_observer(run_log& l, network_trainer& n, const train_config& settings, const unmask::model& m,
                  const train::stage_plan& p, const run_folder& r, const context& c,
                  const std::vector<train::cloud_case>& k)
      : run_observer<network_trainer>(l, n, settings, m, p, r), trained(n), program(c), cases(k) {}

  bool on_step(const train::step_report& r, train::stage s) {
    auto& state = trained.state();
    if (state.step % config.validate_every == 0 || state.step == plan.steps()) {
      const auto quality = judge(program, config.network, trained.inference_parameters(), cases);
      const bool best = quality.psnr > state.best_psnr;
      if (best) state.best_psnr = quality.psnr, state.best_step = state.step;
      on_validation(state.step, quality, best);
    }
    return run_observer<network_trainer>::on_step(r, s);
  }
};

/// The best weights so far become the run's, with the gain on the cases that judged them.
result<> finish(const context& c, const train_config& config, const network_trainer& net, const clouds_observer& o) {
  const auto& state = net.state();
  const std::string path = o.run / "weights.safetensors";
  auto weights = state.best_step >= 0 ? unmask::io::read_weights(o.run / "best.safetensors")
                                      : result<unmask::model>(finished(o.learned, net.inference_parameters(),
                                                                       card_of(config, state.step, state.best_psnr)));
  if (!weights) return weights.error();
  if (auto ok = unmask::io::write_weights(path, *weights); !ok) return ok;
  if (auto ok = write_curves(o.run.path, state.losses, o.plan, o.log.validations()); !ok) return ok;
  const auto quality = judge(c, weights->config, weights->parameters, o.cases);
  double mean = 0, worst = 1e9;
  for (const double gain : quality.scenes) {
    mean += gain / static_cast<double>(quality.scenes.size());
    worst = std::min(worst, gain);
  }
  c.say("%s written: %+.2f dB over the stack on %zu cases, the worst %+.2f\n", path.c_str(), mean,
        quality.scenes.size(), worst);
  c.print({{"out", o.run.path},
           {"steps", state.step},
           {"best_step", state.best_step},
           {"weights", path},
           {"psnr", quality.psnr},
           {"gain", {{"mean", mean}, {"worst", worst}, {"cases", quality.scenes}}},
           {"seconds", o.log.seconds()}});
  return {};
}

}  // namespace

result<> train_for_clouds(const context& c, const train_options& o) {
  const run_folder run{o.out};
  if (c.launched) return error(errc::bad_argument, "train --task clouds: runs in one process");
  if (auto ok = check_run(o, run); !ok) return ok;
  auto setup = configure(c, o, run);
  if (!setup) return setup.error();
  const train_config& config = setup->config;
  const auto plan = train::parse_stages(config.stages);
  if (!plan) return plan.error();
  const auto loss = loss_of(config);
  if (!loss) return loss.error();
  if (auto ok = clouds::network_correction<unmask::cpu>::check_network(config.network); !ok) return ok;
  auto cases = cases_of(c, config, absolute_list(config.data), o.untrusted);
  if (!cases) return cases.error();
  auto kept_back = config.validation.empty() ? cases : cases_of(c, config, config.validation, o.untrusted);
  if (!kept_back) return kept_back.error();
  const auto judged_by = validation_cases(c, *kept_back);
  train::sample_options samples;
  samples.batch = config.batch, samples.height = samples.width = config.crop;
  auto source = train::cloud_source::create(std::move(*cases), samples, {config.fields, config.steps_per_field});
  if (!source) return source.error();
  auto net = network_trainer::create(c.backend(), config.network, trainer_options_of(config, plan->steps()));
  if (!net) return net.error();
  if (setup->from)
    if (auto ok = net->start_from(setup->from->parameters); !ok) return ok;
  if (auto ok = o.resume ? continue_run(c, run, *net) : begin_run(run, config, *net); !ok) return ok;
  c.say("%zu parameters, %.0f MB, %td steps (%s), judged by %zu cases\n", net->parameters().size(),
        static_cast<double>(net->bytes()) / 1e6, plan->steps(), config.stages.c_str(), judged_by.size());
  unmask::model learned;
  learned.config = config.network;
  auto log = run_log::open(run / "log.jsonl", net->state().step);
  if (!log) return log.error();
  clouds_observer observer(*log, *net, config, learned, *plan, run, c, judged_by);
  const train::fit_options options{
      .plan = *plan, .loss = *loss, .checkpoint = run.checkpoint(), .checkpoint_every = config.checkpoint_every};
  const auto end = train::fit(*net, *source, options, observer);
  if (!end) return end.error();
  if (!observer.status) return observer.status;
  if (*end == train::fit_end::stopped) {
    c.say("stopped at step %td; `--resume` continues\n", net->state().step);
    return {};
  }
  return finish(c, config, *net, observer);
}

}  // namespace program
