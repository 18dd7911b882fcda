/// Reconstruction inside a product: snapshots in, cubes out, frame by frame. Weights lie in the executable and all
/// memory is one static block: no heap after the start, no exceptions, no RTTI, no streams, one thread.
///
///   embedded HEIGHT WIDTH MASK [SNAPSHOTS|-] [DEADLINE_MS] > cubes
///
/// All files are raw floats of this machine's byte order: the mask [H, W], snapshots [H, W + 2 (28 - 1)] one after the
/// other, cubes [H, W, 28]. The cubes are those of `unmask reconstruct --refinements 0` (docs/embedded.md).
/// Exit code: 0; 2 wrong input; 3 a frame came after its deadline (it is written all the same).

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <unmask_models/general.hpp>

#if defined(EMBEDDED_SINGLE)
#include <unmask_single.hpp>
#else
#include <unmask/nn/cpu/all.hpp>
#include <unmask/optics/adaptive_spectral_tv.hpp>
#include <unmask/weights/selftest.hpp>
#endif

#if !defined(EMBEDDED_BYTES)
#define EMBEDDED_BYTES (96 << 20)  // enough for 256 x 256; what is not used is never touched
#endif

namespace {

using network = unmask::s2_network<float, unmask::cpu>;

/// The product's memory. Plans grow from its beginning; what C++ allocates while they are made, from its end.
alignas(unmask::alignment) std::byte memory[EMBEDDED_BYTES];
std::size_t free_end = sizeof memory;
bool started = false;

[[noreturn]] void die(const char* what) {
  std::fprintf(stderr, "embedded: %s\n", what);
  std::_Exit(2);
}

void* take(std::size_t bytes, std::size_t align) {
  if (started) die("asked for heap after the start");
  if (bytes > free_end) die("EMBEDDED_BYTES is too small");
  free_end = (free_end - bytes) / align * align;
  return memory + free_end;
}

}  // namespace

void* operator new(std::size_t bytes) { return take(bytes, __STDCPP_DEFAULT_NEW_ALIGNMENT__); }
void* operator new(std::size_t bytes, std::align_val_t align) { return take(bytes, static_cast<std::size_t>(align)); }
void operator delete(void*) noexcept {}  // plans are made once
void operator delete(void*, std::size_t) noexcept {}
void operator delete(void*, std::align_val_t) noexcept {}
void operator delete(void*, std::size_t, std::align_val_t) noexcept {}

namespace {

double now_ms() {
  timespec t;
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) * 1e-6;
}

/// Whole, or -1 at the end of the file; anything between ends the program.
bool read_floats(int file, float* to, std::size_t count, const char* name) {
  auto* bytes = reinterpret_cast<char*>(to);
  std::size_t done = 0;
  while (done < count * sizeof(float)) {
    const ssize_t n = ::read(file, bytes + done, count * sizeof(float) - done);
    if (n == 0 && done == 0) return false;
    if (n <= 0) {
      std::fprintf(stderr, "embedded: %s: ends after %zu bytes, expected %zu\n", name, done, count * sizeof(float));
      std::_Exit(2);
    }
    done += static_cast<std::size_t>(n);
  }
  return true;
}

void write_floats(const float* from, std::size_t count) {
  const auto* bytes = reinterpret_cast<const char*>(from);
  for (std::size_t done = 0; done < count * sizeof(float);) {
    const ssize_t n = ::write(STDOUT_FILENO, bytes + done, count * sizeof(float) - done);
    if (n <= 0) die("the cube cannot be written");
    done += static_cast<std::size_t>(n);
  }
}

struct deadline_monitor {
  double limit_ms, longest = 0, sum = 0;
  long frames = 0, late = 0;

  void frame(double ms) {
    ++frames;
    sum += ms;
    if (ms > longest) longest = ms;
    if (!(ms > limit_ms)) return;
    ++late;
    std::fprintf(stderr, "frame %ld: %.2f ms, allowed %.2f\n", frames, ms, limit_ms);
  }
  void report() const {
    std::fprintf(stderr, "%ld frames, mean %.2f ms, longest %.2f ms, %ld late\n", frames,
                 frames > 0 ? sum / static_cast<double>(frames) : 0., longest, late);
  }
};

int open_or_die(const char* path) {
  const int file = std::strcmp(path, "-") == 0 ? STDIN_FILENO : ::open(path, O_RDONLY);
  if (file < 0) std::fprintf(stderr, "embedded: %s: cannot be opened\n", path), std::_Exit(2);
  return file;
}

void die_unless(const unmask::weights::verdict& ok) {
  if (!ok) die(ok.message());
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 4 || count > 6) die("HEIGHT WIDTH MASK [SNAPSHOTS|-] [DEADLINE_MS]");
  const unmask::index_t height = std::atoi(arguments[1]), width = std::atoi(arguments[2]);
  if (height < 8 || width < 8 || height > 4096 || width > 4096) die("HEIGHT and WIDTH are 8 to 4096");
  const unmask::cpu backend{.threads = 1};

  // Weights, from the executable; the self-test runs in memory that the plans take afterwards.
  const auto bytes = unmask_models::general();
  std::uint64_t need = 0;
  die_unless(unmask::weights::bytes_for(bytes, need));
  unmask::arena plan(memory, sizeof memory);
  const auto room = static_cast<std::size_t>(need);
  if (room > sizeof memory / 2) die("EMBEDDED_BYTES is too small");
  auto* const block = plan.take<std::byte>(static_cast<unmask::index_t>(room));
  unmask::weights::loaded_model<> model;
  die_unless(unmask::weights::load(model, bytes, {block, room}));
  const std::size_t level = plan.level();
  die_unless(unmask::weights::selftest(backend, model, {memory + level, free_end / 2 - level}));
  if (model.start != unmask::initial_kind::spectral_tv || model.direction != unmask::dispersion_direction::right)
    die("this product is for models that start from spectral TV, dispersed to the right");

  // The camera, and both plans in one block: counted first, then carved.
  const auto pixels = static_cast<std::size_t>(height * width);
  auto* const mask = static_cast<float*>(::operator new(pixels * sizeof(float)));
  if (!read_floats(open_or_die(arguments[3]), mask, pixels, arguments[3])) die("the mask is empty");
  const unmask::array_view<const float, 2> mask_view(mask, height, width);
  const unmask::index_t bands = model.config.bands;
  const auto camera = unmask::optics::camera::create(mask_view, bands, model.dispersion_step);
  if (!camera) die(camera.error().message().c_str());
  if (auto ok = unmask::optics::spectral_tv::check(*camera, model.spectral_basis); !ok)
    die(ok.error().message().c_str());
  unmask::optics::adaptive_spectral_tv estimate(*camera, model.spectral_basis);
  unmask::session<network> session(backend, model.config, {1, height, width});
  const auto& g = camera->geometry();
  float *measured = nullptr, *found = nullptr;
  const auto carve = [&](unmask::arena& a) {
    measured = a.take<float>(height * g.measurement_width());
    found = a.take<float>(g.cube_size());
    estimate.carve(a);
    session.carve(a);
    estimate.carve_scratch(a);
  };
  unmask::arena counting;
  carve(counting);
  if (level + counting.peak() > free_end) {
    std::fprintf(stderr, "embedded: needs %zu bytes, EMBEDDED_BYTES leaves %zu\n", level + counting.peak(), free_end);
    return 2;
  }
  carve(plan);
  std::memset(memory + level, 0, counting.peak());  // no page is touched for the first time while frames run
  estimate.prepare(backend);
  if (auto ok = session.prepare(model.parameters, camera->mask()); !ok) die(ok.error().message().c_str());
  const unmask::array_view<float, 2> y(measured, height, g.measurement_width());
  const unmask::array_view<float, 3> x(found, height, width, bands);
  std::fprintf(stderr, "%zu KB of %zu KB\n", (level + counting.peak() + sizeof memory - free_end) / 1024,
               sizeof memory / 1024);

  const char* const from = count > 4 ? arguments[4] : "-";
  const int snapshots = open_or_die(from);
  deadline_monitor monitor{count > 5 ? std::atof(arguments[5]) : 1e9};
  started = true;
  while (read_floats(snapshots, measured, static_cast<std::size_t>(y.size()), from)) {
    const double begin = now_ms();
    if (!unmask::all_finite(measured, y.size())) die("a snapshot holds a value that is not finite");
    estimate.run(backend, x, y);
    session.run(x, x);
    if (!unmask::all_finite(found, x.size())) die("a cube is not finite");
    monitor.frame(now_ms() - begin);
    write_floats(found, static_cast<std::size_t>(x.size()));
  }
  monitor.report();
  return monitor.late > 0 ? 3 : 0;
}
