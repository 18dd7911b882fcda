#pragma once

/// Seeded random numbers with the same sequence on every platform, which the std distributions do not promise.
///
/// xoshiro256++ (Blackman and Vigna 2018) seeded by splitmix64. The generator is integer arithmetic, so the sequence of
/// `next`, `uniform` and `below` is the same bits everywhere; `normal`, `poisson` and `binomial` also call std::log,
/// exp and cos, whose last bit is the platform's. Work that is split over threads takes one stream an item (a row, a
/// scene), not one a thread, so that its result does not depend on the thread count.
///
/// With `using namespace unmask` write `unmask::random`: POSIX has a function `random`.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "view.hpp"

namespace unmask::inline UNMASK_ABI {

namespace detail {

constexpr std::uint64_t mix64(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

/// log(k!): Stirling's series at k >= 10, where its error is below 1e-10 (std::lgamma writes a global variable).
inline double log_factorial(double k) {
  if (k < 10) {
    double product = 1;
    for (double i = 2; i <= k; ++i) product *= i;
    return std::log(product);
  }
  const double n = k + 1, r = 1 / (n * n);
  return (k + .5) * std::log(n) - n + .91893853320467274178 + (1. / 12 - (1. / 360 - r / 1260) * r) / n;
}

}  // namespace detail

class random {
 public:
  using state_type = std::array<std::uint64_t, 4>;

  /// Equal seed and stream give equal sequences; different streams of one seed are independent.
  explicit constexpr random(std::uint64_t seed, std::uint64_t stream = 0) {
    std::uint64_t at = detail::mix64(seed + golden) ^ detail::mix64(~stream * golden);
    for (std::uint64_t& word : state_) word = detail::mix64(at += golden);
  }

  /// 64 random bits.
  constexpr std::uint64_t next() {
    const std::uint64_t value = rotate(state_[0] + state_[3], 23) + state_[0];
    const std::uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = rotate(state_[3], 45);
    return value;
  }

  /// Multiples of 2^-53 in [0, 1).
  constexpr double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }

  /// [a, b), up to rounding of a + (b - a) u.
  constexpr double uniform(double a, double b) { return a + (b - a) * uniform(); }

  /// An integer in [0, n) without bias; 0 where n < 1.
  constexpr index_t below(index_t n) {
    if (n < 1) return 0;
    const auto range = static_cast<std::uint64_t>(n);
    const std::uint64_t biased = (0 - range) % range;
    std::uint64_t bits = next();
    while (bits < biased) bits = next();
    return static_cast<index_t>(bits % range);
  }

  /// Mean 0, variance 1 (Box-Muller). Its twin is thrown away: the state stays four words, and every call uses two.
  double normal() {
    const double radius = std::sqrt(-2 * std::log(open()));
    return radius * std::cos(6.28318530717958647693 * uniform());
  }

  /// Mean lambda in [0, 2^40] (clamped; NaN counts as 0): inversion below 10, Hörmann's PTRS (1993) from there on.
  std::int64_t poisson(double lambda) {
    if (!(lambda > 0)) return 0;
    lambda = std::min(lambda, 0x1p40);
    if (lambda < 10)
      return invert(
          std::exp(-lambda), [=](double k) { return lambda / k; }, 200);
    const double b = .931 + 2.53 * std::sqrt(lambda), a = -.059 + .02483 * b;
    const double alpha = 1.1239 + 1.1328 / (b - 3.4), inside = .9277 - 3.6224 / (b - 2), log_lambda = std::log(lambda);
    for (;;) {
      const double u = open() - .5, v = open(), edge = .5 - std::abs(u);
      const double k = std::floor((2 * a / edge + b) * u + lambda + .43);
      if (edge >= .07 && v <= inside) return static_cast<std::int64_t>(k);
      if (k < 0 || (edge < .013 && v > edge)) continue;
      if (std::log(v * alpha / (a / (edge * edge) + b)) <= k * log_lambda - lambda - detail::log_factorial(k))
        return static_cast<std::int64_t>(k);
    }
  }

  /// Successes of n trials (n <= 2^40, negative counts as 0) of probability p, clamped to [0, 1]: inversion where the
  /// mean is below 10, Hörmann's BTRS (1993) elsewhere.
  std::int64_t binomial(std::int64_t n, double p) {
    if (n <= 0 || !(p > 0)) return 0;
    if (p >= 1) return n;
    if (p > .5) return n - binomial(n, 1 - p);
    const double trials = static_cast<double>(n), q = 1 - p, mean = trials * p;
    if (mean < 10)
      return invert(
          std::exp(trials * std::log1p(-p)), [=](double k) { return (trials - k + 1) / k * (p / q); }, n);
    const double sigma = std::sqrt(mean * q), b = 1.15 + 2.53 * sigma, a = -.0873 + .0248 * b + .01 * p;
    const double alpha = (2.83 + 5.1 / b) * sigma, inside = .92 - 4.2 / b, odds = std::log(p / q);
    const double mode = std::floor((trials + 1) * p);
    const double peak = detail::log_factorial(mode) + detail::log_factorial(trials - mode);
    for (;;) {
      const double u = open() - .5, v = open(), edge = .5 - std::abs(u);
      const double k = std::floor((2 * a / edge + b) * u + mean + .5);
      if (k < 0 || k > trials) continue;
      if (edge >= .07 && v <= inside) return static_cast<std::int64_t>(k);
      if (std::log(v * alpha / (a / (edge * edge) + b)) <=
          peak - detail::log_factorial(k) - detail::log_factorial(trials - k) + (k - mode) * odds)
        return static_cast<std::int64_t>(k);
    }
  }

  /// Everything that decides what comes next, for checkpoints.
  constexpr const state_type& state() const { return state_; }
  /// Goes on where `saved` was taken; all zero, which the generator cannot leave, counts as seed 0.
  constexpr void restore(const state_type& saved) {
    *this = random(0);
    if (saved != state_type{}) state_ = saved;
  }

 private:
  static constexpr std::uint64_t golden = 0x9e3779b97f4a7c15u;

  static constexpr std::uint64_t rotate(std::uint64_t x, int by) { return (x << by) | (x >> (64 - by)); }

  /// (0, 1), neither end: for logarithms and divisions.
  constexpr double open() { return (static_cast<double>(next() >> 12) + .5) * 0x1p-52; }

  /// Walks up the distribution whose first term is `p` and whose k-th term is ratio(k) times the one before.
  template <class Ratio>
  std::int64_t invert(double p, Ratio ratio, std::int64_t last) {
    double left = uniform();
    std::int64_t k = 0;
    while (left >= p && k < last) {
      left -= p;
      p *= ratio(static_cast<double>(++k));
      // Rounding can leave a rest that no later term can use up.
      if (p < 1e-18 && left < 1e-12) break;
    }
    return k;
  }

  state_type state_{};
};

}  // namespace unmask::inline UNMASK_ABI
