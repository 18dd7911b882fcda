#pragma once

/// The multiply-add peak of the moment, and timing beside it. A share of the peak says how good a kernel is on any
/// machine; GFLOP/s alone say as much about the clock and the neighbours.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>
#include <unmask/parallel/parallel_for.hpp>
#include <unmask/simd/pack.hpp>
#include <vector>

namespace bench {

/// One thread is timed by the processor's time, which leaves out what the neighbours were given; several by the clock.
inline double seconds(int threads) {
  if (threads == 1) return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Twelve chains hide the latency of every core we know (4 or 5 cycles, 2 a cycle) and fit in 16 registers.
inline constexpr int chains = 12;

template <class T>
[[gnu::noinline]] void multiply_add_chains(unmask::index_t n) {
  using P = unmask::simd::pack<T>;
  const auto factor = P::all(T(0.999)), term = P::all(T(0.001));
  std::array<typename P::type, chains> sum;
  for (int i = 0; i < chains; ++i) sum[static_cast<std::size_t>(i)] = P::all(static_cast<T>(i));
  for (unmask::index_t k = 0; k < n; ++k)
#pragma GCC unroll 16
    for (std::size_t i = 0; i < chains; ++i) sum[i] = P::fma(sum[i], factor, term);
  for (auto& s : sum) benchmark::DoNotOptimize(P::sum(s));
}

/// FLOP/s of registers alone on `threads` threads, from one run of about a quarter of a millisecond.
template <class T>
double multiply_add_rate(int threads) {
  constexpr unmask::index_t n = 100000;
  const double start = seconds(threads);
  unmask::parallel_for(unmask::cpu{.threads = threads}, threads,
                       [](unmask::index_t, int) { multiply_add_chains<T>(n); });
  return 2. * chains * n * threads * static_cast<double>(unmask::simd::pack<T>::lanes) / (seconds(threads) - start);
}

inline double median(std::vector<double> v) {
  std::nth_element(v.begin(), v.begin() + static_cast<std::ptrdiff_t>(v.size() / 2), v.end());
  return v[v.size() / 2];
}

/// Runs of `body` and of the peak in turn; counters are medians: FLOP/s and their share of the peak where `flops` is
/// not 0, bytes/s where `bytes` is not.
template <class T, class Body>
void beside_peak(benchmark::State& s, double flops, int threads, Body&& body, double bytes = 0) {
  const int repeats = 1 + static_cast<int>(2e7 / std::max(flops, bytes));
  std::vector<double> times, peaks;
  body();
  for (auto _ : s) {
    const double start = seconds(threads);
    for (int i = 0; i < repeats; ++i) {
      body();
      benchmark::ClobberMemory();
    }
    times.push_back((seconds(threads) - start) / repeats);
    s.SetIterationTime(times.back());
    peaks.push_back(multiply_add_rate<T>(threads));
  }
  const double time = median(times), peak = median(peaks);
  s.counters["peak"] = peak;
  if (bytes > 0) s.counters["bytes/s"] = bytes / time;
  if (flops <= 0) return;
  s.counters["FLOP/s"] = flops / time;
  s.counters["share"] = flops / time / peak;
}

}  // namespace bench
