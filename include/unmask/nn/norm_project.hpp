#pragma once

/// What both kinds of attention begin with: layer norm, the three products behind it, scale and mask embedding.
///   forward   u = LN(x);  raw = [q, k, v] = u W + b;  qkv = raw with q * scale, and times e where the effect says so
///   gradient  that of mask_effect.hpp, linear.hpp and layer_norm.hpp, from the back; v may have another gradient, dv
///   shapes    x, u, e, dv [N, C]; raw, qkv [N, 3C]; W one matrix [C, 3C] or three of [C, C]; b [3C] or null
///   saved     x, e, u, mean, 1/deviation, raw

#include "kept_rows.hpp"
#include "mask_effect.hpp"

namespace unmask::inline UNMASK_ABI {

namespace op {
struct norm_project {};
}  // namespace op

/// Weights of q, k and v, rows `ld` apart: 3C where they are columns of one matrix, C where they are three.
template <class T>
struct qkv_params {
  norm_params<T> norm;
  T* weight[3];
  T* bias;
  index_t ld;

  static qkv_params columns(norm_params<T> norm, linear_params<T> p, index_t c) {
    return {norm, {p.weight, p.weight + c, p.weight + 2 * c}, p.bias, 3 * c};
  }
  static qkv_params matrices(norm_params<T> norm, T* q, T* k, T* v, index_t c) { return {norm, {q, k, v}, nullptr, c}; }
  constexpr bool one(index_t c) const { return ld == 3 * c; }
};

/// Where forward writes. `raw` may be null where nobody reads it, and may be qkv where nothing is scaled or masked.
template <class T>
struct qkv_rows {
  T* u;
  norm_saved<T> saved;
  T *raw, *qkv;
  bool reads_u;  ///< whether u is read afterwards; else it is room
};

/// What forward read and wrote, as backward reads it.
template <class T>
struct qkv_saved {
  const T *x, *e, *u;
  norm_saved<const T> norm;
  const T* raw;
};

/// Where backward adds: de may be null; dv is read, and may be null.
template <class T>
struct qkv_gradients {
  T *dx, *de;
  qkv_params<T> params;
  const T* dv;
};

/// What backward works in: the weights as `turn` returned them, [N, C] for the gradient of u, and scratch.
template <class T>
struct qkv_work {
  const T* turned[3];
  T *du, *scratch;
};

namespace detail {

/// Made of other operations, for any backend.
template <class Backend>
struct composed_norm_project {
  using linear = kernel<op::linear, Backend>;
  using norm = kernel<op::layer_norm, Backend>;
  using mask = kernel<op::mask_factors, Backend>;

  static index_t scratch(const Backend& be, index_t rows, index_t c) {
    return std::max(linear::scratch(be, linear_sizes{rows, c, 3 * c}), norm::scratch(be, row_sizes{rows, c}));
  }

  static constexpr index_t turned(index_t c) { return linear::turned(c, 3 * c); }
  /// Sets to[0], to[1], to[2] from the weights; `room` has turned(c) numbers.
  template <class T>
  static void turn(const Backend& be, const T** to, T* room, const qkv_params<const T>& p, index_t c) {
    if (p.one(c))
      to[0] = linear::turn(be, room, p.weight[0], c, 3 * c);
    else
      for (index_t i = 0; i < 3; ++i) to[i] = linear::turn(be, room + i * linear::turned(c, c), p.weight[i], c, c);
  }

  template <class T>
  static void forward(const Backend& be, const qkv_rows<T>& to, const T* x, const T* e, const qkv_params<const T>& p,
                      const mask_map<T>& m) {
    const index_t n = m.rows, c = m.channels;
    T* const raw = to.raw ? to.raw : to.qkv;
    norm::forward(be, to.u, to.saved, x, p.norm, row_sizes{n, c});
    if (p.one(c))
      linear_forward<Backend, T>(be, {raw, 3 * c}, {to.u, c}, {p.weight[0], p.bias}, {n, c, 3 * c});
    else
      for (index_t i = 0; i < 3; ++i)
        linear_forward<Backend, T>(be, {raw + i * c, 3 * c}, {to.u, c},
                                   {p.weight[i], p.bias ? p.bias + i * c : nullptr}, {n, c, c});
    if (raw != to.qkv || m.changes()) mask::forward(be, to.qkv, static_cast<const T*>(raw), e, m);
  }

  /// dqkv holds the gradient of qkv on entry and that of raw on return.
  template <class T>
  static void backward(const Backend& be, const qkv_gradients<T>& to, T* dqkv, const qkv_saved<T>& s,
                       const qkv_params<const T>& p, const mask_map<T>& m, const qkv_work<T>& w) {
    const index_t n = m.rows, c = m.channels;
    if (m.changes()) mask::backward(be, dqkv, to.de, s.raw, s.e, m);
    if (to.dv) add_to_columns(be, dqkv + 2 * c, 3 * c, to.dv, row_sizes{n, c});
    if (p.one(c)) {
      linear_backward_parameters<Backend, T>(be, {to.params.weight[0], to.params.bias}, {dqkv, 3 * c}, {s.u, c},
                                             {n, c, 3 * c}, w.scratch);
      linear_backward_input<Backend, T>(be, {w.du, c}, {dqkv, 3 * c}, w.turned[0], {n, c, 3 * c});
    } else {
      for (index_t i = 0; i < 3; ++i) {
        linear_backward_parameters<Backend, T>(be,
                                               {to.params.weight[i], to.params.bias ? to.params.bias + i * c : nullptr},
                                               {dqkv + i * c, 3 * c}, {s.u, c}, {n, c, c}, w.scratch);
        linear_backward_input<Backend, T>(be, {w.du, c}, {dqkv + i * c, 3 * c}, w.turned[i], {n, c, c}, i > 0);
      }
    }
    norm::backward(be, to.dx, to.params.norm, static_cast<const T*>(w.du), norm_input<T>{s.x, p.norm, s.norm},
                   row_sizes{n, c}, w.scratch);
  }
};

}  // namespace detail

/// y [N, C], rows ld apart, += x [N, C].
template <host_backend Backend, class T>
void add_to_columns(const Backend&, T* y, index_t ld, const T* x, row_sizes s) {
  for (index_t i = 0; i < s.rows; ++i)
    for (index_t k = 0; k < s.channels; ++k) y[i * ld + k] += x[i * s.channels + k];
}

template <>
struct kernel<op::norm_project, ref> : detail::composed_norm_project<ref> {};
template <>
struct kernel<op::norm_project, cpu> : detail::composed_norm_project<cpu> {};

}  // namespace unmask::inline UNMASK_ABI
