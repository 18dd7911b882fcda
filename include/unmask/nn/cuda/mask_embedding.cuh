#pragma once

/// Mask embedding of whole batches.

#include "../../cuda/memory.cuh"
#include "../mask_embedding.hpp"
#include "mask_convolutions.cuh"
#include "width_softmax.cuh"

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

template <std::same_as<cuda> Backend, class T>
void mask_embedding_forward(const Backend& be, T* e, const T* mask, embedding_params<const T> p,
                            mask_embedding_kind kind, mask_sizes s, const embedding_scratch<T>& scratch) {
  kernel<op::mask_convolutions, cuda>::forward(be, e, mask, p, s, scratch.convolutions);
  if (kind == mask_embedding_kind::released)
    kernel<op::width_softmax, cuda>::forward(be, e, scratch.channel, s.width, s.channels, s.batch * s.height);
  else
    launch_each(be, s.pixels() * s.channels, detail::tile_safe_each<T>{e});
}

template <std::same_as<cuda> Backend, class T>
void mask_embedding_backward(const Backend& be, T* dmask, embedding_params<T> dp, T* d, const T* e, const T* mask,
                             embedding_params<const T> p, mask_embedding_kind kind, mask_sizes s,
                             const embedding_scratch<T>& scratch) {
  if (kind == mask_embedding_kind::released)
    kernel<op::width_softmax, cuda>::backward(be, d, e, scratch.channel, s.width, s.channels, s.batch * s.height);
  else
    launch_each(be, s.pixels() * s.channels, detail::tile_safe_backward_each<T>{d, e});
  kernel<op::mask_convolutions, cuda>::backward(be, dmask, dp, static_cast<const T*>(d), mask, p, s,
                                                scratch.convolutions);
}

}  // namespace unmask::inline UNMASK_ABI
