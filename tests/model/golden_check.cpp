/// golden_check DIR [PART ...]: compares this library with stored inputs, parameters, outputs and gradients of the
/// released network. Reads every *.h5 of the folder (whose name holds one of the parts, where there are any) and prints
/// one line a file: the worst norm-wise relative error of output, pins, input gradient, mask gradient and all parameter
/// gradients, for ref<double>, cpu<double> and cpu<float>; compiled for cuda: cuda<double> and cuda<float>. Exit code 1
/// where one is above its bound (or not a number), 2 where a file cannot be read.

#include "../nn/tested_backend.hpp"
// a kernel's emulator comes before what includes its launcher
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string>

#include "golden_case.hpp"

using namespace unmask;

namespace {

/// Norm-wise relative error; a gradient that is zero in exact arithmetic is compared with 1.
struct worst_error {
  double value = 0;
  std::string where = "-";

  void compare(const std::string& name, const double* found, const std::vector<double>& expected, bool zero = false) {
    double difference = 0, size = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      difference += (found[i] - expected[i]) * (found[i] - expected[i]);
      size += expected[i] * expected[i];
    }
    const double e = zero ? std::sqrt(difference) : std::sqrt(difference) / std::sqrt(size);
    if (!(e <= value)) value = e, where = name;  // a NaN is the worst error
  }
};

/// [B, C, H, W] of the file -> [B, H, W, C] of the library, or back.
template <class To, class From>
std::vector<To> channels_last(const std::vector<From>& x, index_t b, index_t c, index_t n) {
  std::vector<To> y(x.size());
  for (index_t i = 0; i < b; ++i)
    for (index_t k = 0; k < c; ++k)
      for (index_t p = 0; p < n; ++p)
        y[static_cast<std::size_t>((i * n + p) * c + k)] =
            static_cast<To>(x[static_cast<std::size_t>((i * c + k) * n + p)]);
  return y;
}

template <class T, class Backend>
worst_error run(const golden_case& g, Backend be) {
  using network = s2_network<T, Backend>;
  const s2_config& c = g.config;
  const index_t b = g.batch, h = g.height, w = g.width, hp = c.padded(h), wp = c.padded(w);
  network net(be, c, {b, h, w}, s2_mode::training);
  arena count;
  net.carve(count);
  memory_block block(count.peak());
  arena real(block.data(), block.bytes());
  net.carve(real);

  const manifest m = network::manifest(c);
  std::vector<T> parameters(static_cast<std::size_t>(m.size)), gradients(parameters.size());
  for (const parameter& p : m.entries) import_parameter(p, parameters.data(), g.parameters.at(p.name).data());
  const auto x = channels_last<T>(g.x, b, c.bands, h * w);
  const auto mask = channels_last<T>(g.mask, b, 1, hp * wp);
  std::vector<T> y(x.size()), dx(x.size()), dmask(mask.size());
  const auto image = [&](auto* data, index_t rows, index_t cols) {
    return array_view<std::remove_pointer_t<decltype(data)>, 4>(data, b, rows, cols, index_t{c.bands});
  };
  const array_view<const T, 3> mask_view(mask.data(), b, hp, wp);
  net.forward(image(y.data(), h, w), image(x.data(), h, w), mask_view, parameters.data());

  worst_error worst;
  const auto compare_image = [&](const std::string& name, const T* found, const std::vector<double>& expected,
                                 index_t n) {
    const auto e = channels_last<double>(expected, b, c.bands, n);
    const std::vector<double> f(found, found + e.size());
    worst.compare(name, f.data(), e);
  };
  compare_image("out", y.data(), g.out, h * w);
  std::vector<std::vector<T>> dpins;
  std::vector<array_view<const T, 4>> pin_views;
  for (std::size_t i = 0; i < g.pins.size(); ++i) {
    compare_image("pin" + std::to_string(i), net.pin(static_cast<int>(i)).data(), g.pins[i], hp * wp);
    dpins.push_back(channels_last<T>(g.loss_pins[i], b, c.bands, hp * wp));
  }
  for (const auto& d : dpins) pin_views.push_back(image(d.data(), hp, wp));
  const auto dy = channels_last<T>(g.loss_out, b, c.bands, h * w);
  net.backward({gradients.data(), image(dx.data(), h, w), array_view<T, 3>(dmask.data(), b, hp, wp)},
               {image(dy.data(), h, w), pin_views}, mask_view, parameters.data());
  compare_image("grad x", dx.data(), g.grad_x, h * w);
  if (!g.grad_mask.empty()) {
    const std::vector<double> f(dmask.begin(), dmask.end());
    worst.compare("grad mask", f.data(), g.grad_mask);
  }
  for (const parameter& p : m.entries) {
    std::vector<double> found(static_cast<std::size_t>(p.size));
    export_parameter(p, gradients.data(), found.data());
    worst.compare("grad " + p.name, found.data(), g.gradients.at(p.name), g.zero_gradients.contains(p.name));
  }
  return worst;
}

}  // namespace

int main(int argc, char** argv) {
  namespace fs = std::filesystem;
  if (argc < 2 || !fs::is_directory(argv[1])) {
    std::fprintf(stderr,
                 "golden_check: expected a folder of golden *.h5 files and, if not all, parts of their names\n");
    return 2;
  }
  std::vector<fs::path> files;
  const auto wanted = [&](const std::string& name) {
    return argc == 2 ||
           std::any_of(argv + 2, argv + argc, [&](const char* part) { return name.find(part) != name.npos; });
  };
  for (const auto& entry : fs::directory_iterator(argv[1]))
    if (entry.path().extension() == ".h5" && wanted(entry.path().filename().string())) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  if (files.empty()) {
    std::fprintf(stderr, "golden_check: %s: no *.h5 files\n", argv[1]);
    return 2;
  }
  int failed = 0;
  constexpr bool device = unmask_test::on_device<unmask_test::tested_backend>;
  const char* const name = device ? "cuda" : "cpu";
  const unmask_test::tested_backend be = unmask_test::tested_variants()[1].be;
  std::printf("%-42s %10s %5s<f64> %5s<f32>   worst of %s<float>\n", "file", device ? "" : "ref<f64>", name, name,
              name);
  for (const auto& file : files) {
    const auto g = read_golden(file.string());
    if (!g) {
      std::fprintf(stderr, "golden_check: %s\n", g.error().message().c_str());
      return 2;
    }
    const double exact = g->stored_float ? 2e-7 : 1e-9;
    // the check of cpu has seen ref
    const worst_error r = device ? worst_error{} : run<double>(*g, ref{}), d = run<double>(*g, be),
                      f = run<float>(*g, be);
    const bool ok = r.value <= exact && d.value <= exact && f.value <= 5e-4;
    failed += !ok;
    std::printf("%-42s ", file.filename().c_str());
    device ? std::printf("%10s", "") : std::printf("%10.2e", r.value);
    std::printf(" %10.2e %10.2e   %s%s\n", d.value, f.value, f.where.c_str(), ok ? "" : "   FAILED");
    if (!ok) std::printf("  worst of ref<f64>: %s, of %s<f64>: %s\n", r.where.c_str(), name, d.where.c_str());
    std::fflush(stdout);
  }
  std::printf("%zu files, %d failed (bounds: double 1e-9, or 2e-7 where the file stores float32; float 5e-4)\n",
              files.size(), failed);
  return failed ? 1 : 0;
}
