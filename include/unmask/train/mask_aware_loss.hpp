#pragma once

/// Stage MA, mask-aware training: L = outer(mean phi(F^ - F) (1 + lambda w)), w of mask_aware_weight.hpp. Where the
/// mask blocked the light w is near 1, and the error counts up to 1 + lambda times; where light passed, w fades to 0.
/// `normalised` divides w by its mean over the batch (a w that is 0 everywhere stays so).
///
/// Gradients, with s = outer'(mean) / n, f = 1 + lambda v, v = w or w / m, m = mean w:
///   dL/dF^ = s f phi'
///   dL/dw_i = s lambda phi_i,                                          plain
///           = s lambda (phi_i - sum_j phi_j w_j / (n m)) / m,          normalised
/// Detached (the default), w is a constant: otherwise the network may lower its loss by enlarging P where it errs.

#include <algorithm>

#include "mask_aware_weight.hpp"

namespace unmask::inline UNMASK_ABI::train {

namespace detail {

/// sum of term(w, k-th element of the row, b, h) over the unpadded part.
template <class T, class Backend, class Term>
double sum_over(const Backend& backend, const mask_aware_weight<T>& weight, const aware_inputs<T>& from, in<T, 4> truth,
                Term&& term) {
  const index_t height = truth.extent(1), width = truth.extent(2), bands = truth.extent(3);
  return ordered_sum(backend, truth.extent(0) * height, [&](index_t i) {
    const index_t b = i / height, h = i % height;
    const aware_row<T> at(weight, from, b, h);
    double sum = 0;
    for (index_t w = 0, k = 0; w < width; ++w)
      for (index_t c = 0; c < bands; ++c, ++k) sum += static_cast<double>(term(weight.value(at(w, c)), k, b, h));
    return sum;
  });
}

/// What a weight is multiplied by. Nothing hidden: nothing to weigh.
inline double lambda_over(double lambda, double mean_weight) { return mean_weight == 0 ? 0 : lambda / mean_weight; }

}  // namespace detail

/// `destimate`, `estimate`, `truth` [B, H, W, C]; `dpin` the gradient of `from.pin`, which may be padded. Gradients are
/// overwritten (data() == nullptr: not wanted); `dpin` is all zero where the weight is detached. NaN where an input of
/// the weight is missing.
template <class T, class Backend>
double mask_aware_loss(const Backend& backend, const penalty& rho, const mask_aware_options& options,
                       out<T, 4> destimate, out<T, 4> dpin, in<T, 4> estimate,
                       const std::type_identity_t<aware_inputs<T>>& from, in<T, 4> truth) {
  const index_t batch = truth.extent(0), height = truth.extent(1), width = truth.extent(2), bands = truth.extent(3);
  const auto count = static_cast<double>(truth.size());
  const detail::mask_aware_weight<T> weight(options);
  return detail::with_penalty(rho, [&](auto form) {
    const auto phi = [&](index_t k, index_t b, index_t h) {
      return form.value(detail::row(estimate, b, h)[k] - detail::row(truth, b, h)[k]);
    };
    const auto sum = [&](auto&& term) { return detail::sum_over<T>(backend, weight, from, truth, term); };
    double mean_weight = 1;
    if (options.normalised) mean_weight = sum([](T w, auto...) { return w; }) / count;
    const auto lambda = static_cast<T>(detail::lambda_over(options.lambda, mean_weight));
    const double mean =
        sum([&](T w, index_t k, index_t b, index_t h) { return (1 + lambda * w) * phi(k, b, h); }) / count;
    const double scale = form.outer_slope(mean) / count;
    if (destimate.data())
      detail::each_row(backend, batch, height, [&](index_t b, index_t h) {
        const detail::aware_row<T> at(weight, from, b, h);
        const T* y = detail::row(estimate, b, h);
        const T* x = detail::row(truth, b, h);
        T* dy = detail::row(destimate, b, h);
        for (index_t w = 0, k = 0; w < width; ++w)
          for (index_t c = 0; c < bands; ++c, ++k)
            dy[k] = static_cast<T>(scale) * (1 + lambda * weight.value(at(w, c))) * form.slope(y[k] - x[k]);
      });
    if (dpin.data()) {
      double common = 0;
      if (options.normalised && !options.detached)
        common = sum([&](T w, index_t k, index_t b, index_t h) { return w * phi(k, b, h); }) / (count * mean_weight);
      detail::each_row(backend, batch, dpin.extent(1), [&](index_t b, index_t h) {
        T* dp = detail::row(dpin, b, h);
        T* const end = dp + dpin.extent(2) * dpin.extent(3);
        if (h < height && !options.detached) {
          const detail::aware_row<T> at(weight, from, b, h);
          for (index_t w = 0, k = 0; w < width; ++w)
            for (index_t c = 0; c < bands; ++c, ++k)
              *dp++ = static_cast<T>(scale) * lambda * (phi(k, b, h) - static_cast<T>(common)) * weight.slope(at(w, c));
        }
        std::fill(dp, end, T{});
      });
    }
    return form.outer(mean);
  });
}

/// w as a picture: `map` [B, H, W] becomes the mean over bands of the weight of `from`, whose pin may be padded; in
/// [0, 1], or with mean 1 over the batch where normalised.
template <class T, class Backend>
void mask_aware_map(const Backend& backend, const mask_aware_options& options, out<T, 3> map,
                    const std::type_identity_t<aware_inputs<T>>& from) {
  const index_t batch = map.extent(0), height = map.extent(1), width = map.extent(2), bands = from.pin.extent(3);
  const detail::mask_aware_weight<T> weight(options);
  detail::each_row(backend, batch, height, [&](index_t b, index_t h) {
    const detail::aware_row<T> at(weight, from, b, h);
    T* to = detail::row(map, b, h);
    for (index_t w = 0; w < width; ++w) {
      double sum = 0;
      for (index_t c = 0; c < bands; ++c) sum += static_cast<double>(weight.value(at(w, c)));
      to[w] = static_cast<T>(sum / static_cast<double>(bands));
    }
  });
  if (!options.normalised) return;
  const double mean = detail::ordered_sum(backend, batch * height,
                                          [&](index_t i) {
                                            const T* row = detail::row(map, i / height, i % height);
                                            double sum = 0;
                                            for (index_t w = 0; w < width; ++w) sum += static_cast<double>(row[w]);
                                            return sum;
                                          }) /
                      static_cast<double>(map.size());
  for (T& value : map) value = mean == 0 ? T(0) : static_cast<T>(static_cast<double>(value) / mean);
}

}  // namespace unmask::inline UNMASK_ABI::train
