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

namespace op {
struct mask_sigmoid {};
}  // namespace op

template <>
struct kernel<op::mask_sigmoid, ref> : no_scratch {
  /// z = 2 / (1 + exp(-z)), in place.
  template <class Backend, class T>
  static void forward(const Backend& be, T* z, const image_rows& s) {
    const index_t row = s.width * s.channels;
    parallel_for(be, s.rows, [=](index_t r, int) {
      for (index_t i = r * row; i < (r + 1) * row; ++i) z[i] = 2 / (1 + std::exp(-z[i]));
    });
  }
  /// d holds de on entry and dz on return.
  template <class Backend, class T>
  static void backward(const Backend& be, T* d, const T* e, const image_rows& s) {
    const index_t row = s.width * s.channels;
    parallel_for(be, s.rows, [=](index_t r, int) {
      for (index_t i = r * row; i < (r + 1) * row; ++i) d[i] *= e[i] * (1 - e[i] / 2);
    });
  }
};

template <class T>
struct embedding_scratch {
  T *convolutions = nullptr, *softmax = nullptr;

  template <class Backend>
  void carve(arena& a, const Backend& be, mask_sizes s) {
    convolutions = a.take<T>(kernel<op::mask_convolutions, Backend>::scratch(be, s));
    softmax = a.take<T>(kernel<op::width_softmax, Backend>::scratch(be, s.rows()));
  }
};

/// The mask [B, H, W] as an embedding's layer sees it, with its parameters.
template <class T>
struct embedding_inputs {
  const T* mask;
  embedding_params<const T> p;
  mask_embedding_kind kind;
  mask_sizes sizes;
};

template <class Backend, class T>
void mask_embedding_forward(const Backend& be, T* e, const embedding_inputs<T>& in,
                            const embedding_scratch<T>& scratch) {
  kernel<op::mask_convolutions, Backend>::forward(be, e, in.mask, in.p, in.sizes, scratch.convolutions);
  if (in.kind == mask_embedding_kind::released)
    kernel<op::width_softmax, Backend>::forward(be, e, in.sizes.rows(), scratch.softmax);
  else
    kernel<op::mask_sigmoid, Backend>::forward(be, e, in.sizes.rows());
}

/// d holds de on entry (dz on return); e is the forward result; parameter gradients and dmask (may be null) accumulate.
template <class Backend, class T>
void mask_embedding_backward(const Backend& be, T* dmask, embedding_params<T> dp, T* d, const T* e,
                             const embedding_inputs<T>& in, const embedding_scratch<T>& scratch) {
  if (in.kind == mask_embedding_kind::released)
    kernel<op::width_softmax, Backend>::backward(be, d, e, in.sizes.rows(), scratch.softmax);
  else
    kernel<op::mask_sigmoid, Backend>::backward(be, d, e, in.sizes.rows());
  kernel<op::mask_convolutions, Backend>::backward(be, dmask, dp, static_cast<const T*>(d), in.mask, in.p, in.sizes,
                                                   scratch.convolutions);
}

}  // namespace unmask::inline UNMASK_ABI
