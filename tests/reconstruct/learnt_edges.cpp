/// Learnt edges: the gradient through the solve, the tuned solver against the plain one, equal bits, no heap.

#include <doctest/doctest.h>

#include <cmath>
#include <unmask/models/session.hpp>
#include <unmask/nn/cpu/all.hpp>
#include <unmask/reconstruct/edge_network.hpp>
#include <unmask/train/gradient_check.hpp>
#include <unmask/train/trainer.hpp>

#include "../model/heap_count.hpp"

using namespace unmask;
using unmask_test::heap_calls;

namespace {

using plain = edge_network<double, ref>;
using tuned = edge_network<float, cpu>;
static_assert(Model<plain> && Model<tuned> && Model<edge_network<double, cpu>>);

constexpr edge_config small{
    .bands = 5, .rank = 3, .iterations = 600, .channels = 8, .blocks = 2, .heads = 2, .hidden = 12, .window = 4};

/// A blurred scene of few colours, its measurement, and an estimate that is a little wrong.
template <class T>
train::batch<T> samples(index_t batch, index_t height, index_t width, const edge_config& c) {
  train::batch<T> b(batch, height, width, 2 * c.bands, c.bands);
  unmask::random draw(5);
  const index_t C = c.bands, V = width + c.step * (C - 1);
  std::vector<float> y(static_cast<std::size_t>(V));
  for (index_t i = 0; i < batch; ++i)
    for (index_t h = 0; h < height; ++h) {
      std::fill(y.begin(), y.end(), 0.f);
      for (index_t w = 0; w < width; ++w) {
        const auto m = static_cast<float>(draw.uniform(.05, 1));
        b.mask(i, h, w) = static_cast<T>(m);
        for (index_t k = 0; k < C; ++k) {
          const double edge = w > width / 2 ? .4 : 0, shade = .05 * static_cast<double>(h);
          const auto x = static_cast<float>(.3 + edge + shade + .1 * std::sin(static_cast<double>(k + w)));
          b.truth(i, h, w, k) = static_cast<T>(x);
          b.input(i, h, w, k) = static_cast<T>(static_cast<float>(x * draw.uniform(.9, 1.1)));
          y[static_cast<std::size_t>(w + c.step * k)] += m * x;
        }
      }
      for (index_t w = 0; w < width; ++w)
        for (index_t k = 0; k < C; ++k)
          b.input(i, h, w, C + k) = static_cast<T>(y[static_cast<std::size_t>(w + c.step * k)]);
    }
  return b;
}

template <class N>
std::vector<typename N::value_type> lively(const edge_config& c) {
  const manifest m = N::manifest(c);
  std::vector<float> block(static_cast<std::size_t>(m.size));
  initialise(block.data(), m, 3);
  unmask::random draw(4);
  for (const parameter& p : m.entries)
    for (float* v = block.data() + p.offset; v != block.data() + p.offset + p.size; ++v)
      *v = p.name == "spectral_basis" ? static_cast<float>(.5 * draw.normal())
                                      : *v + .05f * static_cast<float>(draw.normal());
  return {block.begin(), block.end()};
}

template <class N>
train::trainer<N> trainer_of(typename N::backend_type be, index_t batch, index_t height, index_t width) {
  train::trainer_options o{.batch = batch, .height = height, .width = width, .drop_path = 0};
  o.schedule.peak = 1e-3;
  auto t = train::trainer<N>::create(be, small, o).value();
  const auto p = lively<N>(small);
  REQUIRE(t.start_from(p));
  return t;
}

constexpr train::loss_spec spec{.kind = train::stage::plain, .rho = {train::penalty_kind::squared}};

}  // namespace

TEST_CASE("learnt edges: gradient of every parameter through the solve, in double") {
  auto t = trainer_of<plain>({}, 2, 6, 9);
  const auto b = samples<double>(2, 6, 9, small);
  const auto loss = [&] { return t.differentiate(b, spec).value; };
  loss();
  const std::vector<double> gradient(t.gradients().begin(), t.gradients().end());
  const index_t basis = small.rank * small.bands, n = static_cast<index_t>(gradient.size()) - basis;
  const auto values = std::span(t.state().parameters).first(static_cast<std::size_t>(n));
  CHECK(train::norm(ref{}, gradient.data(), n) > 1e-3);
  CHECK(train::check_gradient_along(loss, values, std::span(gradient).first(values.size()),
                                    {.step = 1e-4, .projections = 8})
            .error <= 1e-6);
  for (index_t i = n; i < n + basis; ++i) CHECK(gradient[static_cast<std::size_t>(i)] == 0);
}

TEST_CASE("learnt edges: the tuned solver agrees with the plain one") {
  auto expected = trainer_of<plain>({}, 2, 6, 9);
  auto found = trainer_of<tuned>({}, 2, 6, 9);
  const double loss = expected.differentiate(samples<double>(2, 6, 9, small), spec).value;
  CHECK(found.differentiate(samples<float>(2, 6, 9, small), spec).value == doctest::Approx(loss).epsilon(1e-4));
  double difference = 0, size = 0;
  for (index_t i = 0; i < expected.estimate().size(); ++i) {
    const double e = expected.estimate().data()[i], f = static_cast<double>(found.estimate().data()[i]);
    difference += (e - f) * (e - f), size += e * e;
  }
  CHECK(std::sqrt(difference / size) < 1e-4);
  difference = size = 0;
  for (std::size_t i = 0; i < expected.gradients().size(); ++i) {
    const double e = expected.gradients()[i], f = static_cast<double>(found.gradients()[i]);
    difference += (e - f) * (e - f), size += e * e;
  }
  CHECK(std::sqrt(difference / size) < 1e-3);
}

TEST_CASE("learnt edges: equal bits on any threads, and a step takes no heap") {
  auto one = trainer_of<tuned>({.threads = 1}, 2, 17, 20);
  const auto b = samples<float>(2, 17, 20, small);
  for (int step = 0; step < 3; ++step) CHECK(one.step(b, spec).updated);
  for (const int threads : {2, 3}) {
    auto other = trainer_of<tuned>({.threads = threads}, 2, 17, 20);
    const std::size_t before = heap_calls();
    for (int step = 0; step < 3; ++step) other.step(b, spec);
    CHECK(heap_calls() == before);
    CHECK(std::equal(one.parameters().begin(), one.parameters().end(), other.parameters().begin()));
  }
}

TEST_CASE("learnt edges: darkness stays dark, and a last convolution of zero changes no weight") {
  const auto b = samples<double>(1, 6, 9, small);
  auto parameters = lively<plain>(small);
  const manifest m = plain::manifest(small);
  for (const parameter& p : m.entries)
    if (p.name.starts_with(plain::last_layer)) std::fill_n(parameters.data() + p.offset, p.size, 0.);
  const array_view<const double, 2> mask(b.mask.data(), index_t{6}, index_t{9});
  auto network = session<plain>::create({}, small, parameters, 6, 9, mask).value();
  tensor<double, 4> first({1, 6, 9, 5}), dark({1, 6, 9, 10}), nothing({1, 6, 9, 5});
  network.run(first.view(), b.input.view());
  std::fill(dark.begin(), dark.end(), 0.);
  network.run(nothing.view(), dark.view());
  for (const double v : nothing) CHECK(v == 0);
  // other weights before the last convolution: the same result
  for (const parameter& p : m.entries)
    if (!p.name.starts_with(plain::last_layer) && p.name != "spectral_basis")
      for (index_t i = 0; i < p.size; ++i) parameters[static_cast<std::size_t>(p.offset + i)] *= 1.5;
  auto other = session<plain>::create({}, small, parameters, 6, 9, mask).value();
  tensor<double, 4> second({1, 6, 9, 5});
  other.run(second.view(), b.input.view());
  for (index_t i = 0; i < first.size(); ++i) CHECK(second.data()[i] == doctest::Approx(first.data()[i]).epsilon(1e-12));
}
