/// Each part of the stack against a plain double reference.

#include <doctest/doctest.h>

#include <unmask/clouds/local_regression.hpp>
#include <unmask/clouds/regression.hpp>
#include <unmask/clouds/similar_pixels.hpp>
#include <unmask/clouds/stacking.hpp>
#include <unmask/core/memory.hpp>

#include "scenes.hpp"

using namespace unmask;
using namespace unmask::clouds;

namespace {

/// A part with its memory.
template <class Part, class... Sizes>
struct owned {
  Part part;
  memory_block memory;
  explicit owned(Sizes... sizes) {
    arena measure;
    part.carve(measure, sizes...);
    memory = memory_block(measure.peak());
    arena real(memory.data(), memory.bytes());
    part.carve(real, sizes...);
  }
};

std::vector<float> noise(index_t n, std::uint64_t seed) {
  unmask::random r(seed);
  std::vector<float> v(static_cast<std::size_t>(n));
  for (float& x : v) x = static_cast<float>(r.normal());
  return v;
}

std::vector<std::uint8_t> chosen(index_t n, double share, std::uint64_t seed) {
  unmask::random r(seed);
  std::vector<std::uint8_t> v(static_cast<std::size_t>(n));
  for (auto& x : v) x = r.uniform() < share;
  return v;
}

/// Gauss with pivots.
std::vector<double> plain_solve(std::vector<double> A, index_t n, std::vector<double> B, index_t m) {
  const auto at = [](auto& M, index_t width, index_t r, index_t c) -> double& {
    return M[static_cast<std::size_t>(r * width + c)];
  };
  for (index_t i = 0; i < n; ++i) {
    index_t best = i;
    for (index_t r = i; r < n; ++r)
      if (std::abs(at(A, n, r, i)) > std::abs(at(A, n, best, i))) best = r;
    for (index_t c = 0; c < n; ++c) std::swap(at(A, n, i, c), at(A, n, best, c));
    for (index_t c = 0; c < m; ++c) std::swap(at(B, m, i, c), at(B, m, best, c));
    for (index_t r = 0; r < n; ++r) {
      if (r == i) continue;
      const double f = at(A, n, r, i) / at(A, n, i, i);
      for (index_t c = i; c < n; ++c) at(A, n, r, c) -= f * at(A, n, i, c);
      for (index_t c = 0; c < m; ++c) at(B, m, r, c) -= f * at(B, m, i, c);
    }
  }
  for (index_t i = 0; i < n; ++i)
    for (index_t c = 0; c < m; ++c) at(B, m, i, c) /= at(A, n, i, i);
  return B;
}

}  // namespace

TEST_CASE("box means and Gaussians are what their sums say") {
  for (const grid g : {grid{1, 1}, grid{1, 7}, grid{13, 5}, grid{40, 33}}) {
    const auto in = noise(g.size(), 1);
    std::vector<float> out(in.size()), between(in.size());
    std::vector<double> running(static_cast<std::size_t>(g.width));
    for (const index_t side : {1, 3, 11, 81}) {
      box_mean(out.data(), in.data(), g, side, between.data(), running.data());
      for (index_t h = 0; h < g.height; ++h)
        for (index_t w = 0; w < g.width; ++w) {
          double sum = 0;
          for (index_t y = std::max<index_t>(0, h - side / 2); y <= std::min(g.height - 1, h + side / 2); ++y)
            for (index_t x = std::max<index_t>(0, w - side / 2); x <= std::min(g.width - 1, w + side / 2); ++x)
              sum += static_cast<double>(in[static_cast<std::size_t>(y * g.width + x)]);
          const double expected = sum / static_cast<double>(side * side);
          // two roundings to float of sums of at most 81 x 81 values near 1
          CHECK(std::abs(static_cast<double>(out[static_cast<std::size_t>(h * g.width + w)]) - expected) <= 2e-6);
        }
    }
  }
  // the wide Gaussian, three box means, has the variance asked for
  const grid line{1, 401};
  std::vector<float> spike(401), between(401);
  std::vector<double> running(401);
  for (const double sigma : {1.5, 3.9, 4., 7.5, 31.5}) {
    std::fill(spike.begin(), spike.end(), 0.f);
    spike[200] = 1;
    gaussian(spike.data(), spike.data(), line, sigma, between.data(), running.data());
    double sum = 0, variance = 0;
    for (index_t i = 0; i < 401; ++i) {
      const double v = static_cast<double>(spike[static_cast<std::size_t>(i)]), d = static_cast<double>(i - 200);
      sum += v, variance += v * d * d;
    }
    // three odd widths come within 5 % of the smallest deviation they are used for, a cut at 3 sigma within 2 %;
    // a plane one row high also loses what leaves it above and below: one factor for all
    CHECK(std::abs(std::sqrt(variance / sum) / sigma - 1) <= .05);
  }
}

TEST_CASE("Cholesky, eigenvectors and simplex weights") {
  const index_t n = 7;
  const auto random_values = noise(n * n, 2);
  std::vector<double> A(49), B(14);
  for (index_t r = 0; r < n; ++r)
    for (index_t c = 0; c < n; ++c)
      for (index_t k = 0; k < n; ++k)
        A[static_cast<std::size_t>(r * n + c)] +=
            static_cast<double>(random_values[static_cast<std::size_t>(r * n + k)]) *
            static_cast<double>(random_values[static_cast<std::size_t>(c * n + k)]);
  for (std::size_t i = 0; i < 14; ++i) B[i] = static_cast<double>(random_values[i]);
  const auto expected = plain_solve(A, n, B, 2);
  auto work = A, X = B;
  REQUIRE(cholesky_solve(work.data(), n, X.data(), 2));
  for (std::size_t i = 0; i < 14; ++i) CHECK(std::abs(X[i] - expected[i]) <= 1e-8 * (1 + std::abs(expected[i])));
  A[0] = -1;
  CHECK_FALSE(cholesky_solve(A.data(), n, X.data(), 2));

  // eigenvalues 9, 4, 1 along known directions
  const double s = std::sqrt(.5);
  const double G[9] = {6.5, 2.5, 0, 2.5, 6.5, 0, 0, 0, 1};
  double Q[6], next[6];
  leading_eigenvectors(G, 3, Q, 2, next);
  CHECK(std::abs(std::abs(Q[0]) - s) <= 1e-9);
  CHECK(std::abs(Q[0] - Q[1]) <= 1e-9);
  CHECK(std::abs(Q[3] + Q[4]) <= 1e-9);

  // the best mixture of two unit errors is half and half; a third that is worse gets nothing
  const std::array<std::array<double, 3>, 3> errors{{{1, 0, .9}, {0, 1, .9}, {.9, .9, 5}}};
  const auto w = simplex_least_squares<3>(errors, {});
  CHECK(std::abs(w[0] - .5) <= 1e-6);
  CHECK(std::abs(w[1] - .5) <= 1e-6);
  CHECK(w[2] == 0);
}

TEST_CASE("harmonic fill solves Laplace's equation, whatever the area's shape") {
  for (const index_t bands : {1, 3, 4, 8, 13})
    for (const grid g : {grid{1, 9}, grid{17, 23}, grid{37, 32}}) {
      owned<harmonic_fill, grid, index_t, int> fill(g, bands, 2);
      const auto known = chosen(g.size(), .3, static_cast<std::uint64_t>(g.height));
      std::vector<std::uint8_t> unknown(known.size());
      for (index_t i = 0; i < g.size(); ++i) {
        const index_t h = i / g.width, w = i % g.width;
        const bool block = h > g.height / 4 && h < g.height / 2 + 3 && w > 2 && w < g.width - 3;
        unknown[static_cast<std::size_t>(i)] = known[static_cast<std::size_t>(i)] == 0 || block;
      }
      unknown[0] = 0;
      auto image = noise(g.size() * bands, 4);
      std::vector<double> plain(image.begin(), image.end());
      fill.part.build(unknown.data());
      fill.part.solve(cpu{.threads = 2}, image.data(), bands);
      for (int pass = 0; pass < 20000; ++pass)
        for (index_t i = 0; i < g.size(); ++i) {
          if (unknown[static_cast<std::size_t>(i)] == 0) continue;
          const index_t h = i / g.width, w = i % g.width;
          for (index_t c = 0; c < bands; c += std::max<index_t>(1, bands - 1)) {
            double sum = 0, count = 0;
            const auto add = [&](bool there, index_t j) {
              if (there) sum += plain[static_cast<std::size_t>(j * bands + c)], ++count;
            };
            add(h > 0, i - g.width), add(h + 1 < g.height, i + g.width), add(w > 0, i - 1), add(w + 1 < g.width, i + 1);
            plain[static_cast<std::size_t>(i * bands + c)] = sum / count;
          }
          if (pass > 4000 && g.size() < 500) break;
        }
      // the residual falls to 1e-4; an error is at most the residual times the square of the widest area's radius / 8
      double worst = 0;
      for (index_t i = 0; i < g.size(); ++i)
        for (index_t c = 0; c < bands; c += std::max<index_t>(1, bands - 1))
          worst = std::max(worst, std::abs(static_cast<double>(image[static_cast<std::size_t>(i * bands + c)]) -
                                           plain[static_cast<std::size_t>(i * bands + c)]));
      CHECK(worst <= 2e-3);
    }
}

TEST_CASE("the tree finds the neighbours that comparing with all finds") {
  for (const index_t n : {1, 5, 16, 17, 3000}) {
    owned<kd_tree, index_t> tree(n);
    const auto points = noise(n * kd_tree::dimensions, 6), asked = noise(40 * kd_tree::dimensions, 7);
    tree.part.clear();
    for (index_t i = 0; i < n; ++i) tree.part.insert(points.data() + i * kd_tree::dimensions, i);
    tree.part.build();
    for (index_t q = 0; q < 40; ++q) {
      std::vector<kd_tree::neighbour> all;
      for (index_t i = 0; i < n; ++i) {
        float sum = 0;
        for (index_t d = 0; d < kd_tree::dimensions; ++d) {
          const float x = points[static_cast<std::size_t>(i * kd_tree::dimensions + d)] -
                          asked[static_cast<std::size_t>(q * kd_tree::dimensions + d)];
          sum += x * x;
        }
        all.push_back({sum, static_cast<std::int32_t>(i)});
      }
      std::sort(all.begin(), all.end());
      kd_tree::neighbour got[30];
      const index_t k = tree.part.nearest(asked.data() + q * kd_tree::dimensions, 30, 0, got);
      REQUIRE(k == std::min<index_t>(n, 30));
      // contracted multiply-adds may differ in the last bits between the two sums
      for (index_t j = 0; j < k; ++j)
        CHECK(std::abs(got[j].squared - all[static_cast<std::size_t>(j)].squared) <= 1e-5f * (1 + got[j].squared));
    }
  }
}

TEST_CASE("regression is the ridge solution of its normal equations") {
  const index_t n = 400, F = 5, bands = 3, all = F + 15 + 1;
  owned<features, index_t, index_t> x(n, F);
  owned<regression, index_t, index_t> fit(F, bands);
  const auto raw = noise(n * F, 8), y = noise(n * bands, 9);
  const auto used = chosen(n, .6, 10);
  std::copy(raw.begin(), raw.end(), x.part.values());
  x.part.standardise(cpu{.threads = 2});
  for (index_t f = 0; f < F; ++f) {
    double mean = 0, square = 0;
    for (index_t i = 0; i < n; ++i) mean += static_cast<double>(x.part.row(i)[f]) / n;
    for (index_t i = 0; i < n; ++i) square += std::pow(static_cast<double>(x.part.row(i)[f]), 2) / n;
    CHECK(std::abs(mean) <= 1e-6);
    CHECK(std::abs(square - 1) <= 1e-5);
  }
  fit.part.fit(cpu{.threads = 2}, x.part, y.data(), used.data(), n, .3);
  std::vector<float> linear(y.size()), quadratic(y.size());
  fit.part.predict(cpu{.threads = 2}, x.part, n, linear.data(), quadratic.data());
  const auto row = [&](index_t i, index_t width) {
    std::vector<double> v{1};
    for (index_t f = 0; f < F; ++f) v.push_back(static_cast<double>(x.part.row(i)[f]));
    for (index_t p = 0; p < 5 && width > F + 1; ++p)
      for (index_t q = p; q < 5; ++q)
        v.push_back(static_cast<double>(x.part.component_row(i)[p]) * static_cast<double>(x.part.component_row(i)[q]) /
                    x.part.deviation(p) / x.part.deviation(q));
    return v;
  };
  for (const index_t width : {F + 1, all}) {
    const auto& got = width == all ? quadratic : linear;
    const auto m = static_cast<std::size_t>(width);
    std::vector<double> A(m * m), B(m * 3);
    double count = 0;
    for (index_t i = 0; i < n; ++i) {
      if (used[static_cast<std::size_t>(i)] == 0) continue;
      ++count;
      const auto v = row(i, width);
      for (std::size_t r = 0; r < m; ++r) {
        for (std::size_t c = 0; c < m; ++c) A[r * m + c] += v[r] * v[c];
        for (std::size_t c = 0; c < 3; ++c)
          B[r * 3 + c] += v[r] * static_cast<double>(y[static_cast<std::size_t>(i) * 3 + c]);
      }
    }
    for (std::size_t r = 1; r < m; ++r) A[r * m + r] += .3 * count / 100;
    const auto W = plain_solve(A, width, B, 3);
    for (index_t i = 0; i < n; i += 7)
      for (std::size_t c = 0; c < 3; ++c) {
        double sum = 0;
        const auto v = row(i, width);
        for (std::size_t r = 0; r < m; ++r) sum += v[r] * W[r * 3 + c];
        CHECK(std::abs(static_cast<double>(got[static_cast<std::size_t>(i) * 3 + c]) - sum) <= 1e-6);
      }
  }
}

TEST_CASE("local regression finds a slope and an offset that change over the image") {
  const grid g{60, 70};
  owned<local_regression, grid, int> local(g, 2);
  const auto used = chosen(g.size(), .7, 12);
  const auto r = noise(g.size() * 2, 11);
  std::vector<float> y(r.size()), out(r.size());
  const auto truth = [&](index_t i, index_t c) {
    const double slope = .5 + static_cast<double>(i % g.width) / 100,
                 offset = static_cast<double>(i / g.width) / 50 + 3;
    return slope * static_cast<double>(r[static_cast<std::size_t>(i * 2 + c)]) + offset + static_cast<double>(c);
  };
  for (index_t i = 0; i < g.size(); ++i)
    for (index_t c = 0; c < 2; ++c) y[static_cast<std::size_t>(i * 2 + c)] = static_cast<float>(truth(i, c));
  local.part.fit(cpu{.threads = 2}, y.data(), r.data(), used.data(), 2, out.data());
  double squares = 0;
  for (index_t i = 0; i < g.size(); ++i)
    for (index_t c = 0; c < 2; ++c)
      squares += std::pow(static_cast<double>(out[static_cast<std::size_t>(i * 2 + c)]) - truth(i, c), 2);
  // a window of 21 sees the offset change by 0.4 and the slope by 0.2; one line for all would be wrong by 0.4
  CHECK(std::sqrt(squares / static_cast<double>(2 * g.size())) <= .12);
}

TEST_CASE("a mixture covers the share of held-out errors that it says") {
  const index_t count = 2000;
  std::array<std::vector<float>, candidates> e;
  candidate_values values;
  values.count = count, values.bands = 1;
  const auto truth = noise(count, 20);
  for (std::size_t m = 0; m < candidates; ++m) {
    e[m] = noise(count, 21 + m);
    for (std::size_t i = 0; i < e[m].size(); ++i) e[m][i] = truth[i] + e[m][i] * (m == 4 ? 2.f : .1f);
    values.E[m] = e[m].data();
  }
  std::vector<float> scratch(static_cast<std::size_t>(count));
  std::array<double, candidates + 1> squares{};
  const auto known = [&](index_t i) { return static_cast<double>(truth[static_cast<std::size_t>(i)]); };
  const mixture m = fit_mixture(values, 0, known, scratch.data(), squares);
  double total = 0, within = 0;
  for (double w : m.weight) total += w;
  CHECK(std::abs(total - 1) <= 1e-9);
  CHECK(m.weight[4] < .01);
  CHECK(squares[candidates] < squares[0] / 2);  // four independent errors: a quarter, less the shrinking
  for (index_t i = 0; i < count; ++i) {
    double mean, variance;
    m.combine(values.at(i, 0), mean, variance);
    within += std::abs(mean - known(i)) <= m.deviation(variance) * 1.000001;
  }
  CHECK(std::abs(within / count - within_one) <= .005);
}
