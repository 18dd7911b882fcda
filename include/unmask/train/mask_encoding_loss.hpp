#pragma once

/// Stage ME, mask-encoding pre-training: L = a * mean over pins of mean rho(P - F') + mean rho(F^ - F), F' = m F.
/// The first term makes the auxiliary head fit the mask-coded signal, so that P becomes a map of what the mask hid.
/// Gradients: dL/dP_k = a / K * rho'(P_k - F') / n, zero in the padding; dL/dF^ as in reconstruction_loss.hpp.

#include <algorithm>
#include <span>

#include "reconstruction_loss.hpp"

namespace unmask::inline UNMASK_ABI::train {

/// The first term alone. `pins` and `dpins` are K views [B, H', W', C] with H' >= H, W' >= W, of which the first H x W
/// count; `dpins` is overwritten (empty: not wanted). `mask` is [B, H, W] or padded likewise, `truth` [B, H, W, C].
/// Returns 0 where there are no pins.
template <class T, class Backend>
double mask_encoding_term(const Backend& backend, const penalty& rho, double factor,
                          std::span<const std::type_identity_t<array_view<T, 4>>> dpins,
                          std::span<const std::type_identity_t<array_view<const T, 4>>> pins, in<T, 3> mask,
                          in<T, 4> truth) {
  const index_t batch = truth.extent(0), height = truth.extent(1), width = truth.extent(2), bands = truth.extent(3);
  const auto share = factor / static_cast<double>(std::max<std::size_t>(pins.size(), 1));
  const auto one_pin = [&](array_view<const T, 4> pin, array_view<T, 4> dpin) {
    return detail::with_penalty(rho, [&](auto form) {
      const auto mean = detail::ordered_sum(backend, batch * height,
                                            [&](index_t i) {
                                              const T* p = detail::row(pin, i / height, i % height);
                                              const T* x = detail::row(truth, i / height, i % height);
                                              const T* m = detail::row(mask, i / height, i % height);
                                              double sum = 0;
                                              for (index_t w = 0; w < width; ++w, p += bands, x += bands)
                                                for (index_t c = 0; c < bands; ++c)
                                                  sum += static_cast<double>(form.value(p[c] - m[w] * x[c]));
                                              return sum;
                                            }) /
                        static_cast<double>(truth.size());
      if (dpin.data()) {
        const auto scale = static_cast<T>(share * form.outer_slope(mean) / static_cast<double>(truth.size()));
        const index_t padded_row = dpin.extent(2) * bands;
        detail::each_row(backend, batch, dpin.extent(1), [&](index_t b, index_t h) {
          T* dp = detail::row(dpin, b, h);
          if (h >= height) return static_cast<void>(std::fill_n(dp, padded_row, T{}));
          const T* p = detail::row(pin, b, h);
          const T* x = detail::row(truth, b, h);
          const T* m = detail::row(mask, b, h);
          for (index_t w = 0; w < width; ++w)
            for (index_t c = 0; c < bands; ++c) {
              const index_t k = w * bands + c;
              dp[k] = scale * form.slope(p[k] - m[w] * x[k]);
            }
          std::fill(dp + width * bands, dp + padded_row, T{});
        });
      }
      return share * form.outer(mean);
    });
  };
  double loss = 0;
  for (std::size_t k = 0; k < pins.size(); ++k) loss += one_pin(pins[k], dpins.empty() ? array_view<T, 4>() : dpins[k]);
  return loss;
}

/// How well an auxiliary prediction [B, H', W', C] resembles F', as PSNR in dB with peak 1 over all elements.
template <class T, class Backend>
double encoding_psnr(const Backend& backend, in<T, 4> pin, in<T, 3> mask, in<T, 4> truth) {
  const double square = mask_encoding_term<T>(backend, {penalty_kind::squared}, 1, {}, std::span(&pin, 1), mask, truth);
  return -10 * std::log10(square);
}

/// Gradients of both terms, overwritten: [B, H, W, C], and one view a pin or none.
template <class T>
struct encoding_gradients {
  array_view<T, 4> estimate;
  std::span<const array_view<T, 4>> pins;
};

/// Both terms.
template <class T, class Backend>
double mask_encoding_loss(const Backend& backend, const penalty& rho, double factor,
                          const std::type_identity_t<encoding_gradients<T>>& to, in<T, 4> estimate,
                          std::span<const std::type_identity_t<array_view<const T, 4>>> pins, in<T, 3> mask,
                          in<T, 4> truth) {
  return mask_encoding_term<T>(backend, rho, factor, to.pins, pins, mask, truth) +
         reconstruction_loss<T>(backend, rho, to.estimate, estimate, truth);
}

}  // namespace unmask::inline UNMASK_ABI::train
