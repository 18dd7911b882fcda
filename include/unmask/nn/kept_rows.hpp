#pragma once

/// The ends of a residual branch, with stochastic depth (Huang et al. 2016): a branch is dropped, or kept and divided
/// by the probability of that.
///   keep            forward y = x + keep r,  gradient dr = keep dy
///   project_branch  forward y = keep (r W + b), or keep (y + r W + b)
///   shapes          x, y, r [N, C]; W [C, C]; keep: one factor an image
/// Serial.

#include "layer_norm.hpp"
#include "linear.hpp"

namespace unmask::inline UNMASK_ABI {

namespace op {
struct keep {};
struct project_branch {};
}  // namespace op

/// The factor of row i is that of image (first + i) / pixels; null: all 1.
template <class T>
struct kept_rows {
  const T* keep;
  index_t pixels, first = 0;

  constexpr T operator()(index_t row) const { return keep ? keep[(first + row) / pixels] : T(1); }
};

template <>
struct kernel<op::keep, ref> : no_scratch {
  /// y may be x.
  template <class Backend, class T>
  static void forward(const Backend&, T* y, const T* x, const T* r, const kept_rows<T>& keep, row_sizes s) {
    for (index_t i = 0; i < s.rows; ++i) {
      const T factor = keep(i);
      for (index_t k = 0; k < s.channels; ++k)
        y[i * s.channels + k] = x[i * s.channels + k] + factor * r[i * s.channels + k];
    }
  }

  /// dr in `room`, which may be dy; or dy where nothing is dropped or scaled.
  template <class Backend, class T>
  static const T* backward(const Backend&, T* room, const T* dy, const kept_rows<T>& keep, row_sizes s) {
    if (!keep.keep) return dy;
    for (index_t i = 0; i < s.rows; ++i) {
      const T factor = keep(i);
      for (index_t k = 0; k < s.channels; ++k) room[i * s.channels + k] = dy[i * s.channels + k] * factor;
    }
    return room;
  }
};

template <>
struct kernel<op::project_branch, ref> : no_scratch {
  template <class Backend, class T>
  static void forward(const Backend& be, T* y, const T* r, linear_params<const T> p, const kept_rows<T>& keep,
                      row_sizes s, bool add) {
    const index_t c = s.channels;
    if (add)
      multiply_add(be, {y, c}, rows_of(r, c), {p.weight, c}, {s.rows, c, c});
    else
      linear_forward<Backend, T>(be, {y, c}, {r, c}, p, {s.rows, c, c});
    if (!add && !keep.keep) return;
    for (index_t i = 0; i < s.rows; ++i) {
      const T factor = keep(i);
      for (index_t k = 0; k < c; ++k) {
        T& to = y[i * c + k];
        to = (add ? to + p.bias[k] : to) * factor;
      }
    }
  }
};

}  // namespace unmask::inline UNMASK_ABI
