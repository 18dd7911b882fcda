#pragma once

/// The mask embedding as factors of q, k and v that lie side by side, [N, 3C]: see mask_effect.hpp for the formulas.

#include "../mask_effect.hpp"
#include "rows.cuh"

namespace unmask::inline UNMASK_ABI {

namespace detail {

/// y = x times e where the effect says so, q times `scale` too; y may be x.
template <class T>
struct mask_forward_each {
  T* y;
  const T *x, *e;
  int effect;  ///< bits of mask_effect
  int channels;
  T scale;

  UNMASK_DEVICE void operator()(index_t token, int k) const {
    const T own = e ? e[token * channels + k] : T(1);
    for (int part = 0; part < 3; ++part) {
      const index_t at = (token * 3 + part) * channels + k;
      const T factor = part == 0 ? scale : T(1);
      y[at] = x[at] * ((effect >> part & 1) != 0 ? own * factor : factor);
    }
  }
};

/// d holds the gradient of y on entry and that of x on return; de (may be null) accumulates. A thread owns a channel of
/// a token in all three parts, so that de needs no atomic sums.
template <class T>
struct mask_backward_each {
  T *d, *de;
  const T *x, *e;
  int effect;
  int channels;
  T scale;

  UNMASK_DEVICE void operator()(index_t token, int k) const {
    const T own = e ? e[token * channels + k] : T(1);
    T sum = 0;
    for (int part = 0; part < 3; ++part) {
      const index_t at = (token * 3 + part) * channels + k;
      const T factor = part == 0 ? scale : T(1);
      const bool masked = e && (effect >> part & 1) != 0;
      if (masked) sum += d[at] * factor * x[at];
      d[at] *= masked ? own * factor : factor;
    }
    if (e && de) de[token * channels + k] += sum;
  }
};

}  // namespace detail

/// [q, k, v] of n tokens; e [n, C] may be null.
template <class T>
void mask_factors_forward(const cuda& be, T* y, const T* x, const T* e, mask_effect effect, T scale, index_t n,
                          index_t c) {
  launch_rows(be, n, c, detail::mask_forward_each<T>{y, x, e, static_cast<int>(effect), static_cast<int>(c), scale});
}

template <class T>
void mask_factors_backward(const cuda& be, T* d, T* de, const T* x, const T* e, mask_effect effect, T scale, index_t n,
                           index_t c) {
  launch_rows(be, n, c,
              detail::mask_backward_each<T>{d, de, x, e, static_cast<int>(effect), static_cast<int>(c), scale});
}

}  // namespace unmask::inline UNMASK_ABI
