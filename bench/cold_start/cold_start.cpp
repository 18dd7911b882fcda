/// From the start of the program to a written 64 x 64 reconstruction: wall and processor time of whole runs, smallest
/// and median of 20 (each waits for the disk twice), beside `unmask --version`, which only starts.
///   build/release/bench/cold_start build/release/unmask [THREADS]

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <unmask/io/hdf5_writer.hpp>
#include <unmask/io/weights.hpp>
#include <unmask/scenes/generate.hpp>
#include <unmask/unmask.hpp>

using namespace unmask;

namespace {

struct run_cost {
  double wall = 0, processor = 0, memory = 0;  ///< ms, ms, MB
};

run_cost run(const std::vector<std::string>& words) {
  std::vector<char*> arguments;
  for (const std::string& w : words) arguments.push_back(const_cast<char*>(w.c_str()));
  arguments.push_back(nullptr);
  const auto start = std::chrono::steady_clock::now();
  const pid_t child = ::fork();
  if (child == 0) {
    if (!std::freopen("/dev/null", "w", stdout)) ::_exit(127);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  int status = 0;
  rusage used{};
  ::wait4(child, &status, 0, &used);
  if (status != 0) {
    std::fprintf(stderr, "%s failed\n", words[0].c_str());
    std::exit(1);
  }
  const auto ms = [](const timeval& t) {
    return 1e3 * static_cast<double>(t.tv_sec) + 1e-3 * static_cast<double>(t.tv_usec);
  };
  return {1e3 * std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(),
          ms(used.ru_utime) + ms(used.ru_stime), static_cast<double>(used.ru_maxrss) * 1024 / 1e6};
}

void report(const char* name, const std::vector<std::string>& words) {
  std::vector<run_cost> runs(20);
  for (run_cost& r : runs) r = run(words);
  const auto middle = runs.begin() + 10;
  std::nth_element(runs.begin(), middle, runs.end(), [](auto& a, auto& b) { return a.processor < b.processor; });
  const double processor = middle->processor;
  std::nth_element(runs.begin(), middle, runs.end(), [](auto& a, auto& b) { return a.wall < b.wall; });
  const double wall = middle->wall;
  const auto least = std::min_element(runs.begin(), runs.end(), [](auto& a, auto& b) { return a.wall < b.wall; });
  std::printf("%-10s wall %.1f (median %.1f) ms, processor %.1f ms, %.1f MB\n", name, least->wall, wall, processor,
              least->memory);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return std::fprintf(stderr, "cold_start PROGRAM [THREADS]\n"), 2;
  namespace fs = std::filesystem;
  const fs::path folder = fs::temp_directory_path() / ("unmask_cold_start_" + std::to_string(::getpid()));
  fs::create_directories(folder);
  const std::string program = argv[1], threads = argc > 2 ? argv[2] : "2", shot = folder / "shot.h5";
  ::setenv("OMP_WAIT_POLICY", "passive", 0);
  const auto cube = scenes::generate(64, 64, optics::benchmark_wavelength_list(), 3);
  const auto mask = scenes::grey_mask(64, 64, 3);
  const auto camera = optics::camera::create(mask.view(), 28).value();
  tensor<float, 2> y(camera.geometry().measurement_extents());
  camera.forward(cpu{}, y.view(), cube.view());
  io::hdf5_writer(shot)
      .put("measurement", y.view(), {{"unit", std::string("sum over bands of mask * cube")}})
      .put("mask", mask.view())
      .save()
      .value();

  report("start only", {program, "--version"});
  for (const auto& [name, config] : {std::pair{"small", small_config()}, std::pair{"full", s2_config{}}}) {
    const manifest m = make_manifest(config);
    std::vector<float> parameters(static_cast<std::size_t>(m.size));
    initialise(parameters.data(), m, 1);
    io::write_weights(folder / name, {config, parameters}).value();
    report(name, {program, "--threads", threads, "reconstruct", "--measurement", shot + ":measurement", "--mask",
                  shot + ":mask", "--weights", folder / name, "--out", folder / "cube.h5"});
  }
  fs::remove_all(folder);
  return 0;
}
