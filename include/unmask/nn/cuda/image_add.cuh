#pragma once

/// The sum of two images, a thread a number.

#include "../../cuda/launch.cuh"
#include "../image_ops.hpp"

namespace unmask::inline UNMASK_ABI {

namespace detail {

template <class T>
struct add_each {
  T* x;
  const T* y;
  UNMASK_DEVICE void operator()(index_t i) const { x[i] += y[i]; }
};

}  // namespace detail

template <>
struct kernel<op::image_add, cuda> : no_scratch {
  template <class T>
  static void forward(const cuda& be, T* x, const T* y, index_t size) {
    launch_each(be, size, detail::add_each<T>{x, y});
  }
};

}  // namespace unmask::inline UNMASK_ABI
