#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "unmask/core/random.hpp"
#include "unmask/core/tensor.hpp"
#include "unmask/train/gradient_check.hpp"
#include "unmask/train/mask_aware_loss.hpp"
#include "unmask/train/mask_encoding_loss.hpp"
#include "unmask/train/reconstruction_loss.hpp"

using namespace unmask;
using unmask::index_t;
namespace ut = unmask::train;

namespace losses {

namespace {

constexpr index_t B = 2, H = 5, W = 7, C = 3, Hp = 8, Wp = 8;
constexpr ut::penalty_kind kinds[] = {ut::penalty_kind::l1, ut::penalty_kind::squared, ut::penalty_kind::rmse,
                                      ut::penalty_kind::charbonnier};

// The difference of two stacks stays at least .1 from the kink of |d|, 10^4 steps of the central difference.
template <std::size_t Rank>
tensor<double, Rank> noise(std::array<index_t, Rank> extents, std::uint64_t seed, double low, double high) {
  tensor<double, Rank> t(extents);
  unmask::random draw(seed);
  for (double& v : t) v = draw.uniform(low, high) * (draw.below(2) ? 1 : -1);
  return t;
}

struct problem {
  tensor<double, 4> truth = noise<4>({B, H, W, C}, 1, .2, .9);
  tensor<double, 4> estimate = noise<4>({B, H, W, C}, 2, .1, .6);
  tensor<double, 4> destimate{{B, H, W, C}};
  tensor<double, 3> mask = noise<3>({B, Hp, Wp}, 3, .2, 1);
  std::vector<tensor<double, 4>> pin, dpin;
  std::vector<array_view<const double, 4>> pins;
  std::vector<array_view<double, 4>> dpins;

  problem() {
    for (std::size_t i = 0; i < static_cast<std::size_t>(estimate.size()); ++i) estimate.data()[i] += truth.data()[i];
    for (std::uint64_t k = 0; k < 2; ++k) {
      pin.push_back(noise<4>({B, Hp, Wp, C}, 4 + k, .1, .6));
      dpin.emplace_back(std::array<index_t, 4>{B, Hp, Wp, C}, std::numeric_limits<double>::quiet_NaN());
      for (index_t b = 0; b < B; ++b)
        for (index_t h = 0; h < Hp; ++h)
          for (index_t w = 0; w < Wp; ++w)
            for (index_t c = 0; c < C; ++c) {
              if (h < H && w < W)
                pin.back()(b, h, w, c) += mask(b, h, w) * truth(b, h, w, c);
              else
                pin.back()(b, h, w, c) = std::numeric_limits<double>::quiet_NaN();  // padding must not be read
            }
    }
    for (auto& p : pin) pins.push_back(p.view());
    for (auto& p : dpin) dpins.push_back(p.view());
  }
};

// The used part of a padded pin's gradient is checked; the padding must be exactly zero.
template <class F>
void check_pin(F&& f, tensor<double, 4>& pin, tensor<double, 4>& dpin) {
  std::vector<double> x, g;
  std::vector<double*> at;
  for (index_t b = 0; b < B; ++b)
    for (index_t h = 0; h < Hp; ++h)
      for (index_t w = 0; w < Wp; ++w)
        for (index_t c = 0; c < C; ++c) {
          if (h >= H || w >= W) {
            CHECK(dpin(b, h, w, c) == 0);
            continue;
          }
          at.push_back(&pin(b, h, w, c));
          x.push_back(pin(b, h, w, c));
          g.push_back(dpin(b, h, w, c));
        }
  const auto scattered = [&] {
    for (std::size_t i = 0; i < at.size(); ++i) *at[i] = x[i];
    return f();
  };
  const auto report = ut::check_gradient(scattered, x, g);
  scattered();
  CHECK(report.error <= 1e-6);
}

std::span<double> all(tensor<double, 4>& t) { return {t.data(), static_cast<std::size_t>(t.size())}; }

}  // namespace

TEST_CASE("reconstruction loss: values by their formulas") {
  tensor<double, 4> y({1, 1, 2, 2}), x({1, 1, 2, 2});
  y(0, 0, 0, 0) = 3, y(0, 0, 1, 1) = -4;
  const auto loss = [&](ut::penalty p) { return ut::reconstruction_loss<double>(ref{}, p, {}, y.view(), x.view()); };
  CHECK(loss({ut::penalty_kind::l1}) == doctest::Approx(7. / 4).epsilon(1e-14));
  CHECK(loss({ut::penalty_kind::squared}) == doctest::Approx(25. / 4).epsilon(1e-14));
  CHECK(loss({ut::penalty_kind::rmse}) == doctest::Approx(2.5).epsilon(1e-14));
  CHECK(loss({ut::penalty_kind::charbonnier, 4.}) == doctest::Approx((5 + 8 + std::sqrt(32.)) / 4).epsilon(1e-14));
  // An exact estimate: no division by zero, no gradient.
  for (auto kind : kinds) {
    tensor<double, 4> dy({1, 1, 2, 2}, 1.);
    const double value = ut::reconstruction_loss<double>(ref{}, {kind}, dy.view(), x.view(), x.view());
    CHECK(value <= 1e-3);
    for (double g : dy) CHECK(g == 0);
  }
  y(0, 0, 0, 1) = std::numeric_limits<double>::quiet_NaN();
  for (auto kind : kinds) CHECK(std::isnan(loss({kind})));
  CHECK_FALSE(ut::check(ut::penalty{ut::penalty_kind::charbonnier, 0.}));
}

TEST_CASE("reconstruction loss: gradients, with a weight and without") {
  problem p;
  auto weight = noise<4>({B, H, W, C}, 9, .3, 2);
  for (double& w : weight) w = std::abs(w);
  for (auto kind : kinds)
    for (bool weighted : {false, true}) {
      const auto w = weighted ? array_view<const double, 4>(weight.view()) : array_view<const double, 4>();
      const auto loss = [&](array_view<double, 4> dy) {
        return ut::reconstruction_loss<double>(ref{}, {kind, .1}, dy, p.estimate.view(), p.truth.view(), w);
      };
      loss(p.destimate.view());
      CHECK(ut::check_gradient([&] { return loss({}); }, all(p.estimate), all(p.destimate)).error <= 1e-6);
    }
}

TEST_CASE("mask-encoding loss: gradients of output and pins, padding ignored") {
  problem p;
  for (auto kind : kinds) {
    const auto loss = [&](array_view<double, 4> dy, std::span<const array_view<double, 4>> dpins) {
      return ut::mask_encoding_loss<double>(ref{}, {kind, .1}, .7, {dy, dpins}, p.estimate.view(), p.pins,
                                            p.mask.view(), p.truth.view());
    };
    const double value = loss(p.destimate.view(), p.dpins);
    const auto f = [&] { return loss({}, {}); };
    CHECK(f() == value);
    CHECK(ut::check_gradient(f, all(p.estimate), all(p.destimate)).error <= 1e-6);
    for (std::size_t k = 0; k < p.pin.size(); ++k) check_pin(f, p.pin[k], p.dpin[k]);
  }
  // A head that predicts m F exactly pays nothing.
  for (auto& pin : p.pin)
    for (index_t b = 0; b < B; ++b)
      for (index_t h = 0; h < H; ++h)
        for (index_t w = 0; w < W; ++w)
          for (index_t c = 0; c < C; ++c) pin(b, h, w, c) = p.mask(b, h, w) * p.truth(b, h, w, c);
  CHECK(ut::mask_encoding_term<double>(ref{}, {}, 1, {}, p.pins, p.mask.view(), p.truth.view()) <=
        1e-16);  // not zero: one of the two products of m and F may be part of a fused multiply-add
  for (double& v : p.pin[0]) v += .1;  // a difference of .1 everywhere is 20 dB
  const double psnr = ut::encoding_psnr<double>(ref{}, p.pins[0], p.mask.view(), p.truth.view());
  CHECK(psnr == doctest::Approx(20).epsilon(1e-12));
}

TEST_CASE("mask-aware loss: gradients for every option") {
  problem p;
  for (auto kind : kinds)
    for (bool normalised : {false, true})
      for (bool detached : {true, false})
        for (double cap : {std::numeric_limits<double>::infinity(), .25}) {
          const ut::mask_aware_options options{
              .lambda = 1.5, .epsilon = .2, .detached = detached, .cap = cap, .normalised = normalised};
          // The cap's kink, |P| = .6, must not lie within a step of a pin value.
          auto& pin = p.pin.back();
          for (double& v : pin)
            if (std::abs(std::abs(v) - .6) < 1e-3) v += v > 0 ? 2e-3 : -2e-3;
          const auto loss = [&](array_view<double, 4> dy, array_view<double, 4> dpin) {
            return ut::mask_aware_loss<double>(ref{}, {kind, .1}, options, dy, dpin, p.estimate.view(), pin.view(),
                                               p.truth.view());
          };
          loss(p.destimate.view(), p.dpin.back().view());
          const auto f = [&] { return loss({}, {}); };
          CHECK(ut::check_gradient(f, all(p.estimate), all(p.destimate)).error <= 1e-6);
          if (detached)
            for (double g : p.dpin.back()) CHECK(g == 0);
          else
            check_pin(f, pin, p.dpin.back());
        }
}

namespace {

constexpr ut::aware_weight weights[] = {ut::aware_weight::signal, ut::aware_weight::relative,
                                        ut::aware_weight::visibility};

// The formulas as they are written down, one element at a time.
double plain_weight(const ut::mask_aware_options& o, double pin, double start, double mask) {
  double w = o.epsilon / (std::abs(pin) + o.epsilon);
  if (o.weight == ut::aware_weight::relative) w = o.epsilon / (std::abs(pin) / (std::abs(start) + o.delta) + o.epsilon);
  if (o.weight == ut::aware_weight::visibility) w = std::max(0., 1 - mask);
  return std::min(w, o.cap);
}

// What a network starts from has more channels than bands, some of it darker than delta; masks reach beyond 1.
struct weighed : problem {
  tensor<double, 4> start{{B, H, W, C + 2}};
  tensor<double, 3> open{{B, Hp, Wp}};

  weighed() {
    unmask::random draw(11);
    for (double& v : start) v = draw.uniform(-1, 1) * (draw.below(4) ? 1 : .02);
    for (double& v : open) v = draw.uniform(0, 1.2);
  }
  ut::aware_inputs<double> from() const { return {pin.back().view(), start.view(), open.view()}; }
  double weight(const ut::mask_aware_options& o, index_t b, index_t h, index_t w, index_t c) const {
    return plain_weight(o, pin.back()(b, h, w, c), start(b, h, w, c), open(b, h, w));
  }
  double loss(const ut::mask_aware_options& o) {
    return ut::mask_aware_loss<double>(ref{}, {}, o, {}, {}, estimate.view(), from(), truth.view());
  }
};

}  // namespace

TEST_CASE("mask-aware loss: every weight by its formula, in loss and picture") {
  weighed p;
  for (const auto weight : weights)
    for (const bool normalised : {false, true})
      for (const double cap : {std::numeric_limits<double>::infinity(), .4}) {
        const ut::mask_aware_options o{
            .lambda = 1.5, .epsilon = .2, .cap = cap, .normalised = normalised, .weight = weight, .delta = .1};
        double mean_weight = 0, mean = 0;
        for (index_t b = 0; b < B; ++b)
          for (index_t h = 0; h < H; ++h)
            for (index_t w = 0; w < W; ++w)
              for (index_t c = 0; c < C; ++c) mean_weight += p.weight(o, b, h, w, c) / (B * H * W * C);
        if (!normalised) mean_weight = 1;
        tensor<double, 3> map({B, H, W});
        ut::mask_aware_map<double>(ref{}, o, map.view(), p.from());
        for (index_t b = 0; b < B; ++b)
          for (index_t h = 0; h < H; ++h)
            for (index_t w = 0; w < W; ++w) {
              double here = 0;
              for (index_t c = 0; c < C; ++c) {
                const double v = p.weight(o, b, h, w, c) / mean_weight;
                here += v / C;
                mean += (1 + o.lambda * v) * std::abs(p.estimate(b, h, w, c) - p.truth(b, h, w, c)) / (B * H * W * C);
              }
              CHECK(map(b, h, w) == doctest::Approx(here).epsilon(1e-13));
            }
        CHECK(p.loss(o) == doctest::Approx(mean).epsilon(1e-13));
      }
}

TEST_CASE("mask-aware loss: gradients for every weight") {
  weighed p;
  auto& pin = p.pin.back();
  for (const auto weight : weights)
    for (const auto kind : kinds)
      for (const bool normalised : {false, true})
        for (const bool detached : {true, false})
          for (const double cap : {std::numeric_limits<double>::infinity(), .25}) {
            if (weight == ut::aware_weight::visibility && !detached) continue;  // refused, see below
            const ut::mask_aware_options o{.lambda = 1.5,
                                           .epsilon = .2,
                                           .detached = detached,
                                           .cap = cap,
                                           .normalised = normalised,
                                           .weight = weight,
                                           .delta = .1};
            REQUIRE(bool(ut::check(o)));
            // No pin within a step of a kink: 0, and where the cap begins to hold.
            for (index_t b = 0; b < B; ++b)
              for (index_t h = 0; h < H; ++h)
                for (index_t w = 0; w < W; ++w)
                  for (index_t c = 0; c < C; ++c) {
                    double& v = pin(b, h, w, c);
                    if (std::abs(v) < 1e-3) v = 2e-3;
                    if (std::abs(
                            plain_weight({.epsilon = .2, .weight = weight, .delta = .1}, v, p.start(b, h, w, c), 0) -
                            .25) < 1e-2)
                      v *= 1.2;
                  }
            const auto loss = [&](array_view<double, 4> dy, array_view<double, 4> dpin) {
              return ut::mask_aware_loss<double>(ref{}, {kind, .1}, o, dy, dpin, p.estimate.view(), p.from(),
                                                 p.truth.view());
            };
            loss(p.destimate.view(), p.dpin.back().view());
            const auto f = [&] { return loss({}, {}); };
            CHECK(ut::check_gradient(f, all(p.estimate), all(p.destimate)).error <= 1e-6);
            if (detached)
              for (double g : p.dpin.back()) CHECK(g == 0);
            else
              check_pin(f, pin, p.dpin.back());
          }
}

TEST_CASE("mask-aware loss: what a weight reads, what it ignores, and NaN") {
  weighed p;
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto loss = [&](ut::aware_weight kind) { return p.loss({.lambda = 2, .weight = kind}); };
  const double plain = ut::reconstruction_loss<double>(ref{}, {}, {}, p.estimate.view(), p.truth.view());
  const double signal = loss(ut::aware_weight::signal), relative = loss(ut::aware_weight::relative),
               visibility = loss(ut::aware_weight::visibility);
  CHECK(std::isfinite(signal + relative + visibility));

  // With |S| + delta = 1 the relative weight is the signal's, to the bit.
  const auto start = p.start;
  for (double& v : p.start) v = v < 0 ? -.75 : .75;
  CHECK(p.loss({.lambda = 2, .weight = ut::aware_weight::relative, .delta = .25}) == signal);
  p.start = start;

  // Only what a weight is made of counts: NaN elsewhere changes nothing, NaN there is the loss.
  p.start(1, 2, 3, C - 1) = nan;
  CHECK(loss(ut::aware_weight::signal) == signal);
  CHECK(loss(ut::aware_weight::visibility) == visibility);
  CHECK(std::isnan(loss(ut::aware_weight::relative)));
  p.start = start;
  p.start(1, 2, 3, C) = nan;  // of a channel beyond the bands
  CHECK(loss(ut::aware_weight::relative) == relative);
  const auto open = p.open;
  p.open(1, 2, 3) = nan;
  CHECK(loss(ut::aware_weight::signal) == signal);
  CHECK(loss(ut::aware_weight::relative) == relative);
  CHECK(std::isnan(loss(ut::aware_weight::visibility)));
  p.open = open;
  const double pin = p.pin.back()(1, 2, 3, 0);
  p.pin.back()(1, 2, 3, 0) = nan;
  CHECK(std::isnan(loss(ut::aware_weight::signal)));
  CHECK(std::isnan(loss(ut::aware_weight::relative)));
  CHECK(loss(ut::aware_weight::visibility) == visibility);
  p.pin.back()(1, 2, 3, 0) = pin;

  // Missing, or with fewer channels than there are bands.
  const tensor<double, 4> narrow({B, H, W, C - 1}, .5);
  const auto without = [&](ut::aware_weight kind, array_view<const double, 4> from) {
    return ut::mask_aware_loss<double>(ref{}, {}, {.weight = kind}, {}, {}, p.estimate.view(),
                                       {p.pin.back().view(), from}, p.truth.view());
  };
  CHECK(std::isnan(without(ut::aware_weight::relative, {})));
  CHECK(std::isnan(without(ut::aware_weight::relative, narrow.view())));
  CHECK(std::isnan(without(ut::aware_weight::visibility, {})));

  // No gradient goes through a mask, whoever asks.
  ut::mask_aware_loss<double>(ref{}, {}, {.detached = false, .weight = ut::aware_weight::visibility}, {},
                              p.dpin.back().view(), p.estimate.view(), p.from(), p.truth.view());
  for (double g : p.dpin.back()) CHECK(g == 0);

  // All open: nothing to weigh, divided by its mean or not. All hidden: everything, 1 + lambda times.
  for (const bool normalised : {false, true}) {
    const ut::mask_aware_options o{.lambda = 2, .normalised = normalised, .weight = ut::aware_weight::visibility};
    for (double& v : p.open) v = 1;
    CHECK(p.loss(o) == doctest::Approx(plain).epsilon(1e-13));
    tensor<double, 3> map({B, H, W}, nan);
    ut::mask_aware_map<double>(ref{}, o, map.view(), p.from());
    for (double w : map) CHECK(w == 0);
    for (double& v : p.open) v = 0;
    CHECK(p.loss(o) == doctest::Approx(3 * plain).epsilon(1e-13));
  }

  CHECK_FALSE(ut::check(ut::mask_aware_options{.delta = 0}));
  CHECK_FALSE(ut::check(ut::mask_aware_options{.delta = nan}));
  const auto refused = ut::check(ut::mask_aware_options{.detached = false, .weight = ut::aware_weight::visibility});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message().find("'visibility'") != std::string::npos);
  CHECK(bool(ut::check(ut::mask_aware_options{.detached = false, .weight = ut::aware_weight::relative})));
}

TEST_CASE("mask-aware loss: weight, limits and picture") {
  problem p;
  auto& pin = p.pin.back();
  const auto loss = [&](const ut::mask_aware_options& o) {
    return ut::mask_aware_loss<double>(ref{}, {}, o, {}, {}, p.estimate.view(), pin.view(), p.truth.view());
  };
  const double plain = ut::reconstruction_loss<double>(ref{}, {}, {}, p.estimate.view(), p.truth.view());
  CHECK(loss({.lambda = 0}) == doctest::Approx(plain).epsilon(1e-13));
  tensor<double, 3> map({B, H, W});
  for (double& v : pin) v = 0;  // all hidden: w = 1 everywhere
  CHECK(loss({.lambda = 2}) == doctest::Approx(3 * plain).epsilon(1e-13));
  CHECK(loss({.lambda = 2, .cap = .5}) == doctest::Approx(2 * plain).epsilon(1e-13));
  CHECK(loss({.lambda = 2, .cap = .5, .normalised = true}) == doctest::Approx(3 * plain).epsilon(1e-13));
  ut::mask_aware_map<double>(ref{}, {}, map.view(), pin.view());
  for (double w : map) CHECK(w == 1);
  for (index_t c = 0; c < C; ++c) pin(1, 2, 3, c) = c == 0 ? .05 : -.05;  // |P| = eps: one half
  ut::mask_aware_map<double>(ref{}, {}, map.view(), pin.view());
  CHECK(map(1, 2, 3) == doctest::Approx(.5).epsilon(1e-14));
  ut::mask_aware_map<double>(ref{}, {.normalised = true}, map.view(), pin.view());
  double sum = 0;
  for (double w : map) sum += w;
  CHECK(sum / static_cast<double>(map.size()) == doctest::Approx(1).epsilon(1e-13));
  CHECK_FALSE(ut::check(ut::mask_aware_options{.epsilon = 0}));
  CHECK_FALSE(ut::check(ut::mask_aware_options{.lambda = std::nan("")}));
  CHECK_FALSE(ut::check(ut::mask_aware_options{.cap = 0}));
  CHECK(bool(ut::check(ut::mask_aware_options{})));
}

TEST_CASE("losses: the same bits for 1, 2 and 3 threads, in float") {
  tensor<float, 4> y({3, 9, 11, 5}), x({3, 9, 11, 5}), pin({3, 12, 12, 5});
  unmask::random draw(7);
  for (float& v : y) v = static_cast<float>(draw.uniform());
  for (float& v : x) v = static_cast<float>(draw.uniform());
  for (float& v : pin) v = static_cast<float>(draw.uniform());
  const ut::mask_aware_options options{.detached = false, .normalised = true};
  const auto run = [&](int threads) {
    tensor<float, 4> dy({3, 9, 11, 5}), dpin({3, 12, 12, 5});
    const double loss = ut::mask_aware_loss<float>(cpu{threads}, {ut::penalty_kind::rmse}, options, dy.view(),
                                                   dpin.view(), y.view(), pin.view(), x.view());
    std::vector<double> all{loss};
    all.insert(all.end(), dy.begin(), dy.end());
    all.insert(all.end(), dpin.begin(), dpin.end());
    return all;
  };
  const auto one = run(1);
  CHECK(one == run(2));
  CHECK(one == run(3));
}

TEST_CASE("gradient check: a wrong gradient and NaN fail") {
  std::vector<double> x{.3, -1.2, 2}, g(3);
  const auto f = [&] { return std::sin(x[0]) * x[1] + std::exp(x[2]); };
  g = {std::cos(.3) * -1.2, std::sin(.3), std::exp(2.)};
  CHECK(ut::check_gradient(f, x, g).passed(1e-8));
  CHECK(ut::check_gradient_along(f, x, g).passed(1e-8));
  CHECK(x == std::vector<double>{.3, -1.2, 2});
  g[1] *= 1.1;
  CHECK_FALSE(ut::check_gradient(f, x, g).passed(1e-3));
  CHECK(ut::check_gradient(f, x, g).worst == 1);
  CHECK_FALSE(ut::check_gradient_along(f, x, g).passed(1e-3));
  g[1] = std::numeric_limits<double>::quiet_NaN();
  CHECK_FALSE(ut::check_gradient(f, x, g).passed(1e9));
  CHECK_FALSE(ut::check_gradient_along(f, x, g).passed(1e9));
  CHECK_FALSE(ut::check_gradient([&] { return std::nan(""); }, x, {x}).passed(1e9));
  CHECK(ut::check_gradient([] { return 1.; }, x, std::vector<double>(3)).passed(0));
  CHECK_FALSE(ut::check_gradient(f, x, std::vector<double>(3)).passed(1e9));
}

}  // namespace losses
