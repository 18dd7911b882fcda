/// The whole network: a forward pass, and a training step's forward and backward, by size and threads.
/// Counter: pixels a second.

#include <benchmark/benchmark.h>

#include <unmask/unmask.hpp>

namespace {

using unmask::index_t;
using network = unmask::s2_network<float, unmask::cpu>;

struct planned {
  index_t batch, side;
  unmask::s2_config config;
  network net;
  unmask::memory_block block;
  std::vector<float> parameters, gradients, x, y, mask;

  planned(const benchmark::State& s, unmask::s2_mode mode)
      : batch(s.range(1)),
        side(s.range(2)),
        config(s.range(0) ? unmask::s2_config{} : unmask::small_config()),
        net(unmask::cpu{.threads = static_cast<int>(s.range(3))}, config, {batch, side, side}, mode) {
    unmask::arena count;
    net.carve(count);
    block = unmask::memory_block(count.peak());
    unmask::arena memory(block.data(), block.bytes());
    net.carve(memory);
    const auto m = unmask::make_manifest(config);
    parameters.resize(static_cast<std::size_t>(m.size));
    gradients.resize(parameters.size());
    unmask::initialise(parameters.data(), m, 1);
    unmask::random draw(2);
    x.resize(static_cast<std::size_t>(batch * side * side * config.bands));
    y.resize(x.size());
    mask.resize(static_cast<std::size_t>(batch * side * side));
    for (auto* values : {&x, &mask})
      for (float& v : *values) v = static_cast<float>(draw.uniform());
  }
  template <class T>
  unmask::array_view<T, 4> image(T* data) const {
    return unmask::array_view<T, 4>(data, batch, side, side, index_t{config.bands});
  }
  unmask::array_view<const float, 3> mask_view() const {
    return unmask::array_view<const float, 3>(mask.data(), batch, side, side);
  }
  void report(benchmark::State& s) const {
    s.counters["pixels/s"] =
        benchmark::Counter(static_cast<double>(batch * side * side), benchmark::Counter::kIsIterationInvariantRate);
    s.counters["MB"] = static_cast<double>(block.bytes()) / 1e6;
  }
};

void inference(benchmark::State& s) {
  planned p(s, unmask::s2_mode::inference);
  for (auto _ : s)
    p.net.forward(p.image(p.y.data()), p.image(static_cast<const float*>(p.x.data())), p.mask_view(),
                  p.parameters.data());
  p.report(s);
}

void training(benchmark::State& s) {
  planned p(s, unmask::s2_mode::training);
  const auto x = p.image(static_cast<const float*>(p.x.data()));
  for (auto _ : s) {
    p.net.forward(p.image(p.y.data()), x, p.mask_view(), p.parameters.data());
    p.net.backward({p.gradients.data()}, {p.image(static_cast<const float*>(p.y.data()))}, p.mask_view(),
                   p.parameters.data());
  }
  p.report(s);
}

}  // namespace

BENCHMARK(inference)
    ->ArgNames({"full", "batch", "side", "threads"})
    ->ArgsProduct({{0}, {1, 4}, {64}, {1, 2}})
    ->Args({1, 1, 64, 2})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK(training)
    ->ArgNames({"full", "batch", "side", "threads"})
    ->ArgsProduct({{0}, {4}, {64}, {1, 2}})
    ->Args({1, 1, 64, 2})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
