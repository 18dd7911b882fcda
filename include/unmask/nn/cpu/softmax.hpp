#pragma once

/// Softmax with the row on the lanes.

#include "../../simd/loop.hpp"
#include "../softmax.hpp"

namespace unmask::inline UNMASK_ABI {

template <>
struct kernel<op::softmax, cpu> : no_scratch {
  template <class T>
  static void forward(const cpu&, T* y, const T* x, index_t n, index_t c) {
    using P = simd::pack<T>;
    for (index_t i = 0; i < n; ++i, x += c, y += c) {
      const auto top = P::all(simd::maximum<T>(c, x));
      simd::transform4<T>(
          c, y, [&](auto v) { return simd::exp<T>(simd::map([&](auto a) { return a - top; }, v)); }, x);
      const auto inverse = P::all(1 / simd::sum<T>(
                                          c, [](auto v) { return v; }, y));
      simd::transform<T>(
          c, y, [&](auto v) { return v * inverse; }, y);
    }
  }

  template <class T>
  static void backward(const cpu&, T* dx, const T* dy, const T* y, index_t n, index_t c) {
    using P = simd::pack<T>;
    for (index_t i = 0; i < n; ++i, y += c, dy += c, dx += c) {
      const auto dot = P::all(simd::sum<T>(
          c, [](auto g, auto v) { return g * v; }, dy, y));
      simd::transform<T>(
          c, dx, [&](auto g, auto v) { return v * (g - dot); }, dy, y);
    }
  }
};

}  // namespace unmask::inline UNMASK_ABI
