/// Trains an unfolded network (unmask/reconstruct/unfolded_network.hpp) on strips of CAVE scenes and prints its PSNR on
/// cloth and paints, which it never sees. Resumes from OUT/checkpoint.
///   bench/unfolding DATA OUT MINUTES [name=value ...]
/// DATA has cave256/, cave512/ and cassi/. Values: steps=20000 rate=0.001 rounds=3 blocks=2 shared=0 channels=32
/// rows=32 batch=1 seed=1 threads=1 every=250 encoding=0.1 average=0.999. The schedule ends at `steps`; MINUTES of this
/// run may end before.

#include <Eigen/Eigenvalues>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <map>
#include <unmask/io/arrays.hpp>
#include <unmask/io/cube.hpp>
#include <unmask/metrics/quality.hpp>
#include <unmask/models/session.hpp>
#include <unmask/nn/cpu/all.hpp>
#include <unmask/optics/spectral.hpp>
#include <unmask/reconstruct/unfolded_network.hpp>
#include <unmask/train/checkpoint.hpp>
#include <unmask/train/trainer.hpp>

#include "strips.hpp"

namespace fs = std::filesystem;
using namespace unmask;
using network = unfolded_network<float, cpu>;

namespace {

tensor<float, 3> read_scene(const fs::path& path) {
  auto file = io::read_cube(io::parse_source(path.string())).value();
  return optics::resample_bands(file.cube, file.wavelengths, optics::benchmark_wavelength_list()).value();
}

/// Principal directions of spectra, each times the root of its share: their outer products sum to the second moment.
std::vector<float> spectral_factors(const std::vector<tensor<float, 3>>& scenes, index_t components) {
  const index_t C = scenes[0].extent(2);
  Eigen::MatrixXd sum = Eigen::MatrixXd::Zero(C, C);
  double pixels = 0;
  for (const auto& x : scenes) {
    const Eigen::Map<const Eigen::Matrix<float, -1, -1, Eigen::RowMajor>> spectra(x.data(), x.size() / C, C);
    const Eigen::MatrixXd all = spectra.cast<double>();
    sum += all.transpose() * all, pixels += static_cast<double>(all.rows());
  }
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solved(sum / pixels);
  std::vector<float> f;
  for (index_t k = 0; k < components; ++k)
    for (index_t c = 0; c < C; ++c)
      f.push_back(static_cast<float>(solved.eigenvectors()(c, C - 1 - k) *
                                     std::sqrt(std::max(0., solved.eigenvalues()[C - 1 - k]))));
  return f;
}

struct validation_scene {
  std::string name;
  tensor<float, 3> truth;
  tensor<float, 4> input;
};

validation_scene measured(const std::string& name, tensor<float, 3> x, const tensor<float, 2>& mask, index_t step) {
  const index_t H = x.extent(0), W = x.extent(1), C = x.extent(2);
  validation_scene s{name, std::move(x), tensor<float, 4>({1, H, W, C})};
  for (index_t h = 0; h < H; ++h)
    bench::measure_row(&s.input(0, h, 0, 0), &mask(h, 0), &s.truth(h, 0, 0), {W, C, step});
  return s;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return std::fprintf(stderr, "usage: unfolding DATA OUT MINUTES [name=value ...]\n"), 2;
  const fs::path data = argv[1], out = argv[2];
  std::map<std::string, double> set{{"steps", 20000}, {"rate", .001}, {"rounds", 3},    {"blocks", 2},
                                    {"shared", 0},    {"rows", 32},   {"batch", 1},     {"seed", 1},
                                    {"threads", 1},   {"every", 250}, {"encoding", .1}, {"average", .999},
                                    {"channels", 32}};
  for (int i = 4; i < argc; ++i) {
    const std::string text = argv[i];
    const auto at = text.find('=');
    if (at == std::string::npos || !set.contains(text.substr(0, at)))
      return std::fprintf(stderr, "unfolding: '%s' is no name=value of those that are known\n", argv[i]), 2;
    set[text.substr(0, at)] = std::stod(text.substr(at + 1));
  }
  const auto number = [&](const char* name) { return static_cast<int>(set.at(name)); };

  std::vector<tensor<float, 3>> scenes, few;
  for (const char* folder : {"cave256", "cave512"})
    for (const auto& entry : fs::directory_iterator(data / folder)) {
      const std::string name = entry.path().stem().string();
      if (entry.path().extension() != ".h5" || name == "cloth" || name == "paints") continue;
      scenes.push_back(read_scene(entry.path()));
      if (std::string(folder) == "cave256") few.push_back(scenes.back());
    }
  std::vector<tensor<float, 2>> masks;
  for (const char* name : {"tsa_simu_mask256.mat", "tsa_real_mask.mat"})
    masks.push_back(io::read_mask(io::parse_source((data / "cassi" / name).string())).value());

  const unfolded_config config{.rounds = number("rounds"),
                               .shared = number("shared") != 0,
                               .channels = number("channels"),
                               .blocks = number("blocks")};
  train::trainer_options options{.batch = number("batch"),
                                 .height = number("rows"),
                                 .width = 256,
                                 .seed = static_cast<std::uint64_t>(number("seed")),
                                 .drop_path = 0};
  options.optimiser.weight_decay = 0;
  options.optimiser.average = set["average"];
  options.schedule = {.peak = set["rate"], .warm_up = 100, .steps = number("steps")};
  const cpu be{.threads = number("threads")};
  auto net = train::trainer<network>::create(be, config, options).value();
  const auto factors = spectral_factors(few, config.components);
  {
    std::vector<float> p(net.parameters().begin(), net.parameters().end());
    std::copy(factors.begin(), factors.end(), p.end() - static_cast<index_t>(factors.size()));
    net.start_from(p).value();
  }
  fs::create_directories(out);
  const std::string checkpoint = (out / "checkpoint").string();
  if (fs::exists(checkpoint)) train::resume_checkpoint(checkpoint, net.state()).value();

  std::vector<validation_scene> shown;
  for (const char* name : {"cloth", "paints"})
    shown.push_back(measured(name, read_scene(data / "cave256" / (std::string(name) + ".h5")), masks[0], config.step));
  const auto validate = [&](std::span<const float> p) {
    auto s = session<network>::create(be, config, p, 256, 256, masks[0].view()).value();
    double mean = 0;
    for (const auto& v : shown) {
      tensor<float, 4> cube(v.input.extents());
      s.run(cube.view(), v.input.view());
      tensor<float, 3> estimate(v.truth.extents());
      std::copy(cube.begin(), cube.end(), estimate.begin());
      const double psnr = metrics::psnr(v.truth.view(), estimate.view(), metrics::definition::official_8bit, {});
      std::printf(" %s %.2f", v.name.c_str(), psnr);
      mean += psnr / static_cast<double>(shown.size());
    }
    std::printf(" mean %.2f\n", mean);
  };

  const bench::strip_source source(std::move(scenes), masks, {.rows = options.height});
  train::batch<float> samples(options.batch, options.height, options.width, config.bands, config.bands);
  train::loss_spec spec{.kind = train::stage::mask_encoding, .rho = {train::penalty_kind::rmse}};
  spec.encoding = set["encoding"];
  std::printf("%zu parameters, %.0f MB, step %td\nstart:", net.parameters().size(),
              static_cast<double>(net.bytes()) / 1e6, net.state().step);
  validate(net.inference_parameters());
  const auto start = std::chrono::steady_clock::now();
  double loss = 0;
  index_t since = 0;
  while (net.state().step < options.schedule.steps) {
    const index_t step = net.state().step;
    for (index_t b = 0; b < options.batch; ++b) source.fill(samples, b, options.seed, step * options.batch + b);
    const auto report = net.step(samples, spec);
    if (!report.updated) return std::fprintf(stderr, "unfolding: step %td is not finite\n", step), 1;
    loss += report.loss, ++since;
    const bool over = seconds_since(start) > 60 * std::atof(argv[3]) || step + 1 == options.schedule.steps;
    if ((step + 1) % number("every") != 0 && !over) continue;
    std::printf("%.1f min step %td loss %.5f", seconds_since(start) / 60, step + 1, loss / static_cast<double>(since));
    validate(net.inference_parameters());
    std::fflush(stdout);
    loss = 0, since = 0;
    train::save_checkpoint(checkpoint, net.state()).value();
    if (over) break;
  }
  return 0;
}
