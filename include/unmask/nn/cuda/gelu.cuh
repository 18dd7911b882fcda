#pragma once

/// GELU, a thread a number.

#include "../../cuda/launch.cuh"
#include "../gelu.hpp"

namespace unmask::inline UNMASK_ABI {

namespace detail {

template <class T>
UNMASK_DEVICE T gelu_value(T x) {
  return x / 2 * (1 + std::erf(x * static_cast<T>(inv_sqrt_2)));
}
template <class T>
UNMASK_DEVICE T gelu_slope(T x) {
  return (1 + std::erf(x * static_cast<T>(inv_sqrt_2))) / 2 + x * std::exp(-x * x / 2) * static_cast<T>(inv_sqrt_2pi);
}

template <class T>
struct gelu_forward_each {
  T* y;
  const T* x;
  UNMASK_DEVICE void operator()(index_t i) const { y[i] = gelu_value(x[i]); }
};
template <class T>
struct gelu_backward_each {
  T* dx;
  const T *dy, *x;
  UNMASK_DEVICE void operator()(index_t i) const { dx[i] = dy[i] * gelu_slope(x[i]); }
};

}  // namespace detail

template <>
struct kernel<op::gelu, cuda> : no_scratch {
  template <class T>
  static void forward(const cuda& be, T* y, const T* x, index_t n) {
    launch_each(be, n, detail::gelu_forward_each<T>{y, x});
  }
  template <class T>
  static void backward(const cuda& be, T* dx, const T* dy, const T* x, index_t n) {
    launch_each(be, n, detail::gelu_backward_each<T>{dx, dy, x});
  }
};

}  // namespace unmask::inline UNMASK_ABI
