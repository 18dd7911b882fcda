#include <doctest/doctest.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <vector>

#include <unmask/core/random.hpp>
#include <unmask/metrics/quality.hpp>
#include <unmask/optics/learn_spectra.hpp>
#include <unmask/optics/noise.hpp>
#include <unmask/optics/planned.hpp>
#include <unmask/optics/spectral_tv_refine.hpp>

#include "snapshot.hpp"

using namespace unmask;

namespace {

tensor<float, 3> texture(index_t height, index_t planes, index_t width) {
  tensor<float, 3> z({height, planes, width});
  unmask::random draw(5, 0);
  for (index_t h = 0; h < height; ++h)
    for (index_t k = 0; k < planes; ++k)
      for (index_t w = 0; w < width; ++w)
        z(h, k, w) = static_cast<float>(std::sin(.9 * static_cast<double>(h + k)) +
                                        std::cos(.7 * static_cast<double>(w)) + draw.uniform());
  return z;
}

/// `similar_patches` from its definition.
tensor<double, 3> filtered(const tensor<float, 3>& z, double sigma) {
  const index_t H = z.extent(0), K = z.extent(1), W = z.extent(2), P = std::min<index_t>(3, H),
                Q = std::min<index_t>(3, W);
  tensor<double, 3> sum(z.extents());
  tensor<double, 2> count({H, W});
  const auto places = [](index_t extent, index_t patch) {
    std::vector<index_t> list;
    for (index_t at = 0; at < extent - patch; at += 4) list.push_back(at);
    list.push_back(extent - patch);
    return list;
  };
  for (const index_t y0 : places(H, P))
    for (const index_t x0 : places(W, Q)) {
      std::vector<std::pair<double, index_t>> list;
      for (index_t y = std::max<index_t>(0, y0 - 16); y <= std::min(H - P, y0 + 16); ++y)
        for (index_t x = std::max<index_t>(0, x0 - 16); x <= std::min(W - Q, x0 + 16); ++x) {
          double distance = 0;
          for (index_t i = 0; i < P; ++i)
            for (index_t j = 0; j < Q; ++j)
              for (index_t k = 0; k < std::min<index_t>(2, K); ++k) {
                const double d = static_cast<double>(z(y + i, k, x + j)) - static_cast<double>(z(y0 + i, k, x0 + j));
                distance += d * d;
              }
          list.emplace_back(distance, y * W + x);
        }
      std::sort(list.begin(), list.end());
      list.resize(std::min<std::size_t>(list.size(), 64));
      const auto n = static_cast<index_t>(list.size()), d = P * Q * K;
      Eigen::MatrixXd patches(n, d);
      const auto each = [&](auto&& body) {
        for (index_t q = 0; q < n; ++q) {
          const index_t y = list[static_cast<std::size_t>(q)].second / W,
                        x = list[static_cast<std::size_t>(q)].second % W;
          for (index_t i = 0; i < P; ++i)
            for (index_t j = 0; j < Q; ++j)
              for (index_t k = 0; k < K; ++k) body(q, (i * Q + j) * K + k, y + i, k, x + j);
        }
      };
      each([&](index_t q, index_t at, index_t y, index_t k, index_t x) {
        patches(q, at) = static_cast<double>(z(y, k, x));
      });
      const Eigen::MatrixXd b = patches.rowwise() - patches.colwise().mean();
      const double s = std::pow(sigma * (std::sqrt(static_cast<double>(n)) + std::sqrt(static_cast<double>(d))), 2);
      const Eigen::MatrixXd system = b * b.transpose() + s * Eigen::MatrixXd::Identity(n, n);
      patches -= s * system.inverse() * b;
      each([&](index_t q, index_t at, index_t y, index_t k, index_t x) {
        sum(y, k, x) += patches(q, at);
        if (k == 0) count(y, x) += 1;
      });
    }
  for (index_t h = 0; h < H; ++h)
    for (index_t k = 0; k < K; ++k)
      for (index_t w = 0; w < W; ++w)
        sum(h, k, w) = count(h, w) > 0 ? sum(h, k, w) / count(h, w) : static_cast<double>(z(h, k, w));
  return sum;
}

tensor<float, 2> generated_basis() {
  std::vector<tensor<float, 3>> scenes;
  for (std::uint64_t seed : {11u, 12u, 13u}) scenes.push_back(take(48, 48, seed).truth);
  return optics::learn_spectral_basis(scenes, 6).value();
}

double unexplained(const snapshot& s, const tensor<float, 3>& x) {
  tensor<float, 2> again(s.y.extents());
  s.camera().forward(ref{}, again.view(), x.view());
  double sum = 0, all = 0;
  for (index_t i = 0; i < again.size(); ++i) {
    const double y = static_cast<double>(s.y.data()[i]), d = static_cast<double>(again.data()[i]) - y;
    sum += d * d, all += y * y;
  }
  return std::sqrt(sum / all);
}

}  // namespace

TEST_CASE("similar patches: groups, filter and means are those of the definition") {
  using size = std::array<index_t, 3>;
  for (const auto& [H, K, W] : {size{22, 3, 19}, size{41, 1, 7}, size{3, 8, 50}, size{2, 2, 9}, size{1, 1, 1}}) {
    const auto before = texture(H, K, W);
    auto z = before;
    optics::planned<optics::similar_patches>(H, K, W)->run(ref{}, z.data(), .4f);
    const auto expected = filtered(before, .4);
    double farthest = 0;
    for (index_t i = 0; i < z.size(); ++i) {
      const double d = std::abs(static_cast<double>(z.data()[i]) - expected.data()[i]);
      farthest = d <= farthest ? farthest : d;
    }
    CHECK(farthest <= 2e-5);  // of numbers up to 3, float
  }
}

TEST_CASE("similar patches: equal bits for 1, 2 and 3 threads; what has no error stays; NaN ends") {
  const auto before = texture(50, 4, 33);
  optics::planned<optics::similar_patches> patches(50, 4, 33);
  auto first = before;
  patches->run(ref{}, first.data(), .5f);
  for (int threads : {1, 2, 3}) {
    auto z = before;
    patches->run(cpu{.threads = threads}, z.data(), .5f);
    CHECK(std::equal(z.begin(), z.end(), first.begin()));
  }
  tensor<float, 3> flat(before.extents(), .75f);
  patches->run(ref{}, flat.data(), .5f);
  CHECK(std::all_of(flat.begin(), flat.end(), [](float v) { return std::abs(v - .75f) <= 1e-6f; }));
  auto broken = before;
  broken(20, 1, 9) = std::nanf("");
  patches->run(cpu{.threads = 2}, broken.data(), .5f);
  CHECK(std::isnan(broken(20, 1, 9)));
}

TEST_CASE("refinement: a correction explains the measurement, and leaves alone what explains it") {
  snapshot s = take(40, 36, 8);
  const auto basis = generated_basis();
  const auto camera = s.camera();
  optics::planned<optics::spectral_tv> plan(camera, basis.view());
  tensor<float, 3> x(s.truth.extents());
  plan->run(ref{}, x.view(), s.y.view());
  // as a network may do: everything a tenth too bright, and a pattern
  for (index_t i = 0; i < x.size(); ++i) x.data()[i] = s.truth.data()[i] * (i % 3 == 0 ? 1.05f : 1.15f);
  const double before = unexplained(s, x);
  plan->correct(ref{}, x.view(), s.y.view());
  CHECK(before >= .09);
  CHECK(unexplained(s, x) <= before / 6);
  x = s.truth;
  plan->correct(ref{}, x.view(), s.y.view());
  for (index_t i = 0; i < x.size(); ++i) CHECK(std::abs(x.data()[i] - s.truth.data()[i]) <= 1e-5f);
}
