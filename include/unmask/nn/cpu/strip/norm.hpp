#pragma once

/// Layer norm without gain and bias on strips: those are folded into the weights that follow (folded_weights.hpp), so
/// two branches that read the same x share one normalisation.
///   forward   n = (x - mean) r,  r = 1 / sqrt(var + 1e-5)
///   gradient  dx = r (dn - mean(dn) - n mean(dn n))

#include "../../layer_norm.hpp"
#include "layout.hpp"

namespace unmask::inline UNMASK_ABI::strip {

/// n, x [strips][C][S]; rstd [strips][S].
template <class T>
void normalise(T* n, T* rstd, const T* x, index_t c, index_t count) {
  using P = simd::pack<T>;
  constexpr index_t s = width<T>, lanes = P::lanes;
  const auto share = P::all(1 / static_cast<T>(c)), epsilon = P::all(static_cast<T>(layer_norm_epsilon)),
             one = P::all(T(1));
  for (index_t i = 0; i < count; ++i, x += c * s, n += c * s, rstd += s) {
    auto m0 = P::all(T(0)), m1 = m0, v0 = m0, v1 = m0;
    for (index_t k = 0; k < c; ++k) {
      m0 = m0 + P::load(x + k * s);
      m1 = m1 + P::load(x + k * s + lanes);
    }
    m0 = m0 * share, m1 = m1 * share;
    // what the rounded mean leaves: where the mean is far larger than the deviation, it is the largest error
    auto e0 = P::all(T(0)), e1 = e0;
    for (index_t k = 0; k < c; ++k) {
      const auto d0 = P::load(x + k * s) - m0, d1 = P::load(x + k * s + lanes) - m1;
      e0 = e0 + d0, e1 = e1 + d1;
      v0 = P::fma(d0, d0, v0), v1 = P::fma(d1, d1, v1);
    }
    e0 = e0 * share, e1 = e1 * share;
    v0 = P::fma(v0, share, epsilon) - e0 * e0, v1 = P::fma(v1, share, epsilon) - e1 * e1;
    const auto r0 = one / P::sqrt(v0), r1 = one / P::sqrt(v1);
    P::store(rstd, r0), P::store(rstd + lanes, r1);
    for (index_t k = 0; k < c; ++k) {
      P::store(n + k * s, (P::load(x + k * s) - m0 - e0) * r0);
      P::store(n + k * s + lanes, (P::load(x + k * s + lanes) - m1 - e1) * r1);
    }
  }
}

/// d += the gradient of x, from dn and what `normalise` left.
template <class T>
void normalise_backward(T* d, const T* dn, const T* n, const T* rstd, index_t c, index_t count) {
  using P = simd::pack<T>;
  constexpr index_t s = width<T>;
  const auto share = P::all(1 / static_cast<T>(c));
  for (index_t i = 0; i < count; ++i, rstd += s)
    for (index_t half = 0; half < s; half += P::lanes) {
      const index_t at = i * c * s + half;
      auto sum = P::all(T(0)), dot = sum;
      for (index_t k = 0; k < c; ++k) {
        const auto g = P::load(dn + at + k * s);
        sum = sum + g;
        dot = P::fma(g, P::load(n + at + k * s), dot);
      }
      sum = sum * share, dot = dot * share;
      const auto r = P::load(rstd + half);
      for (index_t k = 0; k < c; ++k) {
        const auto rest = P::load(dn + at + k * s) - sum - P::load(n + at + k * s) * dot;
        P::store(d + at + k * s, P::fma(r, rest, P::load(d + at + k * s)));
      }
    }
}

}  // namespace unmask::inline UNMASK_ABI::strip
