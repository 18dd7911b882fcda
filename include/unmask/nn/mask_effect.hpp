#pragma once

/// Which of q, k, v the mask embedding multiplies, and the product itself.
///   forward   y = x * e            (elementwise, where the effect names the operand)
///   gradient  dx = dy * e,  de += dy * x

#include "../core/view.hpp"

namespace unmask::inline UNMASK_ABI {

/// A set of bits.
enum class mask_effect { none = 0, q = 1, k = 2, qk = 3, v = 4, qkv = 7 };

/// How the mask becomes factors of q and k.
enum class mask_embedding_kind {
  released,  ///< softmax along the image width: values near 1/W, depends on the width
  tile_safe  ///< 2 sigmoid: starts near 1, depends on a 3x3 neighbourhood only
};

constexpr bool affects(mask_effect set, mask_effect one) {
  return (static_cast<int>(set) & static_cast<int>(one)) != 0;
}

/// Rows of y are ldy apart, of x ldx, of e C; e may be null (factor 1). y = scale * x * e.
template <class T>
void embed_forward(T* y, index_t ldy, const T* x, index_t ldx, const T* e, T scale, index_t n, index_t c) {
  for (index_t i = 0; i < n; ++i)
    for (index_t k = 0; k < c; ++k) y[i * ldy + k] = x[i * ldx + k] * (e ? e[i * c + k] * scale : scale);
}

/// d holds dy on entry and dx on return; de may be null where it is not wanted.
template <class T>
void embed_backward(T* d, index_t ldd, T* de, const T* x, index_t ldx, const T* e, T scale, index_t n, index_t c) {
  for (index_t i = 0; i < n; ++i)
    for (index_t k = 0; k < c; ++k) {
      T& g = d[i * ldd + k];
      if (e && de) de[i * c + k] += g * scale * x[i * ldx + k];
      g *= e ? e[i * c + k] * scale : scale;
    }
}

}  // namespace unmask::inline UNMASK_ABI
