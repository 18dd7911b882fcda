/// Losses, norm and optimiser of the cuda backend against their host twins, in double and float: every penalty and
/// option, padded pins, padding exactly zero, the same bits whichever way the threads run.

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "../nn/tested_backend.hpp"
#include "unmask/core/random.hpp"
#include "unmask/core/tensor.hpp"
#include "unmask/train/cuda/adamw.cuh"
#include "unmask/train/cuda/losses.cuh"

using namespace unmask;
using unmask::index_t;
namespace ut = unmask::train;
using unmask_test::tested_variants;

namespace {

constexpr index_t B = 2, H = 13, W = 11, C = 5, Hp = 16, Wp = 16, K = 2;
constexpr ut::penalty_kind kinds[] = {ut::penalty_kind::l1, ut::penalty_kind::squared, ut::penalty_kind::rmse,
                                      ut::penalty_kind::charbonnier};

template <class T, std::size_t Rank>
tensor<T, Rank> noise(std::array<index_t, Rank> extents, std::uint64_t seed, double low, double high) {
  tensor<T, Rank> x(extents);
  unmask::random draw(seed);
  for (T& v : x) v = static_cast<T>(draw.uniform(low, high));
  return x;
}

/// A loss and its gradients, once by the host and once by the device; NaN where nobody wrote.
template <class T>
struct outcome {
  double loss = std::numeric_limits<double>::quiet_NaN();
  tensor<T, 4> destimate{{B, H, W, C}, std::numeric_limits<T>::quiet_NaN()};
  std::vector<tensor<T, 4>> dpin =
      std::vector<tensor<T, 4>>(K, tensor<T, 4>({B, Hp, Wp, C}, std::numeric_limits<T>::quiet_NaN()));
  std::vector<array_view<T, 4>> dpins() {
    std::vector<array_view<T, 4>> views;
    for (auto& d : dpin) views.push_back(d.view());
    return views;
  }
};

/// 1000 terms added in another order, and factors rounded once more: a few roundings of the largest.
template <class T, class X>
void check_close(const X& expected, const X& found) {
  double error = 0, largest = 0;
  for (auto e = expected.begin(), f = found.begin(); e != expected.end(); ++e, ++f) {
    const double d = std::abs(static_cast<double>(*e) - static_cast<double>(*f));
    if (!(d <= error)) error = d;
    largest = std::max(largest, std::abs(static_cast<double>(*e)));
  }
  CHECK(error <= 8 * static_cast<double>(std::numeric_limits<T>::epsilon()) * largest);
}

template <class T>
struct problem {
  tensor<T, 4> estimate = noise<T, 4>({B, H, W, C}, 1, 0, 1), truth = noise<T, 4>({B, H, W, C}, 2, 0, 1);
  tensor<T, 4> weight = noise<T, 4>({B, H, W, C}, 3, 0, 2);
  tensor<T, 4> start = noise<T, 4>({B, H, W, C + 2}, 7, -1, 1);
  tensor<T, 3> mask = noise<T, 3>({B, H, W}, 4, 0, 1), padded_mask = noise<T, 3>({B, Hp, Wp}, 4, 0, 1);
  std::vector<tensor<T, 4>> pin{noise<T, 4>({B, Hp, Wp, C}, 5, -1, 1), noise<T, 4>({B, Hp, Wp, C}, 6, -1, 1)};
  std::vector<double> scratch = std::vector<double>(ut::loss_scratch, std::numeric_limits<double>::quiet_NaN());

  std::vector<array_view<const T, 4>> pins() const {
    std::vector<array_view<const T, 4>> views;
    for (auto& p : pin) views.push_back(p.view());
    return views;
  }

  /// host(outcome) returns the loss, device(be, outcome) writes it.
  template <class Host, class Device>
  void compare(Host&& host, Device&& device) {
    outcome<T> expected, first;
    expected.loss = host(expected);
    bool started = false;
    for (const auto& variant : tested_variants()) {
      variant.enter();
      outcome<T> found;
      device(variant.be, found);
      CHECK(std::abs(found.loss - expected.loss) <= 1e-6 * std::abs(expected.loss));
      if (std::is_same_v<T, double>) CHECK(std::abs(found.loss - expected.loss) <= 1e-13 * std::abs(expected.loss));
      const auto written = [](const tensor<T, 4>& t) { return !std::isnan(*t.begin()); };
      if (written(expected.destimate)) check_close<T>(expected.destimate, found.destimate);
      for (std::size_t k = 0; k < K; ++k) {
        if (!written(expected.dpin[k])) continue;
        check_close<T>(expected.dpin[k], found.dpin[k]);
        for (index_t h = 0; h < Hp; ++h)
          for (index_t w = 0; w < Wp; ++w)
            if (h >= H || w >= W) CHECK(found.dpin[k](1, h, w, 0) == 0);
      }
      if (!started) first = found;
      CHECK(found.loss == first.loss);
      started = true;
    }
  }
};

}  // namespace

TEST_CASE_TEMPLATE("cuda: reconstruction and mask-encoding loss", T, double, float) {
  problem<T> p;
  for (const auto kind : kinds) {
    const ut::penalty rho{kind, .1};
    for (const bool weighted : {false, true}) {
      const auto weight = weighted ? array_view<const T, 4>(p.weight.view()) : array_view<const T, 4>();
      p.compare(
          [&](outcome<T>& o) {
            return ut::reconstruction_loss<T>(ref{}, rho, o.destimate.view(), p.estimate.view(), p.truth.view(),
                                              weight);
          },
          [&](const cuda& be, outcome<T>& o) {
            ut::reconstruction_loss_to<T>(be, {&o.loss, p.scratch.data()}, rho, o.destimate.view(), p.estimate.view(),
                                          p.truth.view(), weight);
          });
    }
    for (const bool padded : {false, true}) {
      const array_view<const T, 3> mask = padded ? p.padded_mask.view() : p.mask.view();
      p.compare(
          [&](outcome<T>& o) {
            return ut::mask_encoding_term<T>(ref{}, rho, .7, o.dpins(), p.pins(), mask, p.truth.view());
          },
          [&](const cuda& be, outcome<T>& o) {
            ut::mask_encoding_term_to<T>(be, {&o.loss, p.scratch.data()}, rho, .7, o.dpins(), p.pins(), mask,
                                         p.truth.view());
          });
    }
  }
  double none = 1;
  ut::mask_encoding_term_to<T>(cuda{}, {&none, p.scratch.data()}, {}, 1, {}, {}, p.mask.view(), p.truth.view());
  CHECK(none == 0);
}

TEST_CASE_TEMPLATE("cuda: mask-aware loss for every option", T, double, float) {
  problem<T> p;
  for (const auto kind : kinds)
    for (const bool normalised : {false, true})
      for (const bool detached : {true, false})
        for (const double cap : {std::numeric_limits<double>::infinity(), .25}) {
          const ut::penalty rho{kind, .1};
          const ut::mask_aware_options options{
              .lambda = 1.5, .epsilon = .2, .detached = detached, .cap = cap, .normalised = normalised};
          p.compare(
              [&](outcome<T>& o) {
                return ut::mask_aware_loss<T>(ref{}, rho, options, o.destimate.view(), o.dpin[0].view(),
                                              p.estimate.view(), p.pin[0].view(), p.truth.view());
              },
              [&](const cuda& be, outcome<T>& o) {
                ut::mask_aware_loss_to<T>(be, {&o.loss, p.scratch.data()}, rho, options,
                                          {o.destimate.view(), o.dpin[0].view()}, p.estimate.view(), p.pin[0].view(),
                                          p.truth.view());
              });
        }
}

TEST_CASE_TEMPLATE("cuda: mask-aware loss for every weight", T, double, float) {
  problem<T> p;
  for (const auto weight : {ut::aware_weight::relative, ut::aware_weight::visibility})
    for (const bool normalised : {false, true})
      for (const bool detached : {true, false})
        for (const double cap : {std::numeric_limits<double>::infinity(), .25})
          for (const bool padded : {false, true}) {
            const array_view<const T, 3> mask = padded ? p.padded_mask.view() : p.mask.view();
            const ut::aware_inputs<T> from(p.pin[0].view(), p.start.view(), mask);
            const ut::mask_aware_options options{.lambda = 1.5,
                                                 .epsilon = .2,
                                                 .detached = detached,
                                                 .cap = cap,
                                                 .normalised = normalised,
                                                 .weight = weight,
                                                 .delta = .1};
            p.compare(
                [&](outcome<T>& o) {
                  return ut::mask_aware_loss<T>(ref{}, {}, options, o.destimate.view(), o.dpin[0].view(),
                                                p.estimate.view(), from, p.truth.view());
                },
                [&](const cuda& be, outcome<T>& o) {
                  ut::mask_aware_loss_to<T>(be, {&o.loss, p.scratch.data()}, {}, options,
                                            {o.destimate.view(), o.dpin[0].view()}, p.estimate.view(), from,
                                            p.truth.view());
                });
          }
  // All open and divided by a mean of 0; an input that is missing.
  const tensor<T, 3> open({B, H, W}, T(1));
  const ut::mask_aware_options options{.normalised = true, .weight = ut::aware_weight::visibility};
  const auto loss = [&](const ut::aware_inputs<T>& from) {
    double found = 0;
    ut::mask_aware_loss_to<T>(cuda{}, {&found, p.scratch.data()}, {}, options, {}, p.estimate.view(), from,
                              p.truth.view());
    return found;
  };
  const double plain = ut::reconstruction_loss<T>(ref{}, {}, {}, p.estimate.view(), p.truth.view());
  CHECK(std::abs(loss({p.pin[0].view(), p.start.view(), open.view()}) - plain) <= 1e-6 * plain);
  CHECK(std::isnan(loss({p.pin[0].view(), p.start.view()})));
}

TEST_CASE_TEMPLATE("cuda: norm and optimiser", T, double, float) {
  constexpr index_t n = 5003;
  const auto gradient = noise<T, 1>({n}, 1, -1, 1);
  std::vector<double> scratch(ut::loss_scratch);
  for (const double average : {0., .9}) {
    const ut::adamw_options o{.weight_decay = .1, .average = average};
    struct blocks {
      tensor<T, 1> p = noise<T, 1>({n}, 2, -1, 1), m{{n}}, v{{n}}, mean = noise<T, 1>({n}, 2, -1, 1);
      ut::adamw_state<T> state(bool averaged) { return {m.data(), v.data(), averaged ? mean.data() : nullptr}; }
    };
    blocks host, device;
    for (index_t t = 1; t < 5; ++t) {
      const double norm = ut::norm(ref{}, gradient.data(), n), factor = ut::clip_factor(norm, 2);
      double square = 0;
      ut::square_norm_to(cuda{}, &square, gradient.data(), n, scratch.data());
      CHECK(std::abs(std::sqrt(square) - norm) <= 1e-12 * norm);
      ut::adamw_step<T>(ref{}, o, {.01, t, factor}, host.p.data(), gradient.data(), host.state(average > 0), n);
      ut::adamw_step<T>(cuda{}, o, {.01, t, factor}, device.p.data(), gradient.data(), device.state(average > 0), n);
    }
    check_close<T>(host.p, device.p);
    check_close<T>(host.m, device.m);
    check_close<T>(host.v, device.v);
    check_close<T>(host.mean, device.mean);
  }
}
