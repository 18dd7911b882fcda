/// A stream of snapshots through one camera: snapshots a second, and how long each took.
///
///   stream WEIGHTS [FRAMES=2000] [SECONDS=60] [SIDES=64,128,256] [THREADS=1,2] [LOAD=none|compute|memory]
///   [REFINEMENTS=0]
///
/// A row for each side and number of threads, of so many frames or of as many as fit into the seconds; LOAD: another
/// process for each processor, that computes or that streams memory. The last columns tell of the slowest hundredth how
/// much longer than the median it took (100 %), and where that went: `waited`, no processor was given (wall clock less
/// processor time); `faults`, frames that touched new pages; `work`, more processor time for a frame with more work
/// (passes of refinement follow a frame's noise); `slower`, more processor time for the same work (clock, caches, the
/// other hyperthread).
///
/// The last row of a side, "2 streams", has two reconstructors of one thread each, a frame apart: what overlapping one
/// frame's estimate with the last one's network could give at best.

#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <numeric>
#include <thread>
#include <unmask/io/weights.hpp>
#include <unmask/reconstruct/reconstructor.hpp>
#include <unmask/scenes/generate.hpp>

namespace {

using namespace unmask;

struct settings {
  std::string weights, load = "none";
  index_t frames = 2000, refinements = 0;
  double seconds = 60;
  std::vector<index_t> sides{64, 128, 256}, threads{1, 2};
};

double clock_ms(clockid_t which) {
  timespec t;
  ::clock_gettime(which, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) * 1e-6;
}

struct frame_cost {
  double wall = 0, processor = 0;  ///< ms
  long faults = 0, switches = 0;   ///< pages; how often another process was given the processor
  index_t passes = 0;
};

/// What one frame costs the process; with several threads processor time is theirs together.
template <class Work>
frame_cost measured(Work&& work) {
  rusage before, after;
  ::getrusage(RUSAGE_SELF, &before);
  const double wall = clock_ms(CLOCK_MONOTONIC), processor = clock_ms(CLOCK_PROCESS_CPUTIME_ID);
  work();
  frame_cost c{clock_ms(CLOCK_MONOTONIC) - wall, clock_ms(CLOCK_PROCESS_CPUTIME_ID) - processor};
  ::getrusage(RUSAGE_SELF, &after);
  c.faults = after.ru_minflt - before.ru_minflt + after.ru_majflt - before.ru_majflt;
  c.switches = after.ru_nivcsw - before.ru_nivcsw;
  return c;
}

/// Processes that keep every processor busy until this ends.
class other_load {
 public:
  explicit other_load(const std::string& kind) {
    if (kind == "none") return;
    for (unsigned i = 0; i < std::max(1u, std::thread::hardware_concurrency()); ++i) {
      const pid_t child = ::fork();
      if (child == 0) work(kind == "memory");
      children_.push_back(child);
    }
  }
  other_load(const other_load&) = delete;
  other_load& operator=(const other_load&) = delete;
  ~other_load() {
    for (const pid_t child : children_) {
      ::kill(child, SIGKILL);
      ::waitpid(child, nullptr, 0);
    }
  }

 private:
  [[noreturn]] static void work(bool memory) {
    std::vector<float> numbers(memory ? (64u << 20) / sizeof(float) : 1024, 1.f);
    for (;;)
      for (volatile float& x : numbers) x = x * .999f + .001f;
  }
  std::vector<pid_t> children_;
};

/// A camera, and snapshots of some scenes that take turns.
class source {
 public:
  source(const model& m, index_t side) : camera_(made(m, side)) {
    for (std::uint64_t seed = 1; seed <= 4; ++seed) {
      const auto scene = scenes::generate(side, side, m.wavelengths, seed);
      snapshots_.emplace_back(camera_.geometry().measurement_extents());
      camera_.forward(cpu{}, snapshots_.back().view(), scene.view());
    }
  }
  const optics::camera& camera() const { return camera_; }
  const tensor<float, 2>& snapshot(index_t i) const { return snapshots_[static_cast<std::size_t>(i) % 4]; }

 private:
  static optics::camera made(const model& m, index_t side) {
    const auto mask = scenes::grey_mask(side, side, 1);
    return optics::camera::create(mask.view(), m.config.bands, m.dispersion_step, m.direction).value();
  }
  optics::camera camera_;
  std::vector<tensor<float, 2>> snapshots_;
};

double quantile(const std::vector<double>& sorted, double q) {
  return sorted[static_cast<std::size_t>(q * static_cast<double>(sorted.size() - 1) + .5)];
}

/// The row of a table, and where the slowest hundredth lost its time.
void report(const char* name, index_t side, const std::vector<frame_cost>& frames, double total_ms, int threads) {
  std::vector<double> wall, processor;
  for (const frame_cost& f : frames) wall.push_back(f.wall), processor.push_back(f.processor);
  std::sort(wall.begin(), wall.end());
  std::sort(processor.begin(), processor.end());
  const double p50 = quantile(wall, .5), p99 = quantile(wall, .99), usual = quantile(processor, .5);
  index_t most_passes = 0;
  for (const frame_cost& f : frames) most_passes = std::max(most_passes, f.passes);
  double extra = 0, waited = 0, work = 0, slower = 0;
  long slow = 0, faults = 0, switches = 0;
  for (const frame_cost& f : frames) {
    if (f.wall < p99) continue;
    ++slow;
    const double more = std::max(0., (f.processor - usual) / threads);
    extra += f.wall - p50;
    waited += std::max(0., (f.wall - p50) - more);
    (f.passes == most_passes && most_passes > 0 ? work : slower) += more;
    faults += f.faults > 0;
    switches += f.switches;
  }
  const auto share = [&](double part) { return extra > 0 ? 100 * part / extra : 0; };
  std::printf(
      "%4td  %-9s %6zu %8.2f %8.2f %8.2f %8.2f   +%5.0f %%  waited %3.0f %% (%ld switches)  work %3.0f %%  slower "
      "%3.0f %%  faults in %ld of %ld\n",
      side, name, frames.size(), 1e3 * static_cast<double>(frames.size()) / total_ms, p50, p99, wall.back(),
      100 * (p99 / p50 - 1), share(waited), switches, share(work), share(slower), faults, slow);
  std::fflush(stdout);
}

result<> one_stream(const settings& o, const model& m, const source& from, index_t side, int threads) {
  reconstruct_options options;
  options.refinements = o.refinements;
  auto r = reconstructor<cpu>::create({.threads = threads}, m, from.camera(), options);
  if (!r) return r.error();
  tensor<float, 3> cube(from.camera().geometry().cube_extents());
  for (index_t i = 0; i < 3; ++i) r->run(cube.view(), from.snapshot(i).view());
  std::vector<frame_cost> frames;
  frames.reserve(static_cast<std::size_t>(o.frames));
  const double begin = clock_ms(CLOCK_MONOTONIC);
  for (index_t i = 0; i < o.frames && clock_ms(CLOCK_MONOTONIC) - begin < 1e3 * o.seconds; ++i) {
    run_outcome outcome;
    frames.push_back(measured([&] { outcome = r->run(cube.view(), from.snapshot(i).view()); }));
    frames.back().passes = r->taken().passes;
    if (!outcome) return error(errc::not_finite, "a frame is not finite");
  }
  const std::string name = std::to_string(threads) + (threads > 1 ? " threads" : " thread");
  report(name.c_str(), side, frames, clock_ms(CLOCK_MONOTONIC) - begin, threads);
  return {};
}

/// Two at once, each a frame in a thread of its own.
result<> two_streams(const settings& o, const model& m, const source& from, index_t side) {
  reconstruct_options options;
  options.refinements = o.refinements;
  auto a = reconstructor<cpu>::create({.threads = 1}, m, from.camera(), options);
  auto b = reconstructor<cpu>::create({.threads = 1}, m, from.camera(), options);
  if (!a || !b) return a ? b.error() : a.error();
  const double begin = clock_ms(CLOCK_MONOTONIC);
  std::array<std::vector<frame_cost>, 2> frames;
  const auto stream = [&](reconstructor<cpu>& r, std::vector<frame_cost>& to) {
    tensor<float, 3> cube(from.camera().geometry().cube_extents());
    for (index_t i = 0; i < o.frames / 2 && clock_ms(CLOCK_MONOTONIC) - begin < 1e3 * o.seconds; ++i) {
      const double start = clock_ms(CLOCK_MONOTONIC);
      r.run(cube.view(), from.snapshot(i).view());
      to.push_back({.wall = clock_ms(CLOCK_MONOTONIC) - start});
    }
  };
  std::thread other([&] { stream(*b, frames[1]); });
  stream(*a, frames[0]);
  other.join();
  const double total = clock_ms(CLOCK_MONOTONIC) - begin;
  std::vector<double> wall;
  for (const auto& part : frames)
    for (const frame_cost& f : part) wall.push_back(f.wall);
  std::sort(wall.begin(), wall.end());
  if (wall.empty()) return error(errc::bad_argument, "no frame in that time");
  std::printf("%4td  %-9s %6zu %8.2f %8.2f %8.2f %8.2f\n", side, "2 streams", wall.size(),
              1e3 * static_cast<double>(wall.size()) / total, quantile(wall, .5), quantile(wall, .99), wall.back());
  return {};
}

std::vector<index_t> numbers(const char* text) {
  std::vector<index_t> list;
  for (char* at = const_cast<char*>(text); *at != 0; at += *at == ',') list.push_back(std::strtol(at, &at, 10));
  return list;
}

result<> run(const settings& o) {
  const auto m = io::read_weights(o.weights);
  if (!m) return m.error();
  const other_load load(o.load);
  std::printf(
      "other load: %s; refinements: %td; times in ms\nside  with      frames  a second      p50      p99      max   "
      "the slowest hundredth over p50\n",
      o.load.c_str(), o.refinements);
  for (const index_t side : o.sides) {
    const source from(*m, side);
    for (const index_t threads : o.threads)
      if (auto ok = one_stream(o, *m, from, side, static_cast<int>(threads)); !ok) return ok;
    if (o.threads.back() > 1)
      if (auto ok = two_streams(o, *m, from, side); !ok) return ok;
  }
  return {};
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 2 || count > 8)
    return std::fprintf(stderr, "stream WEIGHTS [FRAMES] [SECONDS] [SIDES] [THREADS] [LOAD] [REFINEMENTS]\n"), 2;
  settings o{.weights = arguments[1]};
  if (count > 2) o.frames = std::atol(arguments[2]);
  if (count > 3) o.seconds = std::atof(arguments[3]);
  if (count > 4) o.sides = numbers(arguments[4]);
  if (count > 5) o.threads = numbers(arguments[5]);
  if (count > 6) o.load = arguments[6];
  if (count > 7) o.refinements = std::atol(arguments[7]);
  const auto positive = [](const std::vector<index_t>& list) {
    return !list.empty() && std::all_of(list.begin(), list.end(), [](index_t n) { return n > 0; });
  };
  if (o.frames < 1 || !(o.seconds > 0) || !positive(o.sides) || !positive(o.threads) ||
      (o.load != "none" && o.load != "compute" && o.load != "memory"))
    return std::fprintf(stderr, "stream: an argument is out of range\n"), 2;
  if (auto ok = run(o); !ok) return std::fprintf(stderr, "%s\n", ok.error().message().c_str()), 2;
  return 0;
}
