#pragma once

/// What is seen of the ground through thin cloud and in shadow. The estimate b from other dates is wrong by e = x - b,
/// whose covariance by scale is known from pixels that were hidden on purpose. The cloudy date shows y = T x + cloud.
/// So
///   e = Sigma T S^-1 (y - T b),   S = E[(y - T b)(y - T b)'],
/// a Wiener filter for each scale (scale_parts.hpp). T, one number a band, is the slope of y's finest part on b's; S is
/// measured too. Cloud is a few spectral directions in which S is large, and there nothing is believed; under opaque
/// cloud T is near 0 and nothing changes. Nothing is assumed of the mask's values, of cloud's colour or of the sensor.
///
/// Each class of pixels (cloud_classes.hpp) has filters of its own; a pixel takes the mean of the two nearest classes',
/// so that no class has an edge.

#include "cloud_classes.hpp"
#include "scale_parts.hpp"

namespace unmask::inline UNMASK_ABI::clouds {

class visible_signal {
 public:
  void carve(arena& a, grid g, index_t bands, int slots) {
    n_ = g.size(), C_ = bands;
    parts_.carve(a, g, bands, slots);
    classes_.carve(a, n_, bands);
    for (auto* images : {&seen_, &base_})
      for (float*& p : *images) p = a.take<float>(n_ * bands);
    errors_ = a.take<double>((scales + 1) * bands * bands);
    gains_ = a.take<double>(cloud_classes::most * scales * bands * bands);
    moments_ = a.take<double>(slots * 3 * bands * bands);
    transmission_ = a.take<double>(cloud_classes::most * bands);
    left_ = a.take<double>(cloud_classes::most * bands);
    for (int i = 0; i < slots; ++i) wiener_[static_cast<std::size_t>(i)].carve(a, bands);
  }

  /// error [n, C]: of the estimate at the `count` pixels hidden on purpose (held [n] not 0).
  template <class Backend>
  void learn(const Backend& be, const float* error, const std::uint8_t* held, index_t count) noexcept {
    const index_t square = C_ * C_;
    added_ = false;
    parts_.choose(held);
    parts_.split(be, error, base_);
    parallel_for(be, scales, [&](index_t s, int slot) {
      const float* part = base_[static_cast<std::size_t>(s)];
      double *sigma = errors_ + s * square, *r = wiener_[static_cast<std::size_t>(slot)].scratch();
      std::fill_n(sigma, square, 0.);
      for (index_t i = 0; i < n_; ++i) {
        if (held[i] == 0) continue;
        std::copy_n(part + i * C_, C_, r);
        add_outer(sigma, C_, 1 / static_cast<double>(count), r);
      }
      mirror(sigma, C_);
    });
    for (index_t i = 0; i < square; ++i) {
      errors_[scales * square + i] = 0;
      for (index_t s = 0; s < scales; ++s) errors_[scales * square + i] += errors_[s * square + i];
    }
  }

  /// estimate [n, C] gains e where asked [n] is not 0, and its deviation [n, C] becomes smaller. Nothing changes where
  /// hardly more pixels are asked than there are bands.
  template <class Backend>
  void add(const Backend& be, const float* y, float* estimate, float* deviation, const std::uint8_t* asked) noexcept {
    index_t count = 0;
    for (index_t i = 0; i < n_; ++i) count += asked[i] != 0;
    added_ = count >= 2 * C_;
    if (!added_) return;
    classes_.sort(y, estimate, asked, count, errors_ + scales * C_ * C_, noise, wiener_[0]);
    parts_.choose(asked);
    parts_.split(be, y, seen_);
    parts_.split(be, estimate, base_);
    parallel_for(be, classes_.count(), [&](index_t k, int slot) { measure_transmission(k, asked, slot); });
    parallel_for(be, classes_.count() * scales, [&](index_t item, int slot) { fit(item, asked, slot); });
    parallel_for(be, classes_.count(), [&](index_t k, int) { measure_rest(k); });
    parallel_chunks(be, n_, [&](index_t, index_t begin, index_t end, int) {
      for (index_t i = begin; i < end; ++i)
        if (asked[i] != 0) correct(i, estimate + i * C_, deviation + i * C_);
    });
  }

  /// to [n, C]: how much of the ground `add` found to be seen, 0..1 a band; 0 where it was not asked.
  void transmission(float* to, const std::uint8_t* asked) const noexcept {
    for (index_t i = 0; i < n_; ++i)
      for (index_t c = 0; c < C_; ++c) {
        double sum = 0;
        if (asked[i] != 0 && added_) {
          const cloud_classes::place p = classes_.of(i);
          sum = (1 - p.second) * transmission_[p.first * C_ + c];
          if (p.second > 0) sum += p.second * transmission_[(p.first + 1) * C_ + c];
        }
        to[i * C_ + c] = static_cast<float>(sum);
      }
  }

  /// Images [n, C] that are free outside `learn` and `add`, i = 0 or 1.
  float* scratch(std::size_t i) const { return seen_[i]; }

 private:
  /// Reflectance squared by which any value may be off.
  static constexpr double noise = 1e-6;

  /// S is measured on the very pixels that it filters, which flatters: without this factor 56 % of the errors under
  /// thin cloud were within one deviation.
  static constexpr double measured_on_itself = 1.25;

  const double* gain(index_t k, index_t s) const { return gains_ + (k * scales + s) * C_ * C_; }

  /// T of class k from the finest parts: by least squares band by band, then once more weighed by the inverse of what
  /// these leave, so that a band's cloud is known from the others'. Within 0 and 1.
  void measure_transmission(index_t k, const std::uint8_t* asked, int slot) noexcept {
    const index_t n = C_;
    double *T = transmission_ + k * n, *b = wiener_[static_cast<std::size_t>(slot)].scratch(), weights = 0;
    double *bb = moments_ + slot * 3 * n * n, *by = bb + n * n, *left = by + n * n;
    std::fill_n(bb, 3 * n * n, 0.);
    for (index_t i = 0; i < n_; ++i) {
      const double weight = asked[i] != 0 ? classes_.weight(i, k) : 0.;
      if (weight == 0) continue;
      weights += weight;
      for (index_t r = 0; r < n; ++r)
        for (index_t c = 0; c < n; ++c) {
          const double x = weight * static_cast<double>(base_[0][i * n + r]);
          bb[r * n + c] += x * static_cast<double>(base_[0][i * n + c]);
          by[r * n + c] += x * static_cast<double>(seen_[0][i * n + c]);
        }
    }
    // flat ground tells no slope: 1e-9 is the square of three hundredths of a per mille of reflectance
    const double flat = 1e-9 * weights + 1e-30;
    for (index_t c = 0; c < n; ++c) T[c] = by[c * n + c] / (bb[c * n + c] + flat);
    for (index_t i = 0; i < n_; ++i) {
      const double weight = asked[i] != 0 ? classes_.weight(i, k) : 0.;
      if (weight == 0) continue;
      for (index_t c = 0; c < n; ++c) b[c] = rest(seen_[0][i * n + c], base_[0][i * n + c], T[c]);
      add_outer(left, n, weight / std::max(weights, 1e-30), b);
    }
    mirror(left, n);
    for (index_t c = 0; c < n; ++c) left[c * n + c] += noise;
    wiener_[static_cast<std::size_t>(slot)].weighted_slopes(T, left, bb, by, flat);
    for (index_t c = 0; c < n; ++c) T[c] = std::clamp(T[c], 0., 1.);
  }

  /// The filter of one class and scale.
  void fit(index_t item, const std::uint8_t* asked, int slot) noexcept {
    const index_t k = item / scales, s = item % scales;
    const float *seen = seen_[static_cast<std::size_t>(s)], *base = base_[static_cast<std::size_t>(s)];
    const double* T = transmission_ + k * C_;
    wiener_gain& w = wiener_[static_cast<std::size_t>(slot)];
    double *S = moments_ + slot * 3 * C_ * C_, *r = w.scratch(), weights = 0;
    std::fill_n(S, C_ * C_, 0.);
    for (index_t i = 0; i < n_; ++i) {
      const double weight = asked[i] != 0 ? classes_.weight(i, k) : 0.;
      if (weight == 0) continue;
      weights += weight;
      for (index_t c = 0; c < C_; ++c) r[c] = rest(seen[i * C_ + c], base[i * C_ + c], T[c]);
      add_outer(S, C_, weight, r);
    }
    for (index_t j = 0; j < C_ * C_; ++j) S[j] /= std::max(weights, 1e-30);
    mirror(S, C_);
    w.gain(gains_ + item * C_ * C_, errors_ + s * C_ * C_, T, S, noise);
  }

  /// left [C] of class k: the share of the error's deviation that the filters leave.
  void measure_rest(index_t k) noexcept {
    const double* T = transmission_ + k * C_;
    for (index_t c = 0; c < C_; ++c) {
      double before = 1e-30, after = 1e-30;
      for (index_t s = 0; s < scales; ++s) {
        const double *sigma = errors_ + s * C_ * C_, *K = gain(k, s) + c * C_;
        before += sigma[c * C_ + c], after += sigma[c * C_ + c];
        for (index_t j = 0; j < C_; ++j) after -= K[j] * T[j] * sigma[j * C_ + c];
      }
      left_[k * C_ + c] = std::min(1., measured_on_itself * std::sqrt(std::max(after / before, 0.)));
    }
  }

  void correct(index_t i, float* estimate, float* deviation) const noexcept {
    const cloud_classes::place p = classes_.of(i);
    for (index_t c = 0; c < C_; ++c) {
      double sum = 0, left = 0;
      for (const auto& [k, weight] : {std::pair{p.first, 1 - p.second}, std::pair{p.first + 1, p.second}}) {
        if (weight == 0) continue;
        const double* T = transmission_ + k * C_;
        for (index_t s = 0; s < scales; ++s) {
          const double* K = gain(k, s) + c * C_;
          const float* seen = seen_[static_cast<std::size_t>(s)] + i * C_;
          const float* base = base_[static_cast<std::size_t>(s)] + i * C_;
          for (index_t j = 0; j < C_; ++j) sum += weight * K[j] * rest(seen[j], base[j], T[j]);
        }
        left += weight * left_[k * C_ + c];
      }
      estimate[c] += static_cast<float>(sum);
      deviation[c] *= static_cast<float>(left);
    }
  }

  static double rest(float seen, float base, double T) noexcept {
    return static_cast<double>(seen) - T * static_cast<double>(base);
  }

  index_t n_ = 0, C_ = 0;
  bool added_ = false;
  scale_parts parts_;
  cloud_classes classes_;
  std::array<float*, scales> seen_{}, base_{};
  double *errors_ = nullptr, *gains_ = nullptr, *moments_ = nullptr, *transmission_ = nullptr, *left_ = nullptr;
  std::array<wiener_gain, max_threads> wiener_;
};

}  // namespace unmask::inline UNMASK_ABI::clouds
