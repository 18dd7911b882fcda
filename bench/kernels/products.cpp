/// The product under every linear map and attention, on the network's own shapes, beside plain Eigen and, where it is
/// installed, oneDNN. Counters: FLOP/s, the multiply-add peak measured beside, and the share of it. One thread; Eigen
/// is kept to one by the macro below, which no consumer of the library ever sees.

#define EIGEN_DONT_PARALLELIZE
#include <Eigen/Core>
#include <unmask/unmask.hpp>

#include "fma_peak.hpp"

#if BENCH_ONEDNN
#include <oneapi/dnnl/dnnl.hpp>
#endif

namespace {

using unmask::index_t;

/// m x n x k and whether A is transposed (a weight gradient).
const std::vector<std::vector<std::int64_t>> shapes{
    {64, 180, 60, 0}, {64, 60, 60, 0},  {64, 240, 60, 0}, {64, 60, 240, 0}, {64, 64, 10, 0},
    {64, 10, 64, 0},  {64, 60, 180, 0}, {60, 240, 64, 1}, {60, 60, 64, 1},  {10, 10, 64, 1}};

struct operands {
  index_t m, n, k;
  bool turned;
  std::vector<float> a, b, c;
  explicit operands(const benchmark::State& s) : m(s.range(0)), n(s.range(1)), k(s.range(2)), turned(s.range(3) != 0) {
    unmask::random draw(1);
    for (auto [values, size] : {std::pair{&a, m * k}, std::pair{&b, k * n}, std::pair{&c, m * n}}) {
      values->resize(static_cast<std::size_t>(size));
      for (float& v : *values) v = static_cast<float>(draw.normal());
    }
  }
  double flops() const { return 2. * static_cast<double>(m * n * k); }
};

template <class Backend>
void product(benchmark::State& s) {
  operands o(s);
  const auto left = o.turned ? unmask::transposed(static_cast<const float*>(o.a.data()), o.m)
                             : unmask::rows_of(static_cast<const float*>(o.a.data()), o.k);
  benchmark::DoNotOptimize(o.c.data());
  bench::beside_peak<float>(s, o.flops(), 1, [&] {
    unmask::multiply(Backend{}, {o.c.data(), o.n}, left, {o.b.data(), o.n}, {o.m, o.n, o.k});
  });
}

void product_eigen(benchmark::State& s) {
  operands o(s);
  using matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const Eigen::Map<const matrix> a(o.a.data(), o.turned ? o.k : o.m, o.turned ? o.m : o.k), b(o.b.data(), o.k, o.n);
  Eigen::Map<matrix> c(o.c.data(), o.m, o.n);
  benchmark::DoNotOptimize(c.data());
  bench::beside_peak<float>(s, o.flops(), 1, [&] {
    if (o.turned)
      c.noalias() = a.transpose() * b;
    else
      c.noalias() = a * b;
  });
}

#if BENCH_ONEDNN
void product_onednn(benchmark::State& s) {
  operands o(s);
#if UNMASK_HAS_OPENMP
  omp_set_num_threads(1);
#endif
  bench::beside_peak<float>(s, o.flops(), 1, [&] {
    dnnl::sgemm(o.turned ? 'T' : 'N', 'N', o.m, o.n, o.k, 1, o.a.data(), o.turned ? o.m : o.k, o.b.data(), o.n, 0,
                o.c.data(), o.n);
  });
}
#endif

void all(benchmark::internal::Benchmark* b) {
  for (const auto& shape : shapes) b->Args(shape);
  b->ArgNames({"m", "n", "k", "t"})->UseManualTime()->Iterations(40);
}

}  // namespace

BENCHMARK(product<unmask::cpu>)->Apply(all);
BENCHMARK(product_eigen)->Apply(all);
#if BENCH_ONEDNN
BENCHMARK(product_onednn)->Apply(all);
#endif
BENCHMARK(product<unmask::ref>)->Apply(all);
