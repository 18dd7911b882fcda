#pragma once

/// GELU over packs.

#include "../../simd/loop.hpp"
#include "../gelu.hpp"

namespace unmask::inline UNMASK_ABI {

template <>
struct kernel<op::gelu, cpu> : no_scratch {
  template <class T>
  static void forward(const cpu&, T* y, const T* x, index_t n) {
    simd::transform4<T>(
        n, y, [](auto v) { return simd::gelu<T>(v); }, x);
  }

  template <class T>
  static void backward(const cpu&, T* dx, const T* dy, const T* x, index_t n) {
    simd::transform4<T>(
        n, dx,
        [](auto g, auto v) {
          return simd::map([](auto a, auto d) { return a * d; }, g, simd::gelu_with_derivative<T>(v).derivative);
        },
        dy, x);
  }
};

}  // namespace unmask::inline UNMASK_ABI
