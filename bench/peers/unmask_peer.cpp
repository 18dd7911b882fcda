/// This library's side of the comparison. Everything is raw float32; a peer says `ready`, then runs once for each line
/// `run` and answers with the seconds it took, and at the end of its input prints its peak memory in MB.
///
///   unmask_peer weights CONFIG.json SEED DEVIATION OUT.safetensors    initial values plus normal noise
///   unmask_peer peak THREADS                                          multiply-adds that wait for nothing
///   unmask_peer inference|once WEIGHTS INPUT MASK BATCH H W THREADS OUTPUT
///   unmask_peer training WEIGHTS INPUT MASK TRUTH BATCH H W THREADS OUTPUT
///   unmask_peer parity WEIGHTS INPUT MASK TRUTH BATCH H W THREADS OUTPUT STEPS me|ma BATCHES
/// `once` reconstructs, prints its peak memory and ends: a cold start. `training` leaves the first step's gradients in
/// OUTPUT, `parity` the trained weights, and its losses on stdout.

#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <iostream>
#include <sstream>
#include <unmask/io/weights.hpp>
#include <unmask/train/all.hpp>
#include <unmask/unmask.hpp>
#include <vector>

namespace {

using unmask::index_t;
using float_pack = unmask::simd::pack<float>;
using trainer = unmask::train::trainer<unmask::s2_network<float, unmask::cpu>>;

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "unmask_peer: %s\n", what.c_str());
  std::exit(1);
}

template <class T>
T valid(unmask::result<T> r) {
  if (!r) fail(r.error().message());
  return std::move(*r);
}

void read(const std::string& path, float* to, index_t count) {
  std::ifstream file(path, std::ios::binary);
  if (!file.read(reinterpret_cast<char*>(to), count * static_cast<std::streamsize>(sizeof(float))))
    fail(path + ": cannot read " + std::to_string(count) + " floats");
}

void write(const std::string& path, const float* from, index_t count) {
  std::ofstream file(path, std::ios::binary);
  if (!file.write(reinterpret_cast<const char*>(from), count * static_cast<std::streamsize>(sizeof(float))).flush())
    fail(path + ": cannot write");
}

double peak_memory_mb() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::stod(line.substr(6)) * 1024 / 1e6;
  return 0;
}

void serve(const std::function<void()>& run) {
  std::cout << "ready " << UNMASK_VERSION_MAJOR << '.' << UNMASK_VERSION_MINOR << '.' << UNMASK_VERSION_PATCH << ' '
            << unmask::simd::instruction_set() << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    const auto begin = std::chrono::steady_clock::now();
    run();
    std::cout << std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() << std::endl;
  }
  std::cout << peak_memory_mb() << std::endl;
}

void make_weights(const std::string& config_path, std::uint64_t seed, double deviation, const std::string& to) {
  std::ifstream file(config_path);
  const auto config = valid(unmask::io::config_from_json(nlohmann::json::parse(file, nullptr, false)));
  const auto m = unmask::make_manifest(config);
  std::vector<float> parameters(static_cast<std::size_t>(m.size));
  unmask::initialise(parameters.data(), m, seed);
  unmask::random draw(seed + 1);
  for (float& p : parameters) p += static_cast<float>(deviation * draw.normal());
  if (auto done = unmask::io::write_weights(to, {config, parameters}); !done) fail(done.error().message());
}

/// Two multiply-adds a cycle with a latency of four need eight chains; twelve leave slack and fit sixteen registers.
constexpr index_t chains = 12, rounds = 30'000'000;

float multiply_add_chains(float start) {
  const auto a = float_pack::all(1 - start), b = float_pack::all(start);
  float_pack::type x[chains];
  for (index_t i = 0; i < chains; ++i) x[i] = float_pack::all(static_cast<float>(i));
  for (index_t n = 0; n < rounds; ++n)
    for (index_t i = 0; i < chains; ++i) x[i] = float_pack::fma(x[i], a, b);
  float sum = 0;
  for (index_t i = 0; i < chains; ++i) sum += float_pack::sum(x[i]);
  return sum;
}

void peak(int threads) {
  volatile float start = 1e-3f, sink = 0;
  std::vector<float> sums(static_cast<std::size_t>(threads));
  std::cout << threads * chains * rounds * float_pack::lanes << std::endl;
  serve([&] {
    unmask::parallel_for(unmask::cpu{.threads = threads}, threads,
                         [&](index_t i, int) { sums[static_cast<std::size_t>(i)] = multiply_add_chains(start); });
    sink = sums[0];
  });
  (void)sink;
}

struct shape {
  index_t batch, height, width;
  int threads;
};

/// One mask for all images of the batch, as a camera has.
void infer(bool once, unmask::model w, const std::string& input_path, const std::string& mask_path, shape s,
           const std::string& output_path) {
  const index_t bands = w.config.bands, image = s.height * s.width * bands;
  std::vector<float> input(static_cast<std::size_t>(s.batch * image)), output(input.size());
  unmask::tensor<float, 2> mask({s.height, s.width});
  read(input_path, input.data(), s.batch * image);
  read(mask_path, mask.data(), mask.size());
  auto network = valid(unmask::session<unmask::s2_network<float, unmask::cpu>>::create(
      {.threads = s.threads}, w.config, w.parameters, s.height, s.width, mask.view(), s.batch));
  w.parameters = std::vector<float>();  // the session has its own
  const auto run = [&] {
    network.run(unmask::array_view<float, 4>(output.data(), s.batch, s.height, s.width, bands),
                unmask::array_view<const float, 4>(input.data(), s.batch, s.height, s.width, bands));
  };
  run();
  write(output_path, output.data(), s.batch * image);
  if (once)
    std::cout << peak_memory_mb() << std::endl;
  else
    serve(run);
}

/// Takes the parameters out of `w`.
trainer make_trainer(unmask::model& w, shape s, unmask::train::cosine_schedule schedule) {
  unmask::train::trainer_options options{.batch = s.batch, .height = s.height, .width = s.width, .drop_path = 0};
  options.frugal = s.height * s.width >= 256 * 256;  // there memory is what people lack
  options.schedule = schedule;
  auto t = valid(trainer::create({.threads = s.threads}, w.config, options));
  if (auto ok = t.start_from(w.parameters); !ok) fail(ok.error().message());
  w.parameters = std::vector<float>();
  return t;
}

unmask::train::batch<float> read_batch(char** paths, shape s, index_t bands, index_t number = 0) {
  unmask::train::batch<float> samples(s.batch, s.height, s.width, bands);
  const auto part = [&](const char* path, auto& tensor) {
    std::vector<float> all(static_cast<std::size_t>((number + 1) * tensor.size()));
    read(path, all.data(), static_cast<index_t>(all.size()));
    std::copy(all.end() - tensor.size(), all.end(), tensor.begin());
  };
  part(paths[0], samples.input);
  part(paths[1], samples.mask);
  part(paths[2], samples.truth);
  return samples;
}

void train(unmask::model w, char** paths, shape s, const std::string& output_path) {
  trainer t = make_trainer(w, s, {.floor = 4e-4});
  const auto samples = read_batch(paths, s, w.config.bands);
  const unmask::train::loss_spec spec{.kind = unmask::train::stage::mask_aware};
  t.step(samples, spec);
  std::ofstream file(output_path, std::ios::binary);
  for (const unmask::parameter& p : t.manifest().entries) {
    std::vector<float> gradient(static_cast<std::size_t>(p.size));
    unmask::export_parameter(p, t.gradients().data(), gradient.data());
    file.write(reinterpret_cast<const char*>(gradient.data()), p.size * static_cast<std::streamsize>(sizeof(float)));
  }
  if (!file.flush()) fail(output_path + ": cannot write");
  serve([&] { t.step(samples, spec); });
}

void follow(unmask::model w, char** paths, shape s, const std::string& output_path, index_t steps,
            unmask::train::stage kind, index_t batches) {
  trainer t = make_trainer(w, s, {.steps = steps});
  std::vector<unmask::train::batch<float>> samples;
  for (index_t i = 0; i < batches; ++i) samples.push_back(read_batch(paths, s, w.config.bands, i));
  for (index_t i = 0; i < steps; ++i)
    std::printf("%.9g\n", t.step(samples[static_cast<std::size_t>(i % batches)], {.kind = kind}).loss);
  if (auto done = unmask::io::write_weights(output_path, {w.config, {t.parameters().begin(), t.parameters().end()}});
      !done)
    fail(done.error().message());
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  const auto shape_at = [&](int i) {
    return shape{std::stol(argv[i]), std::stol(argv[i + 1]), std::stol(argv[i + 2]), std::stoi(argv[i + 3])};
  };
  const auto weights = [&] { return valid(unmask::io::read_weights(std::string(argv[2]))); };
  if (mode == "weights" && argc == 6)
    make_weights(argv[2], std::stoul(argv[3]), std::stod(argv[4]), argv[5]);
  else if (mode == "peak" && argc == 3)
    peak(std::stoi(argv[2]));
  else if ((mode == "inference" || mode == "once") && argc == 10)
    infer(mode == "once", weights(), argv[3], argv[4], shape_at(5), argv[9]);
  else if (mode == "training" && argc == 11)
    train(weights(), argv + 3, shape_at(6), argv[10]);
  else if (mode == "parity" && argc == 14)
    follow(weights(), argv + 3, shape_at(6), argv[10], std::stol(argv[11]),
           std::string(argv[12]) == "me" ? unmask::train::stage::mask_encoding : unmask::train::stage::mask_aware,
           std::stol(argv[13]));
  else
    fail("see the first lines of unmask_peer.cpp for its arguments");
}
