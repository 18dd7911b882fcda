#pragma once

/// The ends of a residual branch, a thread a number.

#include "linear.cuh"

namespace unmask::inline UNMASK_ABI {

namespace detail {

template <class T>
struct add_kept_each {
  T* y;
  const T *x, *r;
  kept_rows<T> keep;
  index_t channels;
  UNMASK_DEVICE void operator()(index_t row, int k) const {
    const index_t i = row * channels + k;
    y[i] = x[i] + (keep.keep ? r[i] * keep(row) : r[i]);
  }
};

template <class T>
struct keep_each {
  T* to;
  const T* from;
  kept_rows<T> keep;
  index_t channels;
  UNMASK_DEVICE void operator()(index_t row, int k) const {
    to[row * channels + k] = from[row * channels + k] * keep(row);
  }
};

template <class T>
struct add_bias_each {
  T* y;
  const T* bias;
  kept_rows<T> keep;
  index_t channels;
  UNMASK_DEVICE void operator()(index_t row, int k) const {
    T& to = y[row * channels + k];
    const T value = to + bias[k];
    to = keep.keep ? value * keep(row) : value;
  }
};

}  // namespace detail

template <>
struct kernel<op::keep, cuda> : no_scratch {
  template <class T>
  static void forward(const cuda& be, T* y, const T* x, const T* r, const kept_rows<T>& keep, row_sizes s) {
    launch_rows(be, s.rows, s.channels, detail::add_kept_each<T>{y, x, r, keep, s.channels});
  }
  template <class T>
  static const T* backward(const cuda& be, T* room, const T* dy, const kept_rows<T>& keep, row_sizes s) {
    if (!keep.keep) return dy;
    launch_rows(be, s.rows, s.channels, detail::keep_each<T>{room, dy, keep, s.channels});
    return room;
  }
};

template <>
struct kernel<op::project_branch, cuda> : no_scratch {
  template <class T>
  static void forward(const cuda& be, T* y, const T* r, linear_params<const T> p, const kept_rows<T>& keep, row_sizes s,
                      bool add) {
    const index_t c = s.channels;
    kernel<op::matmul, cuda>::forward<T>(be, {y, c}, rows_of(r, c), {p.weight, c}, {s.rows, c, c}, add);
    launch_rows(be, s.rows, c, detail::add_bias_each<T>{y, p.bias, keep, c});
  }
};

}  // namespace unmask::inline UNMASK_ABI
