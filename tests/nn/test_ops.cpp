/// Every row of the op-case table: gradients of `ref` against differences, `cpu` (or `cuda`) against `ref`, equal bits
/// for any thread count and alignment, guards, accumulation, no heap.

#include <doctest/doctest.h>

#include <algorithm>
#include <span>
#include <unmask/train/gradient_check.hpp>

#include "../model/heap_count.hpp"
#include "harness.hpp"

using namespace unmask_test;

namespace {

template <class T>
double norm(const T* x, index_t n) {
  double sum = 0;
  for (index_t i = 0; i < n; ++i) sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  return std::sqrt(sum);
}

template <class T>
double distance(const T* x, const double* y, index_t n) {
  double sum = 0;
  for (index_t i = 0; i < n; ++i) sum += (static_cast<double>(x[i]) - y[i]) * (static_cast<double>(x[i]) - y[i]);
  return std::sqrt(sum);
}

/// Central differences along random directions and at single elements, norm-wise 1e-6. Rounding of the scalar, 1e-16 of
/// the sum of its terms divided by 2e-5, is what remains where a gradient is zero in exact arithmetic (one token: q and
/// k of length 1 do not change with their size): 1e-10 of that sum allows for ten roundings a term.
void check_gradients(const op_case& row) {
  runner<ref, double> run(row, row.ref_double, ref{});
  run.forward();
  run.backward();
  double terms = 0;
  run.value(&terms);
  const auto f = [&] {
    run.forward();
    return run.value();
  };
  each_gradient(row, [&](const std::string& name, std::size_t i, index_t offset, index_t size) {
    INFO(row.name, ", gradient of ", name);
    const auto n = static_cast<std::size_t>(size);
    const std::span<double> x(run.x[i].data() + offset, n);
    const std::span<const double> g(run.d[i].data() + offset, n);
    std::vector<double> numeric, analytic;
    const auto add = [&](const train::gradient_check_report& r) {
      numeric.push_back(r.numeric);
      analytic.push_back(r.analytic);
    };
    for (std::uint64_t seed = 0; seed < 2; ++seed)
      add(train::check_gradient_along(f, x, g, {.projections = 1, .seed = seed}));
    const std::size_t elements = std::min<std::size_t>(n, 4);
    for (std::size_t k = 0; k < elements; ++k) {
      const std::size_t at = k * n / elements;
      add(train::check_gradient(f, x.subspan(at, 1), g.subspan(at, 1)));
    }
    const auto count = static_cast<index_t>(numeric.size());
    const double error = distance(numeric.data(), analytic.data(), count), size_of = norm(analytic.data(), count);
    INFO("error ", error, " of ", size_of);
    CHECK(error <= std::max(1e-6 * size_of, 1e-10 * terms));
  });
}

/// A gradient much smaller than its neighbours has lost digits by cancellation: its error counts against a thousandth
/// of the largest.
template <class T>
double check_against(const op_case& row, const runner<ref, double>& expected, const runner<tested_backend, T>& found) {
  const double tolerance = row.growth * static_cast<double>(std::numeric_limits<T>::epsilon());
  double worst = 0, largest = 0;
  for (std::size_t i = 0; i < row.operands.size(); ++i)
    if (row.operands[i].kind == role::output) {
      const index_t n = expected.x[i].size();
      const double error = distance(found.x[i].data(), expected.x[i].data(), n), size = norm(expected.x[i].data(), n);
      INFO(row.name, ", output ", row.operands[i].name, " of size ", size);
      CHECK(error <= tolerance * size);
      worst = std::max(worst, error / size);
    }
  each_gradient(row, [&](const std::string&, std::size_t i, index_t offset, index_t size) {
    largest = std::max(largest, norm(expected.d[i].data() + offset, size));
  });
  each_gradient(row, [&](const std::string& name, std::size_t i, index_t offset, index_t size) {
    const double error = distance(found.d[i].data() + offset, expected.d[i].data() + offset, size);
    const double scale = std::max(norm(expected.d[i].data() + offset, size), row.floor * largest);
    INFO(row.name, ", gradient of ", name, " of size ", scale, ", epsilon ", std::numeric_limits<T>::epsilon());
    CHECK(error <= tolerance * scale);
    if (scale > 0) worst = std::max(worst, error / scale);
  });
  return worst / static_cast<double>(std::numeric_limits<T>::epsilon());
}

template <class T>
double check_tested(const op_case& row, const op_run<tested_backend, T>& op, const runner<ref, double>& expected) {
  INFO(row.name);
  const auto variants = tested_variants();
  variants[0].enter();
  runner<tested_backend, T> one(row, op, variants[0].be);
  const std::size_t before = heap_calls();
  one.forward();
  one.backward();
  const std::size_t calls = heap_calls() - before;
  if (!on_device<tested_backend>) CHECK(calls == 0);  // emulated devices have a heap of their own
  CHECK(one.intact());
  const double worst = check_against(row, expected, one);
  for (const index_t offset : {0, 1})
    for (std::size_t i = offset == 0 ? 1 : 0; i < variants.size(); ++i) {
      INFO("variant ", i, ", offset ", offset);
      variants[i].enter();
      runner<tested_backend, T> other(row, op, variants[i].be, offset);
      other.forward();
      other.backward();
      CHECK(other.intact());
      CHECK(other.same_bits(one));
    }
  return worst;
}

/// Gradients that accumulate are moved by what was there, to the rounding of a sum with a number of size 3.
void check_accumulation(const op_case& row, const runner<ref, double>& expected) {
  runner<tested_backend, double> run(row, row.tested_double, tested_variants()[1].be);
  run.forward();
  run.backward(3);
  each_gradient(row, [&](const std::string& name, std::size_t i, index_t offset, index_t size) {
    INFO(row.name, ", accumulated gradient of ", name);
    double largest = 0, error = 0;
    const double start = row.operands[i].grad == gradient::accumulated ? 3 : 0;
    for (index_t k = offset; k < offset + size; ++k) {
      const double e = std::abs(run.d[i].data()[k] - start - expected.d[i].data()[k]);
      if (!(e <= error)) error = e;
      largest = std::max(largest, std::abs(expected.d[i].data()[k]));
    }
    CHECK(error <= 1e-11 * (3 + largest));
  });
}

void check_table(const op_table& table) {
  double worst_double = 0, worst_float = 0;
  for (const op_case& row : table) {
    runner<ref, double> expected(row, row.ref_double, ref{});
    expected.forward();
    expected.backward();
    {
      INFO(row.name);
      CHECK(expected.intact());
    }
    if (!on_device<tested_backend>) check_gradients(row);  // ref's gradients, which the host's tests have seen
    worst_double = std::max(worst_double, check_tested(row, row.tested_double, expected) / row.growth);
    worst_float = std::max(worst_float, check_tested(row, row.tested_float, expected) / row.growth);
    check_accumulation(row, expected);
    CHECK(row.growth * std::numeric_limits<double>::epsilon() <= 1e-11);
  }
  MESSAGE(table.size(), " rows; worst error of double is ", worst_double, " of its bound, of float ", worst_float);
}

}  // namespace

TEST_CASE("norms") { check_table(norm_cases()); }
TEST_CASE("products and activations") { check_table(product_cases()); }
TEST_CASE("image operations") { check_table(image_cases()); }
TEST_CASE("attention") { check_table(attention_cases()); }
TEST_CASE("feed-forward parts") { check_table(ffn_cases()); }
TEST_CASE("blocks") { check_table(block_cases()); }
