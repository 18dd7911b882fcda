#pragma once

/// Mask embedding: factors of q and k that depend on the mask and the weights only.
///   released   e = softmax along the width of z,  z = conv3x3(conv1x1(m)): values near 1/W
///   tile_safe  e = 2 / (1 + exp(-z)): starts near 1, depends on 3x3 pixels only, so tiles and crops see the same
///   values
///              (ours: the released softmax ties an embedding to the width of the image it is computed on)
///   gradient   released: see width_softmax; tile_safe: dz = de e (1 - e/2)
///   shapes     m [B, H, W] -> e [B, H, W, E]

#include "../core/arena.hpp"
#include "mask_convolutions.hpp"
#include "mask_effect.hpp"
#include "width_softmax.hpp"

namespace unmask::inline UNMASK_ABI {

template <class T>
struct embedding_scratch {
  T* convolutions = nullptr;
  T* channel = nullptr;  ///< [slots, E]

  template <class Backend>
  void carve(arena& a, const Backend& be, mask_sizes s) {
    convolutions = a.take<T>(kernel<op::mask_convolutions, Backend>::scratch(s));
    channel = a.take<T>(thread_slots(be) * s.channels);
  }
};

template <class Backend, class T>
void mask_embedding_forward(const Backend& be, T* e, const T* mask, embedding_params<const T> p,
                            mask_embedding_kind kind, mask_sizes s, const embedding_scratch<T>& scratch) {
  kernel<op::mask_convolutions, Backend>::forward(be, e, mask, p, s, scratch.convolutions);
  const index_t row = s.width * s.channels;
  parallel_for(be, s.batch * s.height, [&](index_t r, int slot) {
    T* z = e + r * row;
    if (kind == mask_embedding_kind::released)
      kernel<op::width_softmax, Backend>::forward(z, scratch.channel + slot * s.channels, s.width, s.channels);
    else
      for (index_t i = 0; i < row; ++i) z[i] = 2 / (1 + std::exp(-z[i]));
  });
}

/// d holds de on entry (dz on return); e is the forward result; parameter gradients and dmask accumulate.
template <class Backend, class T>
void mask_embedding_backward(const Backend& be, T* dmask, embedding_params<T> dp, T* d, const T* e, const T* mask,
                             embedding_params<const T> p, mask_embedding_kind kind, mask_sizes s,
                             const embedding_scratch<T>& scratch) {
  const index_t row = s.width * s.channels;
  parallel_for(be, s.batch * s.height, [&](index_t r, int slot) {
    T* g = d + r * row;
    const T* value = e + r * row;
    if (kind == mask_embedding_kind::released)
      kernel<op::width_softmax, Backend>::backward(g, value, scratch.channel + slot * s.channels, s.width, s.channels);
    else
      for (index_t i = 0; i < row; ++i) g[i] *= value[i] * (1 - value[i] / 2);
  });
  kernel<op::mask_convolutions, Backend>::backward(be, dmask, dp, d, mask, p, s, scratch.convolutions);
}

}  // namespace unmask::inline UNMASK_ABI
