/// What the scene's own spectra are worth to spectral TV and refinement, without any network: PSNR in dB on nine CAVE
/// scenes behind the benchmark's mask, the spectral basis learnt from the other scenes, and seconds.
///   bench/spectra DATA [name=value ...]
/// DATA has cave256/ and cassi/. Values: general=20 (rows of the basis) rank=12 (of the scene's own; one pass where
/// there are no more general ones) strips=4 rows=16 (of a strip) share=.8 outer=8 iterations=55 weight=.0005 (last
/// lambda) passes=5 (of refinement) threads=1 truth=0 (1: instead, the basis of `rank` rows that the true scene has).

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <map>
#include <unmask/io/arrays.hpp>
#include <unmask/io/cube.hpp>
#include <unmask/metrics/quality.hpp>
#include <unmask/optics/adaptive_spectral_tv.hpp>
#include <unmask/optics/learn_spectra.hpp>
#include <unmask/optics/planned.hpp>
#include <unmask/optics/spectral.hpp>

namespace fs = std::filesystem;
using namespace unmask;

namespace {

const std::vector<std::string> judged{"cloth", "paints", "beads",      "stuffed_toys", "face",
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
  std::map<std::string, double> set{{"general", 20}, {"rank", 12},   {"strips", 4},      {"rows", 16},
                                    {"share", .8},   {"outer", 8},   {"iterations", 55}, {"weight", .0005},
                                    {"passes", 5},   {"threads", 1}, {"truth", 0}};
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
  for (const auto& path : paths)
    if (std::find(judged.begin(), judged.end(), path.stem().string()) == judged.end())
      others.push_back(read_scene(path));
  const auto general = optics::learn_spectral_basis(others, number("general")).value();
  const auto mask = io::read_mask(io::parse_source((data / "cassi/tsa_simu_mask256.mat").string())).value();
  const auto camera = optics::camera::create(mask.view(), 28, 2).value();

  optics::spectral_tv_options options;
  options.outer_iterations = number("outer"), options.iterations = number("iterations");
  options.last_weight = static_cast<float>(set["weight"]);
  const optics::scene_spectra_options spectra{
      .rank = number("rank"), .strips = number("strips"), .strip_rows = number("rows"), .share = set["share"]};
  double mean[2] = {}, seconds[2] = {};
  std::printf("scene, spectral TV, refined\n");
  for (const std::string& name : judged) {
    std::vector<tensor<float, 3>> scene;
    scene.push_back(read_scene(data / "cave256" / (name + ".h5")));
    tensor<float, 2> y(camera.geometry().measurement_extents());
    camera.forward(be, y.view(), scene[0].view());
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
