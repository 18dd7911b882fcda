#pragma once

/// Stage MA, mask-aware training: L = outer(mean phi(F^ - F) (1 + lambda w)), w = min(cap, eps / (|P| + eps)).
/// Where the mask blocked the light the auxiliary prediction P is near 0, w near 1, and the error counts up to
/// 1 + lambda times; where light passed, w fades to 0. `normalised` divides w by its mean over the batch.
///
/// Gradients, with s = outer'(mean) / n, f = 1 + lambda v, v = w or w / m, m = mean w:
///   dL/dF^ = s f phi'
///   dL/dw_i = s lambda phi_i,                                          plain
///           = s lambda (phi_i - sum_j phi_j w_j / (n m)) / m,          normalised
///   dw/dP  = -eps sign(P) / (|P| + eps)^2, and 0 at P = 0 and where the cap holds
/// Detached (the default), w is a constant: otherwise the network may lower its loss by enlarging P where it errs.

#include <algorithm>
#include <limits>

#include "../core/finite.hpp"
#include "penalty.hpp"

namespace unmask::inline UNMASK_ABI::train {

struct mask_aware_options {
  double lambda = 1;                                     ///< a hidden pixel's error counts 1 + lambda times
  double epsilon = .05;                                  ///< the |P| at which w is one half; radiances are in [0, 1]
  bool detached = true;                                  ///< no gradient through w
  double cap = std::numeric_limits<double>::infinity();  ///< largest w before it is normalised; w never exceeds 1
  bool normalised = false;  ///< w / mean(w): lambda then means the same whatever the mask hides

  bool operator==(const mask_aware_options&) const = default;
};

inline result<> check(const mask_aware_options& o) {
  const auto bad = [](const char* name, double found, const char* expected) {
    return error(errc::bad_argument,
                 "mask_aware: " + std::string(name) + " is " + std::to_string(found) + ", expected " + expected);
  };
  if (!(o.lambda >= 0) || !is_finite(o.lambda)) return bad("lambda", o.lambda, ">= 0");
  if (!(o.epsilon > 0) || !is_finite(o.epsilon)) return bad("epsilon", o.epsilon, "> 0");
  if (!(o.cap > 0)) return bad("cap", o.cap, "> 0");
  return {};
}

namespace detail {

/// w and dw/dP at one element.
template <class T>
struct mask_aware_weight {
  T epsilon, cap;
  explicit mask_aware_weight(const mask_aware_options& o)
      : epsilon(static_cast<T>(o.epsilon)), cap(static_cast<T>(std::min(o.cap, 1.))) {}
  constexpr T value(T p) const { return std::min(cap, epsilon / (std::abs(p) + epsilon)); }
  constexpr T slope(T p) const {
    const T sum = std::abs(p) + epsilon;
    if (epsilon / sum > cap) return 0;
    return static_cast<T>((p < 0) - (p > 0)) * epsilon / (sum * sum);
  }
};

/// sum of term(pin value, k-th element of the row, b, h) over the unpadded part.
template <class T, class Backend, class Term>
double sum_over(const Backend& backend, in<T, 4> pin, in<T, 4> truth, Term&& term) {
  const index_t height = truth.extent(1), n = truth.extent(2) * truth.extent(3);
  return ordered_sum(backend, truth.extent(0) * height, [&](index_t i) {
    const index_t b = i / height, h = i % height;
    const T* p = row(pin, b, h);
    double sum = 0;
    for (index_t k = 0; k < n; ++k) sum += static_cast<double>(term(p[k], k, b, h));
    return sum;
  });
}

}  // namespace detail

/// `destimate`, `estimate`, `truth` [B, H, W, C]; `pin` the last auxiliary prediction [B, H', W', C], of which the
/// first H x W count, and `dpin` its gradient. Gradients are overwritten (data() == nullptr: not wanted); `dpin` is all
/// zero where the weight is detached.
template <class T, class Backend>
double mask_aware_loss(const Backend& backend, const penalty& rho, const mask_aware_options& options,
                       out<T, 4> destimate, out<T, 4> dpin, in<T, 4> estimate, in<T, 4> pin, in<T, 4> truth) {
  const index_t batch = truth.extent(0), height = truth.extent(1), n = truth.extent(2) * truth.extent(3);
  const auto count = static_cast<double>(truth.size());
  const detail::mask_aware_weight<T> weight(options);
  return detail::with_penalty(rho, [&](auto form) {
    const auto phi = [&](index_t k, index_t b, index_t h) {
      return form.value(detail::row(estimate, b, h)[k] - detail::row(truth, b, h)[k]);
    };
    double mean_weight = 1;
    if (options.normalised)
      mean_weight = detail::sum_over<T>(backend, pin, truth, [&](T p, auto...) { return weight.value(p); }) / count;
    const auto lambda = static_cast<T>(options.lambda / mean_weight);
    const double mean = detail::sum_over<T>(backend, pin, truth,
                                            [&](T p, index_t k, index_t b, index_t h) {
                                              return (1 + lambda * weight.value(p)) * phi(k, b, h);
                                            }) /
                        count;
    const double scale = form.outer_slope(mean) / count;
    if (destimate.data())
      detail::each_row(backend, batch, height, [&](index_t b, index_t h) {
        const T* p = detail::row(pin, b, h);
        const T* y = detail::row(estimate, b, h);
        const T* x = detail::row(truth, b, h);
        T* dy = detail::row(destimate, b, h);
        for (index_t k = 0; k < n; ++k)
          dy[k] = static_cast<T>(scale) * (1 + lambda * weight.value(p[k])) * form.slope(y[k] - x[k]);
      });
    if (dpin.data()) {
      double common = 0;
      if (options.normalised && !options.detached)
        common =
            detail::sum_over<T>(backend, pin, truth,
                                [&](T p, index_t k, index_t b, index_t h) { return weight.value(p) * phi(k, b, h); }) /
            (count * mean_weight);
      detail::each_row(backend, batch, dpin.extent(1), [&](index_t b, index_t h) {
        T* dp = detail::row(dpin, b, h);
        const index_t used = h < height && !options.detached ? n : 0;
        const T* p = detail::row(pin, b, h);
        for (index_t k = 0; k < used; ++k)
          dp[k] = static_cast<T>(scale) * lambda * (phi(k, b, h) - static_cast<T>(common)) * weight.slope(p[k]);
        std::fill(dp + used, dp + dpin.extent(2) * dpin.extent(3), T{});
      });
    }
    return form.outer(mean);
  });
}

/// w as a picture: `map` [B, H, W] becomes the mean over bands of the weight of `pin` [B, H', W', C]; in (0, 1], or
/// with mean 1 over the batch where normalised.
template <class T, class Backend>
void mask_aware_map(const Backend& backend, const mask_aware_options& options, out<T, 3> map, in<T, 4> pin) {
  const index_t batch = map.extent(0), height = map.extent(1), width = map.extent(2), bands = pin.extent(3);
  const detail::mask_aware_weight<T> weight(options);
  detail::each_row(backend, batch, height, [&](index_t b, index_t h) {
    const T* p = detail::row(pin, b, h);
    T* to = detail::row(map, b, h);
    for (index_t w = 0; w < width; ++w, p += bands) {
      double sum = 0;
      for (index_t c = 0; c < bands; ++c) sum += static_cast<double>(weight.value(p[c]));
      to[w] = static_cast<T>(sum / static_cast<double>(bands));
    }
  });
  if (!options.normalised) return;
  const double mean = detail::ordered_sum(backend, batch * height,
                                          [&](index_t i) {
                                            const T* from = detail::row(map, i / height, i % height);
                                            double sum = 0;
                                            for (index_t w = 0; w < width; ++w) sum += static_cast<double>(from[w]);
                                            return sum;
                                          }) /
                      static_cast<double>(map.size());
  for (T& value : map) value = static_cast<T>(static_cast<double>(value) / mean);
}

}  // namespace unmask::inline UNMASK_ABI::train
