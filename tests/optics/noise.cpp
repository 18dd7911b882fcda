#include <unmask/core/random.hpp>
#include <unmask/core/tensor.hpp>
#include <unmask/optics/noise.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

using namespace unmask;

namespace {

/// z score of the mean and relative error of the variance of n draws.
struct moments {
  double z, variance;
};

template <class Draw>
moments measure(Draw&& draw, double mean, double variance, int n = 200000) {
  double sum = 0, squares = 0;
  for (int i = 0; i < n; ++i) {
    const double d = static_cast<double>(draw()) - mean;
    sum += d;
    squares += d * d;
  }
  return {sum / n / std::sqrt(variance / n), squares / n / variance - 1};
}

/// Seeded, so this cannot flicker; 4 sigma, and for the variance 3 % (its own sigma is sqrt((2 + excess) / n): .3 % for
/// these, .7 % for the most skewed, of mean 0.3).
void check(const moments& m) {
  CHECK(std::abs(m.z) <= 4);
  CHECK(std::abs(m.variance) <= .03);
}

}  // namespace

TEST_CASE("random: moments of every distribution, on both sides of each change of method") {
  unmask::random draw(11);
  check(measure([&] { return draw.uniform(); }, .5, 1. / 12));
  check(measure([&] { return draw.uniform(2, 4); }, 3, 4. / 12));
  check(measure([&] { return draw.below(7); }, 3, 4));
  check(measure([&] { return draw.normal(); }, 0, 1));
  for (double lambda : {.3, 9.9, 10., 50., 1e5}) check(measure([&] { return draw.poisson(lambda); }, lambda, lambda));
  for (std::int64_t n : {1, 20, 30, 5120})
    for (double p : {.1, .4, .93}) {
      const double mean = static_cast<double>(n) * p;
      check(measure([&] { return draw.binomial(n, p); }, mean, mean * (1 - p)));
    }
}

TEST_CASE("random: the probabilities of small counts") {
  // Poisson(2) and Binomial(6, .3) at k = 0, 1, 2; 5 sigma of a count of 200000 draws is below .0056.
  unmask::random draw(12);
  std::array<double, 3> p{}, b{};
  constexpr int n = 200000;
  for (int i = 0; i < n; ++i) {
    const auto k = draw.poisson(2), j = draw.binomial(6, .3);
    if (k < 3) p[static_cast<std::size_t>(k)] += 1. / n;
    if (j < 3) b[static_cast<std::size_t>(j)] += 1. / n;
  }
  const std::array<double, 3> poisson{.135335, .270671, .270671}, binomial{.117649, .302526, .324135};
  for (std::size_t k = 0; k < 3; ++k) {
    CHECK(std::abs(p[k] - poisson[k]) <= .0056);
    CHECK(std::abs(b[k] - binomial[k]) <= .0056);
  }
}

TEST_CASE("random: seeds, streams, edges, and going on from a saved state") {
  unmask::random a(5), b(5), other(6), stream(5, 1);
  CHECK(a.next() == b.next());
  CHECK(a.next() != other.next());
  CHECK(b.next() != stream.next());
  const auto saved = a.state();
  const double first = a.normal();
  const auto then = a.poisson(40);
  a.restore(saved);
  CHECK(a.normal() == first);
  CHECK(a.poisson(40) == then);
  a.restore({});
  CHECK(a.next() != a.next());

  CHECK(a.below(0) == 0);
  CHECK(a.below(1) == 0);
  CHECK(a.poisson(0) == 0);
  CHECK(a.poisson(-1) == 0);
  CHECK(a.poisson(std::nan("")) == 0);
  CHECK(a.poisson(std::numeric_limits<double>::infinity()) > 0);
  CHECK(a.binomial(0, .5) == 0);
  CHECK(a.binomial(9, 0) == 0);
  CHECK(a.binomial(9, 1) == 9);
  CHECK(a.binomial(9, 2) == 9);
  CHECK(a.binomial(9, std::nan("")) == 0);
  for (int i = 0; i < 1000; ++i) {
    const double u = a.uniform();
    CHECK((u >= 0 && u < 1));
    const auto k = a.binomial(40, .5);
    CHECK((k >= 0 && k <= 40));
  }
}

TEST_CASE("random: the sequence is fixed for ever") {
  // xoshiro256++ from the state {1, 2, 3, 4}: the first outputs of its authors' recurrence, worked by hand:
  // rotl(1 + 4, 23) + 1 = 5 * 2^23 + 1; then the state is {7, 0, 2^18 + 2, 6 * 2^45}.
  unmask::random draw(0);
  draw.restore({1, 2, 3, 4});
  CHECK(draw.next() == 41943041u);
  CHECK(draw.state() == unmask::random::state_type{7, 0, 262146, std::uint64_t{6} << 45});
  CHECK(draw.next() == 58720359u);
}

TEST_CASE("noise: mean and variance of each model, equal for any number of threads") {
  using optics::noise_model;
  using optics::shot_noise;
  const auto run = [](const noise_model& model, double level, int threads) {
    REQUIRE(optics::check_noise(model));
    tensor<double, 2> y({400, 500}, level);
    optics::add_noise(cpu{.threads = threads}, y.view(), model, 3);
    return y;
  };
  const auto check_model = [&](const noise_model& model, double level, double variance) {
    const auto y = run(model, level, 1);
    const double* at = y.data();
    check(measure([&] { return *at++; }, level, variance));
    CHECK(std::equal(y.begin(), y.end(), run(model, level, 3).begin()));
  };
  // Binomial: trials n = v depth / q, value B / depth, variance n q (1 - q) / depth^2 = v (1 - q) / depth.
  check_model(optics::camera_noise(), .5, .5 * .6 / 2048);
  check_model({.shot = shot_noise::poisson, .photons = 1000}, .25, .25 / 1000);
  check_model({.read_sigma = .02}, .3, 4e-4);
  check_model({.shot = shot_noise::poisson, .photons = 500, .read_sigma = .05}, .4, .4 / 500 + .0025);
  // Full scale 14: v = 7 / 14, and everything comes back times 14.
  check_model({.shot = shot_noise::poisson, .photons = 1000, .full_scale = 14}, 7, .5 / 1000 * 14 * 14);
}

TEST_CASE("noise: odd values and options") {
  for (const auto shot : {optics::shot_noise::binomial, optics::shot_noise::poisson}) {
    tensor<float, 2> y({1, 4});
    y(0, 0) = std::nanf(""), y(0, 1) = -1, y(0, 2) = 0, y(0, 3) = std::numeric_limits<float>::infinity();
    optics::add_noise(ref{}, y.view(), {.shot = shot}, 1);
    CHECK(std::isnan(y(0, 0)));
    CHECK(y(0, 1) == 0);
    CHECK(y(0, 2) == 0);
    CHECK(std::isfinite(y(0, 3)));
  }
  CHECK(!optics::check_noise({.quantum_efficiency = 0}));
  CHECK(!optics::check_noise({.bit_depth = -1}));
  CHECK(!optics::check_noise({.photons = std::nan("")}));
  CHECK(optics::check_noise({.read_sigma = -1}).error().message() ==
        "noise: read sigma is -1, expected a number in [0, 1e9]");
  CHECK(!optics::check_noise({.full_scale = 0}));
}
