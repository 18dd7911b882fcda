/// unmask demo: no data needed. Generated scenes are photographed through a grey mask; the network that comes with the
/// program learns this camera and these scenes for a minute, and a scene it never saw is reconstructed; a table and
/// report.html show how well. Without that network a small one learns from nothing.

#include <filesystem>
#include <unmask/io/hdf5_writer.hpp>
#include <unmask/scenes/generate.hpp>

#include "models.hpp"
#include "reports.hpp"
#include "train_setup.hpp"
#include "training.hpp"

namespace program {

namespace {

struct demo_options {
  std::string out;
  double minutes = 1.5;
  index_t steps = 1500, size = 128, scenes = 24;
};

train_config demo_config(std::uint64_t seed) {
  train_config t;
  t.network = tiled_network();
  t.initial = "gap-tv";
  t.fields = 8;
  t.last_zero = true;
  t.noise = "camera";
  t.crop = 64;
  t.batch = 2;
  t.learning_rate = 1e-3;
  t.average = .99;
  t.encoding = .5;
  t.encoding_in_aware =
      .1;  // without it the auxiliary head forgets its task in stage MA, and the weight map its meaning
  t.seed = seed;
  return t;
}

/// As many steps as fit into the time: measured on a trainer that is then thrown away.
template <class Source>
result<index_t> affordable_steps(const context& c, const train_config& t, Source& source, const demo_options& o) {
  auto trial = trainer::create(c.backend(), t.network, trainer_options_of(t, o.steps));
  if (!trial) return trial.error();
  auto batch = source.template make_batch<float>();
  constexpr index_t tries = 6;
  double seconds = 0;
  for (index_t i = 0; i <= tries; ++i) {
    const auto start = std::chrono::steady_clock::now();
    source.fill(c.backend(), batch, t.seed, i);
    trial->step(batch, {.kind = unmask::train::stage::mask_aware});
    if (i > 0) seconds += seconds_since(start) / tries;  // the first one touches its memory
  }
  return std::clamp<index_t>(static_cast<index_t>(o.minutes * 60 / seconds), 20, o.steps);
}

snapshot photograph(const context& c, const tensor<float, 3>& cube, const tensor<float, 2>& mask,
                    const std::string& noise_name) {
  snapshot s{tensor<float, 2>(), unmask::optics::camera::create(mask.view(), cube.extent(2)).value()};
  s.measurement = tensor<float, 2>(s.geometry().measurement_extents());
  s.camera.forward(c.backend(), s.measurement.view(), cube.view());
  auto noise = *noise_by_name(noise_name);
  noise.full_scale = static_cast<double>(s.geometry().bands) / 2;
  unmask::optics::add_noise(c.backend(), s.measurement.view(), noise, c.seed);
  return s;
}

void print_table(const context& c, const report_builder& report) {
  c.say("\n%-18s | %24s | %24s\n", "", "all pixels", "hidden (mask < 0.5)");
  c.say("%-18s | %8s %6s %8s | %8s %6s %8s\n", report.input.scores.definition.c_str(), "PSNR dB", "SSIM", "SAM deg",
        "PSNR dB", "SSIM", "SAM deg");
  for (const auto& row : report.input.scores.rows)
    c.say("%-18s | %8.2f %6.3f %8.2f | %8.2f %6.3f %8.2f\n", row.name.c_str(), row.values[0], row.values[1],
          row.values[2], row.values[3], row.values[4], row.values[5]);
}

/// A row for each step that contributes: what networks start from, the network before and after learning, refinement.
result<> add_every_step(const context& c, report_builder& report, const snapshot& s,
                        const std::optional<unmask::model>& before, const unmask::model& after) {
  auto steps = run_steps(c, s, after.initial);
  if (!steps) return steps.error();
  for (auto& step : *steps) report.add(std::move(step));
  const auto add = [&](const unmask::model& m, const char* name, index_t refinements) -> result<> {
    auto e = run_method(c, s, m, {.refinements = refinements});
    if (!e) return e.error();
    e->name = name;
    report.add(std::move(*e));
    return {};
  };
  if (before)
    if (auto ok = add(*before, "S2 as it comes", 0); !ok) return ok;
  if (auto ok = add(after, "S2 after learning", 0); !ok) return ok;
  if (after.initial.kind != initial_kind::spectral_tv) return {};
  return add(after, "S2 and refinement", unmask::usual_refinements);
}

result<> demo(const context& c, const demo_options& o) {
  std::error_code failure;
  std::filesystem::create_directories(o.out, failure);
  if (failure) return error(errc::not_writable, o.out + ": cannot make the folder (" + failure.message() + ")");
  train_config t = demo_config(c.seed);
  std::optional<unmask::model> general;
  if (const auto path = model_path(general_model)) {
    auto read = unmask::io::read_weights(*path, c.backend());
    if (!read) return read.error();
    general = std::move(*read);
    t.network = general->config;
    t.from = general_model;
    start_as(t, *general);
    t.learning_rate = 3e-4;
  }
  const auto wavelengths = unmask::optics::benchmark_wavelength_list();
  c.say("1/4 generating %td scenes of %td x %td x %zu and a grey mask\n", o.scenes + 1, o.size, o.size,
        wavelengths.size());
  const auto mask = unmask::scenes::grey_mask(o.size, o.size, c.seed);
  training_data data;
  data.masks.push_back(mask);
  for (index_t i = 0; i < o.scenes; ++i)
    data.training.push_back(
        {"", unmask::scenes::generate(o.size, o.size, wavelengths, c.seed + 100 + static_cast<std::uint64_t>(i)),
         wavelengths});
  const auto truth = unmask::scenes::generate(o.size, o.size, wavelengths, c.seed);
  const auto samples = sample_options_of(t);
  if (!samples) return samples.error();
  auto learned = model_of(t, data);
  if (!learned) return learned.error();
  if (general)
    if (auto ok = fits(*general, {learned->config.bands, t.step, learned->direction, wavelengths}, t.from); !ok)
      return ok;
  auto source = source_of(t, data, *samples, learned->initial);
  if (!source) return source.error();

  const auto steps = std::visit([&](auto& s) { return affordable_steps(c, t, s, o); }, *source);
  if (!steps) return steps.error();
  t.stages = "me:" + std::to_string(*steps / 4) + ",ma:" + std::to_string(*steps - *steps / 4);
  auto net = trainer::create(c.backend(), t.network, trainer_options_of(t, *steps));
  if (!net) return net.error();
  if (general)
    if (auto ok = net->start_from(general->parameters); !ok) return ok;
  c.say("2/4 %s of %zu parameters learns: %td steps (%s), %.0f MB, %d threads\n",
        general ? "the network that comes with the program," : "a new network", net->parameters().size(), *steps,
        t.stages.c_str(), static_cast<double>(net->bytes()) / 1e6, c.threads);
  const auto loss = loss_of(t);
  const auto plan = unmask::train::parse_stages(t.stages);
  training_observer observer(*steps, 0);
  const auto start = std::chrono::steady_clock::now();
  const unmask::train::fit_options options{.plan = *plan, .loss = *loss};
  const auto end = std::visit([&](auto& s) { return unmask::train::fit(*net, s, options, observer); }, *source);
  if (!end) return end.error();
  const double seconds = seconds_since(start);

  c.say("3/4 reconstructing a scene it never saw\n");
  const snapshot s = photograph(c, truth, mask, t.noise);
  const std::vector<float> parameters(net->inference_parameters().begin(), net->inference_parameters().end());
  learned->parameters = parameters;
  learned->card = {{"recipe", unmask::io::json_text(to_json(t))}, {"data", "generated scenes"}};
  const auto aux = view_auxiliary(c, *learned, s, truth, loss->aware);
  if (!aux) return aux.error();
  report_builder report("unmask demo", wavelengths, s);
  report.input.subtitle =
      "One coded snapshot of a generated scene, and the hyperspectral cube a network recovers from it.";
  if (auto ok = add_every_step(c, report, s, general, *learned); !ok) return ok;
  if (auto ok = report.compare(truth); !ok) return ok;
  char text[160];
  std::snprintf(text, sizeof text, "%td steps in %.0f s on %d threads, %zu parameters", *steps, seconds, c.threads,
                parameters.size());
  report.fact("Training", text);
  report.fact("Noise", "shot noise, quantum efficiency 0.4, 2048 levels");
  add_training(report, net->state().losses, *plan, *aux);

  unmask::io::hdf5_writer file(o.out + "/demo.h5");
  file.put("measurement", s.measurement.view(), {{"unit", "sum of mask * cube"}, {"step", 2.0}, {"noise", t.noise}});
  file.put("mask", mask.view()).put("cube", truth.view()).put("wavelengths", wavelengths, {{"units", "nm"}});
  if (auto ok = file.save(); !ok) return ok;
  if (auto ok = unmask::io::write_weights(o.out + "/weights.safetensors", *learned); !ok) return ok;
  if (auto ok = report.write(o.out + "/report.html"); !ok) return ok;
  print_table(c, report);
  c.say("\nauxiliary output against the mask-coded signal F': PSNR %.2f dB\n", aux->psnr);
  c.say(
      "4/4 open %s/report.html in a browser; snapshot, mask and truth are in demo.h5, the network in "
      "weights.safetensors\n",
      o.out.c_str());
  nlohmann::json j{{"out", o.out},
                   {"steps", *steps},
                   {"training_seconds", seconds},
                   {"definition", report.input.scores.definition},
                   {"auxiliary_psnr", aux->psnr}};
  for (const auto& [name, q] : report.qualities) j["methods"][name] = to_json(q);
  c.print(j);
  return {};
}

}  // namespace

void add_demo(CLI::App& app, context& c) {
  auto o = std::make_shared<demo_options>();
  auto* command =
      add_command(app, "demo", "generate scenes, train a small network, reconstruct an unseen scene, write a report",
                  "unmask demo --out demo-out");
  command->add_option("--out", o->out, "folder for report.html, demo.h5 and weights.safetensors")->required();
  command->add_option("--minutes", o->minutes, "most time for training")
      ->check(CLI::Range(0.01, 1e4))
      ->capture_default_str();
  command->add_option("--steps", o->steps, "most training steps")
      ->check(CLI::Range(20, 100000000))
      ->capture_default_str();
  command->add_option("--size", o->size, "side of the scenes, pixels")
      ->check(CLI::Range(64, 1024))
      ->capture_default_str();
  command->add_option("--scenes", o->scenes, "scenes to train on")->check(CLI::Range(1, 1000))->capture_default_str();
  command->callback([&c, o] { c.run = [&c, o] { return demo(c, *o); }; });
}

}  // namespace program
