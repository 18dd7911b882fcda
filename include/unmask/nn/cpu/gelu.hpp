#pragma once

/// GELU over packs, with the vector library's erf and exp (below 2 ulp on the range that occurs).

#include "../../simd/loop.hpp"
#include "../gelu.hpp"

namespace unmask::inline UNMASK_ABI {

template <>
struct kernel<op::gelu, cpu> {
  template <class T>
  static void forward(T* y, const T* x, index_t n) {
    using P = simd::pack<T>;
    const auto half = P::all(T(0.5)), one = P::all(T(1)), scale = P::all(static_cast<T>(detail::inv_sqrt_2));
    simd::transform<T>(
        n, y, [&](auto v) { return half * v * (one + P::erf(v * scale)); }, x);
  }

  template <class T>
  static void backward(T* dx, const T* dy, const T* x, index_t n) {
    using P = simd::pack<T>;
    const auto half = P::all(T(0.5)), one = P::all(T(1)), scale = P::all(static_cast<T>(detail::inv_sqrt_2));
    const auto density = P::all(static_cast<T>(detail::inv_sqrt_2pi)), minus_half = P::all(T(-0.5));
    simd::transform<T>(
        n, dx,
        [&](auto g, auto v) {
          const auto cdf = half * (one + P::erf(v * scale));
          return g * (cdf + v * density * P::exp(minus_half * v * v));
        },
        dy, x);
  }
};

}  // namespace unmask::inline UNMASK_ABI
