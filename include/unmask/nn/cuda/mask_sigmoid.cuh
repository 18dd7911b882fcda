#pragma once

/// The last step of the tile-safe mask embedding, a thread a number.

#include "../../cuda/launch.cuh"
#include "../mask_embedding.hpp"

namespace unmask::inline UNMASK_ABI {

namespace detail {

template <class T>
struct tile_safe_each {
  T* z;
  UNMASK_DEVICE void operator()(index_t i) const { z[i] = 2 / (1 + std::exp(-z[i])); }
};
template <class T>
struct tile_safe_backward_each {
  T* d;
  const T* e;
  UNMASK_DEVICE void operator()(index_t i) const { d[i] *= e[i] * (1 - e[i] / 2); }
};

}  // namespace detail

template <>
struct kernel<op::mask_sigmoid, cuda> : no_scratch {
  template <class T>
  static void forward(const cuda& be, T* z, const image_rows& s) {
    launch_each(be, s.rows * s.width * s.channels, detail::tile_safe_each<T>{z});
  }
  template <class T>
  static void backward(const cuda& be, T* d, const T* e, const image_rows& s) {
    launch_each(be, s.rows * s.width * s.channels, detail::tile_safe_backward_each<T>{d, e});
  }
};

}  // namespace unmask::inline UNMASK_ABI
