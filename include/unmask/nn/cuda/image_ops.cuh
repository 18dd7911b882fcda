#pragma once

/// Row-wise operations over whole images (their layer norm is in layer_norm.cuh).

#include "../image_ops.hpp"
#include "linear.cuh"

namespace unmask::inline UNMASK_ABI {

namespace detail {

template <class T>
struct add_each {
  T* x;
  const T* y;
  UNMASK_DEVICE void operator()(index_t i) const { x[i] += y[i]; }
};

}  // namespace detail

template <std::same_as<cuda> Backend, class T>
void image_add(const Backend& be, T* x, const T* y, index_t size) {
  launch_each(be, size, detail::add_each<T>{x, y});
}

template <std::same_as<cuda> Backend, class T>
void image_linear_forward(const Backend& be, T* y, const T* x, const T* w, index_t n, index_t c, index_t o) {
  multiply(be, y, o, rows_of(x, c), w, o, n, o, c);
}

template <std::same_as<cuda> Backend, class T>
void image_linear_backward(const Backend& be, T* dx, T* dw, const T* dy, const T* x, const T* w, index_t n, index_t c,
                           index_t o, T* /*turned*/, T* partials) {
  linear_input_gradient(be, dx, c, dy, o, w, n, c, o, true);
  linear_parameter_gradient<T>(be, dw, nullptr, dy, x, n, c, o, partials);
}

}  // namespace unmask::inline UNMASK_ABI
