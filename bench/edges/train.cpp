/// Trains learnt edges (unmask/reconstruct/edge_network.hpp) end to end through the solve and prints PSNR on scenes
/// that it never sees, each beside that of spectral TV, which it starts from. Resumes from OUT/checkpoint.
///   bench/edges MODEL DATA OUT MINUTES [name=value ...]
/// MODEL is a weights file with a spectral basis; DATA has cave256/, cave512/ and cassi/. Values: steps=12000
/// rate=0.001 blocks=2 channels=32 hidden=64 iterations=30 rows=32 seed=1 threads=1 every=500 average=0.998 fields=48
/// fresh=10 (steps until a field is replaced) last=0 (1: tell the four scenes that are kept for the end, too). The
/// schedule ends at `steps`; MINUTES of this run may end before.

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <map>
#include <unmask/io/arrays.hpp>
#include <unmask/io/cube.hpp>
#include <unmask/io/weights.hpp>
#include <unmask/metrics/quality.hpp>
#include <unmask/models/session.hpp>
#include <unmask/nn/cpu/all.hpp>
#include <unmask/optics/spectral.hpp>
#include <unmask/reconstruct/edge_network.hpp>
#include <unmask/train/checkpoint.hpp>
#include <unmask/train/estimated_source.hpp>
#include <unmask/train/trainer.hpp>

namespace fs = std::filesystem;
using namespace unmask;
using network = edge_network<float, cpu>;

namespace {

const std::vector<std::string> judged{"cloth", "paints", "photo_and_face", "superballs"},
    kept_back{"clay", "fake_and_real_peppers", "hairs", "sponges"};

bool is_one_of(const std::string& name, const std::vector<std::string>& list) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

tensor<float, 3> read_scene(const fs::path& path) {
  auto file = io::read_cube(io::parse_source(path.string())).value();
  return optics::resample_bands(file.cube, file.wavelengths, optics::benchmark_wavelength_list()).value();
}

/// Estimate x and the measurement shifted back, side by side: the network's input [H, W, 2 C]. All rows are complete.
void put_input(float* to, const float* x, const float* mask, const float* truth, const optics::cassi_geometry& g) {
  const index_t W = g.width, C = g.bands, V = g.measurement_width();
  std::vector<float> y(static_cast<std::size_t>(V));
  for (index_t h = 0; h < g.height; ++h) {
    std::fill(y.begin(), y.end(), 0.f);
    for (index_t w = 0; w < W; ++w)
      for (index_t c = 0; c < C; ++c)
        y[static_cast<std::size_t>(w + g.step * c)] += mask[h * W + w] * truth[(h * W + w) * C + c];
    for (index_t w = 0; w < W; ++w) {
      float* pixel = to + (h * W + w) * 2 * C;
      std::copy_n(x + (h * W + w) * C, C, pixel);
      for (index_t c = 0; c < C; ++c) pixel[C + c] = y[static_cast<std::size_t>(w + g.step * c)];
    }
  }
}

struct scene {
  std::string name;
  tensor<float, 3> truth, start;
  tensor<float, 4> input;
  double before = 0;
};

double psnr(const scene& s, const tensor<float, 3>& x) {
  return metrics::psnr(s.truth.view(), x.view(), metrics::definition::official_8bit, {});
}

scene measured(const cpu& be, const std::string& name, tensor<float, 3> x, const tensor<float, 2>& mask,
               const initial_spec& initial) {
  const index_t H = x.extent(0), W = x.extent(1), C = x.extent(2);
  const auto camera = optics::camera::create(mask.view(), C, 2).value();
  scene s{name, std::move(x), tensor<float, 3>({H, W, C}), tensor<float, 4>({1, H, W, 2 * C})};
  tensor<float, 2> y(camera.geometry().measurement_extents());
  camera.forward(be, y.view(), s.truth.view());
  planned_estimate(initial, camera).value()->run(be, s.start.view(), y.view());
  put_input(s.input.data(), s.start.data(), mask.data(), s.truth.data(), camera.geometry());
  s.before = psnr(s, s.start);
  return s;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) return std::fprintf(stderr, "usage: edges MODEL DATA OUT MINUTES [name=value ...]\n"), 2;
  const fs::path data = argv[2], out = argv[3];
  std::map<std::string, double> set{{"steps", 12000},   {"rate", .001}, {"blocks", 2}, {"channels", 32}, {"hidden", 64},
                                    {"iterations", 30}, {"rows", 32},   {"seed", 1},   {"threads", 1},   {"every", 500},
                                    {"average", .998},  {"fields", 48}, {"fresh", 10}, {"last", 0}};
  for (int i = 5; i < argc; ++i) {
    const std::string text = argv[i];
    const auto at = text.find('=');
    if (at == std::string::npos || !set.contains(text.substr(0, at)))
      return std::fprintf(stderr, "edges: '%s' is no name=value of those that are known\n", argv[i]), 2;
    set[text.substr(0, at)] = std::stod(text.substr(at + 1));
  }
  const auto number = [&](const char* name) { return static_cast<int>(set.at(name)); };
  const cpu be{.threads = number("threads")};
  const auto weights = io::read_weights(argv[1]).value();
  const initial_spec& initial = weights.initial;

  std::vector<tensor<float, 3>> scenes;
  for (const char* folder : {"cave256", "cave512"})
    for (const auto& entry : fs::directory_iterator(data / folder)) {
      const std::string name = entry.path().stem().string();
      if (entry.path().extension() != ".h5" || is_one_of(name, judged) || is_one_of(name, kept_back)) continue;
      scenes.push_back(read_scene(entry.path()));
    }
  std::vector<tensor<float, 2>> masks;
  for (const char* name : {"tsa_simu_mask256.mat", "tsa_real_mask.mat"})
    masks.push_back(io::read_mask(io::parse_source((data / "cassi" / name).string())).value());
  std::vector<scene> shown;
  auto names = judged;
  if (set["last"] != 0) names.insert(names.end(), kept_back.begin(), kept_back.end());
  for (const std::string& name : names)
    shown.push_back(measured(be, name, read_scene(data / "cave256" / (name + ".h5")), masks[0], initial));

  const edge_config config{.rank = static_cast<int>(initial.spectral_basis.extent(0)),
                           .iterations = number("iterations"),
                           .channels = number("channels"),
                           .blocks = number("blocks"),
                           .hidden = number("hidden")};
  train::trainer_options options{.batch = 1,
                                 .height = number("rows"),
                                 .width = 256,
                                 .seed = static_cast<std::uint64_t>(number("seed")),
                                 .drop_path = 0,
                                 .last_zero = true};
  options.optimiser.weight_decay = 0;
  options.optimiser.average = set["average"];
  options.schedule = {.peak = set["rate"], .warm_up = 200, .steps = number("steps")};
  auto net = train::trainer<network>::create(be, config, options).value();
  {
    std::vector<float> p(net.parameters().begin(), net.parameters().end());
    const auto& basis = initial.spectral_basis;
    std::copy(basis.begin(), basis.end(), p.end() - basis.size());
    net.start_from(p).value();
  }
  fs::create_directories(out);
  const std::string checkpoint = (out / "checkpoint").string();
  if (fs::exists(checkpoint)) train::resume_checkpoint(checkpoint, net.state()).value();

  const auto validate = [&](std::span<const float> p) {
    auto s = session<network>::create(be, config, p, 256, 256, masks[0].view()).value();
    double mean = 0;
    for (const auto& v : shown) {
      tensor<float, 4> cube({1, 256, 256, config.bands});
      s.run(cube.view(), v.input.view());
      tensor<float, 3> estimate(v.truth.extents());
      std::copy(cube.begin(), cube.end(), estimate.begin());
      const double gain = psnr(v, estimate) - v.before;
      std::printf(" %s %.2f %+.2f", v.name.c_str(), v.before, gain);
      mean += gain / static_cast<double>(shown.size());
    }
    std::printf(" mean %+.3f\n", mean);
    std::fflush(stdout);
  };

  const train::sample_options samples{.batch = 1,
                                      .height = options.height,
                                      .width = 256,
                                      .mosaics = .3,
                                      .random_masks = .4,
                                      .grey_masks = .4,
                                      .open_spread = .2};
  auto source = train::estimated_source::create(
                    std::move(scenes), masks, samples,
                    {.initial = initial, .fields = number("fields"), .steps_per_field = number("fresh")})
                    .value();
  auto estimate = source.make_batch<float>();
  train::batch<float> batch(1, options.height, options.width, config.input_channels(), config.bands);
  const optics::cassi_geometry strip{options.height, options.width, config.bands, config.step};
  const train::loss_spec spec{.kind = train::stage::plain, .rho = {train::penalty_kind::rmse}};
  std::printf("%zu parameters, %.0f MB, step %td\nstart:", net.parameters().size(),
              static_cast<double>(net.bytes()) / 1e6, net.state().step);
  validate(net.inference_parameters());
  const auto start = std::chrono::steady_clock::now();
  double gain = 0;
  index_t since = 0;
  while (net.state().step < options.schedule.steps) {
    source.fill(be, estimate, options.seed, net.state().step);
    put_input(batch.input.data(), estimate.input.data(), estimate.mask.data(), estimate.truth.data(), strip);
    batch.mask = estimate.mask, batch.truth = estimate.truth;
    double before = 0;
    for (index_t i = 0; i < estimate.truth.size(); ++i) {
      const double e = static_cast<double>(estimate.truth.data()[i] - estimate.input.data()[i]);
      before += e * e;
    }
    const auto report = net.step(batch, spec);
    if (!report.updated) return std::fprintf(stderr, "edges: step %td is not finite\n", net.state().step), 1;
    before = std::sqrt(before / static_cast<double>(estimate.truth.size()));
    if (before > 0) gain += 20 * std::log10(before / report.loss), ++since;
    const bool over = seconds_since(start) > 60 * std::atof(argv[4]) || net.state().step == options.schedule.steps;
    if (net.state().step % number("every") != 0 && !over) continue;
    std::printf("%.1f min step %td training %+.3f dB;", seconds_since(start) / 60, net.state().step,
                gain / static_cast<double>(std::max<index_t>(since, 1)));
    validate(net.inference_parameters());
    gain = 0, since = 0;
    train::save_checkpoint(checkpoint, net.state()).value();
    if (over) break;
  }
  return 0;
}
