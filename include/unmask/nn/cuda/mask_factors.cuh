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
  mask_map<T> m;

  UNMASK_DEVICE void operator()(index_t token, int k) const {
    const index_t channels = m.channels;
    const int effect = static_cast<int>(m.effect);
    const T own = e ? e[token * channels + k] : T(1);
    for (int part = 0; part < 3; ++part) {
      const index_t at = (token * 3 + part) * channels + k;
      const T factor = m.factor(part);
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
  mask_map<T> m;

  UNMASK_DEVICE void operator()(index_t token, int k) const {
    const index_t channels = m.channels;
    const int effect = static_cast<int>(m.effect);
    const T own = e ? e[token * channels + k] : T(1);
    T sum = 0;
    for (int part = 0; part < 3; ++part) {
      const index_t at = (token * 3 + part) * channels + k;
      const T factor = m.factor(part);
      const bool masked = e && (effect >> part & 1) != 0;
      if (masked) sum += d[at] * factor * x[at];
      d[at] *= masked ? own * factor : factor;
    }
    if (e && de) de[token * channels + k] += sum;
  }
};

}  // namespace detail

template <>
struct kernel<op::mask_factors, cuda> : no_scratch {
  template <class T>
  static void forward(const cuda& be, T* y, const T* x, const T* e, const mask_map<T>& m) {
    launch_rows(be, m.rows, m.channels, detail::mask_forward_each<T>{y, x, e, m});
  }
  template <class T>
  static void backward(const cuda& be, T* d, T* de, const T* x, const T* e, const mask_map<T>& m) {
    launch_rows(be, m.rows, m.channels, detail::mask_backward_each<T>{d, de, x, e, m});
  }
};

}  // namespace unmask::inline UNMASK_ABI
