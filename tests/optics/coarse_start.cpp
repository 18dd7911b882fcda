/// The coarse image that spectral TV starts from: against a dense solution of the same least squares, and what it is
/// for.

#include <doctest/doctest.h>

#include <Eigen/Dense>
#include <unmask/core/memory.hpp>
#include <unmask/core/random.hpp>
#include <unmask/optics/coarse_start.hpp>

using namespace unmask;

namespace {

struct coarse_case {
  static constexpr index_t H = 20, W = 37, C = 5, K = 3, side = 16, step = 2, V = W + step * (C - 1);
  tensor<float, 2> mask{{H, W}}, basis{{K, C}}, y{{H, V}};
  coarse_case() {
    unmask::random draw(3);
    for (auto* t : {&mask, &basis, &y})
      for (float& v : *t) v = static_cast<float>(draw.uniform(.05, 1));
  }

  tensor<float, 3> run(int threads, float level) const {
    const auto camera = optics::camera::create(mask.view(), C, step).value();
    optics::detail::spectral_operator a(camera, basis.view());
    optics::detail::coarse_start start(a);
    const auto carve = [&](arena& memory) { a.carve(memory), a.carve_scratch(memory), start.carve_scratch(memory); };
    arena measure;
    carve(measure);
    const memory_block block(measure.peak());
    arena memory(block.data(), block.bytes());
    carve(memory);
    a.prepare();
    for (index_t h = 0; h < H; ++h) a.weigh_measurement(h, y.data(), .5f);
    tensor<float, 3> z({H, K, W});
    std::fill(z.begin(), z.end(), 7.f);
    start.run(cpu{.threads = threads}, a, z.data(), y.data(), level);
    return z;
  }
};

}  // namespace

TEST_CASE("coarse start: the least squares of blocks, solved densely") {
  const coarse_case c;
  constexpr index_t H = c.H, W = c.W, C = c.C, K = c.K, V = c.V, side = c.side, step = c.step;
  const float level = .7f;
  const index_t rows = 2, columns = 3, n = rows * columns * K;
  const double floor = optics::sensor_noise().floor;
  Eigen::MatrixXd M = Eigen::MatrixXd::Zero(n, n);
  Eigen::VectorXd right = Eigen::VectorXd::Zero(n);
  for (index_t h = 0; h < H; ++h) {
    Eigen::MatrixXd A = Eigen::MatrixXd::Zero(V, n);
    for (index_t w = 0; w < W; ++w)
      for (index_t b = 0; b < C; ++b)
        for (index_t k = 0; k < K; ++k)
          A(w + step * b, (h / side * columns + w / side) * K + k) +=
              static_cast<double>(c.mask(h, w)) * static_cast<double>(c.basis(k, b));
    for (index_t v = V / 4; v < V - V / 4; ++v) {  // the sides do not count
      const double y = static_cast<double>(c.y(h, v)), t = (1 + floor) / (y / .5 + floor);
      M += t * A.row(v).transpose() * A.row(v);
      right += t * A.row(v).transpose() * y / static_cast<double>(level);
    }
  }
  for (index_t i = 0; i < rows; ++i)
    for (index_t j = 0; j < columns; ++j)
      for (index_t k = 0; k < K; ++k) {
        const auto at = [&](index_t r, index_t s) { return (r * columns + s) * K + k; };
        for (const auto& [r, s] : {std::pair{i + 1, j}, std::pair{i, j + 1}}) {
          if (r >= rows || s >= columns) continue;
          M(at(i, j), at(i, j)) += 15, M(at(r, s), at(r, s)) += 15;
          M(at(i, j), at(r, s)) -= 15, M(at(r, s), at(i, j)) -= 15;
        }
        M(at(i, j), at(i, j)) += 15e-3;
      }
  const Eigen::VectorXd coarse = M.llt().solve(right);
  const auto z = c.run(1, level);
  const auto place = [](index_t p, index_t blocks) {
    return std::clamp((static_cast<double>(p) + .5) / side - .5, 0., static_cast<double>(blocks - 1));
  };
  for (index_t h = 0; h < H; ++h)
    for (index_t w = 0; w < W; ++w)
      for (index_t k = 0; k < K; ++k) {
        double expected = 0;  // hat functions around the blocks' middles
        for (index_t i = 0; i < rows; ++i)
          for (index_t j = 0; j < columns; ++j)
            expected += coarse[(i * columns + j) * K + k] *
                        std::max(0., 1 - std::abs(place(h, rows) - static_cast<double>(i))) *
                        std::max(0., 1 - std::abs(place(w, columns) - static_cast<double>(j)));
        CHECK(std::abs(static_cast<double>(z(h, k, w)) - expected) <= 1e-3);
      }
}

TEST_CASE(
    "coarse start: the same bits on any number of threads, and what was there for a matrix that is not positive") {
  coarse_case c;
  const auto one = c.run(1, 1), three = c.run(3, 1);
  CHECK(std::equal(one.begin(), one.end(), three.begin()));
  c.basis(0, 0) = std::nanf("");
  for (const float v : c.run(1, 1)) CHECK(v == 7);
}
