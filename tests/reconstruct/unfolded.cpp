/// Unfolding: the row-wise linear estimate against a dense one, the gradient through rounds, equal bits on any threads.

#include <doctest/doctest.h>

#include <Eigen/Dense>
#include <cmath>
#include <unmask/models/session.hpp>
#include <unmask/nn/cpu/all.hpp>
#include <unmask/reconstruct/unfolded_network.hpp>
#include <unmask/train/gradient_check.hpp>
#include <unmask/train/trainer.hpp>

using namespace unmask;

namespace {

using plain_unfolded = unfolded_network<double, ref>;
using tuned_unfolded = unfolded_network<float, cpu>;
static_assert(Model<plain_unfolded> && Model<tuned_unfolded> && Model<unfolded_network<double, cpu>>);

constexpr unfolded_config tiny{
    .bands = 5, .components = 3, .rounds = 2, .channels = 8, .blocks = 2, .heads = 2, .hidden = 12, .window = 4};

/// A scene of waves, what the sensor holds of it, shifted back, and for `estimate` a wrong guess before that.
template <class T>
train::batch<T> samples(index_t batch, index_t height, index_t width, const unfolded_config& c) {
  const index_t C = c.bands, N = c.input_channels();
  train::batch<T> b(batch, height, width, N, C);
  unmask::random draw(5);
  std::vector<double> y(static_cast<std::size_t>(width + c.step * (C - 1)));
  for (index_t i = 0; i < batch; ++i)
    for (index_t h = 0; h < height; ++h) {
      std::fill(y.begin(), y.end(), 0.);
      for (index_t w = 0; w < width; ++w) {
        const double m = draw.uniform(.05, 1);
        b.mask(i, h, w) = static_cast<T>(m);
        for (index_t k = 0; k < C; ++k) {
          const double x = .3 + (w > width / 2 ? .4 : 0) + .1 * std::sin(static_cast<double>(k + w + h));
          b.truth(i, h, w, k) = static_cast<T>(x);
          y[static_cast<std::size_t>(w + c.step * k)] += m * x;
        }
      }
      for (index_t w = 0; w < width; ++w)
        for (index_t k = 0; k < C; ++k) {
          if (c.estimate) b.input(i, h, w, k) = b.truth(i, h, w, k) * static_cast<T>(draw.uniform(.9, 1.1));
          b.input(i, h, w, N - C + k) = static_cast<T>(y[static_cast<std::size_t>(w + c.step * k)]);
        }
    }
  return b;
}

/// Weights of which none is zero.
template <class N>
train::trainer<N> trainer_of(typename N::backend_type be, index_t height, index_t width, const unfolded_config& c) {
  train::trainer_options o{.batch = 2, .height = height, .width = width, .drop_path = 0};
  o.schedule.peak = 1e-3;
  auto t = train::trainer<N>::create(be, c, o).value();
  const manifest m = N::manifest(c);
  std::vector<float> block(static_cast<std::size_t>(m.size));
  initialise(block.data(), m, 3);
  unmask::random draw(4);
  for (float& v : block) v += .05f * static_cast<float>(draw.normal());
  REQUIRE(t.start_from(std::vector<typename N::value_type>(block.begin(), block.end())));
  return t;
}

}  // namespace

TEST_CASE("row-wise linear estimate: what dense matrices give, and its transpose") {
  const optics::row_lmmse_sizes s{.rows = 2, .width = 7, .bands = 4, .step = 2, .components = 3, .noise = .01};
  const index_t W = s.width, C = s.bands, V = s.sensor(), n = W * C;
  optics::row_lmmse<double> tested(s, 1);
  arena measure;
  tested.carve(measure);
  memory_block block(measure.peak());
  arena memory(block.data(), block.bytes());
  tested.carve(memory);
  unmask::random draw(1);
  Eigen::MatrixXd factors(s.components, C), mask(s.rows, W), x(s.rows, n), y(s.rows, V), g(s.rows, n);
  for (auto* m : {&factors, &mask, &x, &y, &g})
    for (index_t i = 0; i < m->size(); ++i) m->data()[i] = draw.uniform(0, 1);
  using rows = Eigen::Matrix<double, -1, -1, Eigen::RowMajor>;
  const rows f = factors, m = mask, xs = x, ys = y, gs = g;
  rows d(s.rows, n), e(s.rows, n);
  tested.prepare(ref{}, m.data(), W, f.data());
  tested.correct(ref{}, d.data(), ys.data(), xs.data());
  tested.transposed(ref{}, e.data(), gs.data());
  for (index_t r = 0; r < s.rows; ++r) {
    Eigen::MatrixXd A = Eigen::MatrixXd::Zero(V, n), P = Eigen::MatrixXd::Zero(n, n);
    for (index_t i = 0; i < n; ++i) {
      A(i / C + s.step * (i % C), i) = m(r, i / C);
      for (index_t j = 0; j < n; ++j)
        for (index_t k = 0; k < s.components; ++k)
          for (const auto& part : optics::along_row(k))
            P(i, j) += f(k, i % C) * f(k, j % C) * part.share *
                       std::exp(-std::abs(static_cast<double>(i / C - j / C)) / part.length);
    }
    const Eigen::MatrixXd M = A * P * A.transpose() + s.noise * Eigen::MatrixXd::Identity(V, V);
    const Eigen::MatrixXd G = P * A.transpose() * M.inverse();
    const Eigen::VectorXd expected = G * (ys.row(r).transpose() - A * xs.row(r).transpose());
    const Eigen::VectorXd back = A.transpose() * G.transpose() * gs.row(r).transpose();
    CHECK((d.row(r).transpose() - expected).norm() <= 1e-9 * expected.norm());
    CHECK((e.row(r).transpose() - back).norm() <= 1e-9 * back.norm());
  }
}

TEST_CASE("unfolded network: gradient of every parameter, in double") {
  for (const bool shared : {false, true})
    for (const bool estimate : {false, true}) {
      unfolded_config c = tiny;
      c.shared = shared, c.estimate = estimate;
      auto t = trainer_of<plain_unfolded>({}, 6, 9, c);
      const auto b = samples<double>(2, 6, 9, c);
      const train::loss_spec wanted{.kind = train::stage::mask_encoding, .rho = {train::penalty_kind::squared}};
      const auto loss = [&] { return t.differentiate(b, wanted).value; };
      loss();
      const std::vector<double> gradient(t.gradients().begin(), t.gradients().end());
      const index_t fixed = c.components * c.bands, n = static_cast<index_t>(gradient.size()) - fixed;
      const auto values = std::span(t.state().parameters).first(static_cast<std::size_t>(n));
      CHECK(train::norm(ref{}, gradient.data(), n) > 1e-3);
      CHECK(train::check_gradient_along(loss, values, std::span(gradient).first(values.size()),
                                        {.step = 1e-4, .projections = 8})
                .error <= 1e-6);
      for (index_t k = 0; k <= c.rounds; ++k) CHECK(gradient[static_cast<std::size_t>(n - 1 - k)] != 0);
      for (index_t i = n; i < n + fixed; ++i) CHECK(gradient[static_cast<std::size_t>(i)] == 0);
    }
}

TEST_CASE("unfolded network: float on threads agrees with double, with the same bits on any number of them") {
  constexpr train::loss_spec wanted{.kind = train::stage::plain, .rho = {train::penalty_kind::squared}};
  auto expected = trainer_of<plain_unfolded>({}, 17, 20, tiny);
  auto one = trainer_of<tuned_unfolded>({.threads = 1}, 17, 20, tiny);
  const auto b = samples<float>(2, 17, 20, tiny);
  const double loss = expected.differentiate(samples<double>(2, 17, 20, tiny), wanted).value;
  CHECK(one.differentiate(b, wanted).value == doctest::Approx(loss).epsilon(1e-3));
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < expected.gradients().size(); ++i) {
    const double e = expected.gradients()[i], f = static_cast<double>(one.gradients()[i]);
    difference += (e - f) * (e - f), size += e * e;
  }
  CHECK(std::sqrt(difference / size) < 1e-2);
  auto again = trainer_of<tuned_unfolded>({.threads = 1}, 17, 20, tiny),
       two = trainer_of<tuned_unfolded>({.threads = 2}, 17, 20, tiny);
  for (int step = 0; step < 3; ++step) CHECK(again.step(b, wanted).updated == two.step(b, wanted).updated);
  CHECK(std::equal(again.parameters().begin(), again.parameters().end(), two.parameters().begin()));
}

TEST_CASE("unfolded network: untrained, it is the linear estimate, corrected once a round") {
  const manifest m = tuned_unfolded::manifest(tiny);
  std::vector<float> block(static_cast<std::size_t>(m.size));
  initialise(block.data(), m, 3);
  const index_t H = 4, W = 9, C = tiny.bands, V = W + tiny.step * (C - 1);
  const auto b = samples<float>(1, H, W, tiny);
  auto s =
      session<tuned_unfolded>::create({}, tiny, block, H, W, array_view<const float, 2>(b.mask.data(), H, W)).value();
  tensor<float, 4> found({1, H, W, C});
  s.run(found.view(), b.input.view());

  optics::row_lmmse<float> linear({H, W, C, tiny.step, tiny.components}, 1);
  arena measure;
  linear.carve(measure);
  memory_block memory(measure.peak());
  arena place(memory.data(), memory.bytes());
  linear.carve(place);
  linear.prepare(cpu{}, b.mask.data(), W, block.data() + m.size - tiny.components * C);
  tensor<float, 2> y({H, V});
  for (index_t h = 0; h < H; ++h)
    for (index_t w = 0; w < W; ++w)
      for (index_t c = 0; c < C; ++c) y(h, w + tiny.step * c) = b.input(0, h, w, c);
  tensor<float, 3> x({H, W, C}), d({H, W, C});
  for (int round = 0; round <= tiny.rounds; ++round) {
    linear.correct(cpu{}, d.data(), y.data(), x.data());
    for (index_t i = 0; i < x.size(); ++i) x.data()[i] += d.data()[i];
  }
  for (index_t i = 0; i < x.size(); ++i) CHECK(found.data()[i] == doctest::Approx(x.data()[i]).epsilon(1e-3));
}
