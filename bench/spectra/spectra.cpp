/// What the scene's own spectra are worth to spectral TV and refinement, without any network: PSNR in dB on nine CAVE
/// scenes behind the benchmark's mask, the spectral basis learnt from the other scenes, and seconds.
///   bench/spectra DATA [name=value ...]
/// DATA has cave256/ and cassi/. Values: general=20 (rows of the basis) rank=12 (of the scene's own) rows=2 (of a
/// strip) spacing=6 (rows from strip to strip) share=.8 look_outer=6 look_inner=90 (iterations on the strips) outer=5
/// inner=50 first_weight=.001 epsilon=.5 (on the whole) noise=0 (1: the field's camera noise) passes=5 (of refinement)
/// threads=1 truth=0 (1: instead, the basis of `rank` rows that the true scene has) swapped=0 (1: the other 14 scenes,
/// the basis learnt from the nine). A basis of no more rows than `rank` is used as it is, with the usual iterations.

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <map>
#include <unmask/io/arrays.hpp>
#include <unmask/io/cube.hpp>
#include <unmask/metrics/quality.hpp>
#include <unmask/optics/adaptive_spectral_tv.hpp>
#include <unmask/optics/learn_spectra.hpp>
#include <unmask/optics/noise.hpp>
#include <unmask/optics/planned.hpp>
#include <unmask/optics/spectral.hpp>

namespace fs = std::filesystem;
using namespace unmask;

namespace {

const std::vector<std::string> group{"cloth", "paints", "beads",      "stuffed_toys", "face",
                                     "clay",  "hairs",  "superballs", "sponges"};

tensor<float, 3> read_scene(const fs::path& path) {
  auto file = io::read_cube(io::parse_source(path.string())).value();
  return optics::resample_bands(file.cube, file.wavelengths, optics::benchmark_wavelength_list()).value();
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return std::fprintf(stderr, "usage: spectra DATA [name=value ...]\n"), 2;
  const fs::path data = argv[1];
  std::map<std::string, double> set{
      {"general", 20},    {"rank", 12},   {"rows", 2},   {"spacing", 6}, {"share", .8},          {"look_outer", 6},
      {"look_inner", 90}, {"outer", 5},   {"inner", 50}, {"passes", 5},  {"first_weight", .001}, {"epsilon", .5},
      {"noise", 0},       {"threads", 1}, {"truth", 0},  {"swapped", 0}};
  for (int i = 2; i < argc; ++i) {
    const std::string text = argv[i];
    const auto at = text.find('=');
    if (at == std::string::npos || !set.contains(text.substr(0, at)))
      return std::fprintf(stderr, "spectra: '%s' is no name=value of those that are known\n", argv[i]), 2;
    set[text.substr(0, at)] = std::stod(text.substr(at + 1));
  }
  const auto number = [&](const char* name) { return static_cast<index_t>(set.at(name)); };
  const cpu be{.threads = static_cast<int>(set["threads"])};

  std::vector<tensor<float, 3>> others;
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(data / "cave256"))
    if (entry.path().extension() == ".h5") paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  const bool swapped = set["swapped"] != 0;
  std::vector<std::string> judged;
  for (const auto& path : paths) {
    const std::string name = path.stem().string();
    const bool first = std::find(group.begin(), group.end(), name) != group.end();
    if (first != swapped)
      judged.push_back(name);
    else
      others.push_back(read_scene(path));
  }
  const auto general = optics::learn_spectral_basis(others, number("general")).value();
  const auto mask = io::read_mask(io::parse_source((data / "cassi/tsa_simu_mask256.mat").string())).value();
  const auto camera = optics::camera::create(mask.view(), 28, 2).value();

  optics::scene_spectra_options spectra;
  spectra.rank = number("rank"), spectra.share = set["share"];
  spectra.strip_rows = number("rows"), spectra.spacing = number("spacing");
  spectra.look_outer = number("look_outer"), spectra.look_inner = number("look_inner");
  spectra.outer = number("outer"), spectra.inner = number("inner");
  spectra.first_weight = static_cast<float>(set["first_weight"]);
  spectra.first_irls_epsilon = static_cast<float>(set["epsilon"]);
  const optics::spectral_tv_options options;
  double mean[2] = {}, seconds[2] = {};
  std::printf("scene, spectral TV, refined\n");
  for (const std::string& name : judged) {
    std::vector<tensor<float, 3>> scene;
    scene.push_back(read_scene(data / "cave256" / (name + ".h5")));
    tensor<float, 2> y(camera.geometry().measurement_extents());
    camera.forward(be, y.view(), scene[0].view());
    auto noise = optics::camera_noise();
    noise.full_scale = 14;
    if (set["noise"] != 0) optics::add_noise(be, y.view(), noise, 1);
    const auto own = set["truth"] != 0 ? optics::learn_spectral_basis(scene, number("rank")).value() : general;
    optics::planned<optics::adaptive_spectral_tv> solver(camera, own.view(), options, spectra);
    optics::planned<optics::similar_patches> patches(mask.extent(0), solver->rank(), mask.extent(1),
                                                     options.patch_stride);
    tensor<float, 3> x(scene[0].extents());
    auto start = std::chrono::steady_clock::now();
    const auto judge = [&](int part) {
      seconds[part] += seconds_since(start);
      const double psnr = metrics::psnr(scene[0].view(), x.view(), metrics::definition::official_8bit, {});
      mean[part] += psnr;
      start = std::chrono::steady_clock::now();
      return psnr;
    };
    solver->run(be, x.view(), y.view());
    const double before = judge(0);
    for (index_t k = 0; k < number("passes"); ++k) solver->refine(be, *patches, x.view(), y.view());
    std::printf("%s %.2f %.2f\n", name.c_str(), before, judge(1));
    std::fflush(stdout);
  }
  const auto n = static_cast<double>(judged.size());
  std::printf("mean %.2f %.2f, seconds %.2f %.2f\n", mean[0] / n, mean[1] / n, seconds[0] / n, seconds[1] / n);
  return 0;
}
