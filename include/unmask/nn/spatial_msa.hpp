#pragma once

/// Windowed spatial multi-head self-attention behind its layer norm, one residual branch of a block
/// (Liu et al. 2021; mask guidance arXiv 2209.12075).
///   forward   u = LN(x);  [q, k, v] = u W + b;  q, k (or as `effect` says) *= e;  per head and window
///             A = softmax(q k' / sqrt(D) + B + S);  y = keep * ((A v) W_p + b_p)
///   gradient  the same operations from the back
///   shapes    x, y, e [B, H, W, C]; W [C, 3C]; B from table [(2M-1)^2, NH]; keep [B] or null (all 1)
///   saved     x only: the backward pass computes a part's forward again (a host's while it is in cache)

#include "../core/arena.hpp"
#include "norm_project.hpp"
#include "window_attention.hpp"

namespace unmask::inline UNMASK_ABI {

/// What one part works in; N tokens.
template <class T>
struct spatial_tokens {
  T *x = nullptr, *e = nullptr, *u, *y;             ///< [N, C] gathered input and embedding, LN(x), attention's result
  T *mean, *rstd;                                   ///< [N]
  T *qkv, *raw = nullptr;                           ///< [N, 3C] with scale and mask, and (training) without
  T* out = nullptr;                                 ///< [N, C] gathered branch
  T *dr = nullptr, *dy = nullptr, *dqkv = nullptr;  ///< [N, C], [N, C], [N, 3C], training only, as the rest
  T *dx = nullptr, *de = nullptr;                   ///< [N, C] gathered
  T* work;                                          ///< scratch of the operation at work

  template <class Backend>
  void carve(arena& a, const Backend& be, const spatial_msa& l, const batch_grid& s, bool training) {
    const index_t c = l.channels, n = part_tokens(be, s, spectral_scope::window);
    const bool gathered = gathers(be, spectral_scope::window);
    for (T** p : {&u, &y}) *p = a.take<T>(n * c);
    for (T** p : {&mean, &rstd}) *p = a.take<T>(n);
    qkv = a.take<T>(n * 3 * c);
    if (gathered)
      for (T** p : {&x, &e, &out}) *p = a.take<T>(n * c);
    index_t scratch = kernel<op::window_attention, Backend>::scratch(be, l, s, training);
    if (training) {
      raw = a.take<T>(n * 3 * c);
      for (T** p : {&dr, &dy}) *p = a.take<T>(n * c);
      dqkv = a.take<T>(n * 3 * c);
      if (gathered)
        for (T** p : {&dx, &de}) *p = a.take<T>(n * c);
      scratch = std::max({scratch, kernel<op::norm_project, Backend>::scratch(be, n, c),
                          kernel<op::linear, Backend>::scratch(be, linear_sizes{n, c, c})});
    }
    work = a.take<T>(scratch);
  }
};

template <class T>
struct spatial_scratch {
  spatial_tokens<T> slots[max_threads] = {};
  T* bias = nullptr;                                ///< of all parts, from window_attention's `prepare`
  T *qkv_turned = nullptr, *proj_turned = nullptr;  ///< from norm_project's and linear's `turn`
  T* partials = nullptr;                            ///< gradient_copies

  template <class Backend>
  void carve(arena& a, const Backend& be, const spatial_msa& l, const batch_grid& s, bool training) {
    const index_t c = l.channels;
    for (int slot = 0; slot < part_slots(be, spectral_scope::window); ++slot) slots[slot].carve(a, be, l, s, training);
    bias = a.take<T>(kernel<op::window_attention, Backend>::prepared(l));
    if (!training) return;
    qkv_turned = a.take<T>(kernel<op::norm_project, Backend>::turned(c));
    proj_turned = a.take<T>(kernel<op::linear, Backend>::turned(c, c));
    partials = a.take<T>(gradient_room(be, l));
  }
};

template <class Backend, class T>
void spatial_forward(const Backend& be, const spatial_msa& l, const branch_images<T>& m,
                     const spatial_params<const T>& p, const batch_grid& s, const spatial_scratch<T>& scratch) {
  using attention = kernel<op::window_attention, Backend>;
  const index_t c = l.channels;
  const auto qkv = qkv_params<const T>::columns(p.norm, {p.qkv_weight, p.qkv_bias}, c);
  attention::prepare(be, scratch.bias, p.position_bias, l);
  each_part(be, s, spectral_scope::window, false, [&](const Backend& own, const token_part& part, int slot, index_t) {
    const spatial_tokens<T>& t = scratch.slots[slot];
    const index_t n = part.tokens();
    const T *const x = part_input(t.x, m.x, part, c), *const e = part_input(t.e, m.e, part, c);
    kernel<op::norm_project, Backend>::forward(own, qkv_rows<T>{t.u, {t.mean, t.rstd}, nullptr, t.qkv, false}, x, e,
                                               qkv, mask_map<T>{l.effect, l.template scale<T>(), n, c});
    attention::forward(own, t.y, window_inputs<T>{t.qkv, p.position_bias, scratch.bias}, l, part, t.work);
    T* const to = part_output(t.out, m.y, part, c);
    kernel<op::project_branch, Backend>::forward(
        own, to, static_cast<const T*>(t.y), linear_params<const T>{p.proj_weight, p.proj_bias},
        kept_rows<T>{m.keep ? m.keep + part.image : nullptr, part.tokens_of_image()}, row_sizes{n, c}, false);
    part_store(m.y, to, part, c);
  });
}

/// Gradients of the parameters accumulate.
template <class Backend, class T>
void spatial_backward(const Backend& be, const spatial_msa& l, const branch_gradients<T>& m,
                      const spatial_params<T>& dp, const spatial_params<const T>& p, const batch_grid& s,
                      const spatial_scratch<T>& scratch) {
  using attention = kernel<op::window_attention, Backend>;
  using project = kernel<op::norm_project, Backend>;
  const index_t c = l.channels;
  const auto qkv = qkv_params<const T>::columns(p.norm, {p.qkv_weight, p.qkv_bias}, c);
  const auto gradients = copies_for(be, l, dp, scratch.partials);
  attention::prepare(be, scratch.bias, p.position_bias, l);
  const T* turned[3] = {};
  project::turn(be, turned, scratch.qkv_turned, qkv, c);
  const T* const proj_turned = kernel<op::linear, Backend>::turn(be, scratch.proj_turned, p.proj_weight, c, c);
  gradients.clear(be);
  each_part(
      be, s, spectral_scope::window, true, [&](const Backend& own, const token_part& part, int slot, index_t chunk) {
        const spatial_tokens<T>& t = scratch.slots[slot];
        const spatial_params<T> g = gradients.of(chunk);
        const index_t n = part.tokens();
        const row_sizes rows{n, c};
        const mask_map<T> mask{l.effect, l.template scale<T>(), n, c};
        const window_inputs<T> in{t.qkv, p.position_bias, scratch.bias};
        const T *const x = part_input(t.x, m.x, part, c), *const e = part_input(t.e, m.e, part, c);
        project::forward(own, qkv_rows<T>{t.u, {t.mean, t.rstd}, t.raw, t.qkv, true}, x, e, qkv, mask);
        const T* const dr = kernel<op::keep, Backend>::backward(
            own, t.dr, part_input(t.dr, m.dy, part, c),
            kept_rows<T>{m.keep ? m.keep + part.image : nullptr, part.tokens_of_image()}, rows);
        linear_backward_input<Backend, T>(own, {t.dy, c}, {dr, c}, proj_turned, {n, c, c});
        attention::backward(own, window_gradients<T>{t.y, t.dqkv, g.position_bias}, static_cast<const T*>(t.dy), in, l,
                            part, t.work);
        linear_backward_parameters<Backend, T>(own, {g.proj_weight, g.proj_bias}, {dr, c}, {t.y, c}, {n, c, c}, t.work);
        T *const dx = part_sum(t.dx, m.dx, part, c), *const de = part_sum(t.de, m.de, part, c);
        // the gradient of u takes the place of the gradient of attention's result
        project::backward(
            own, qkv_gradients<T>{dx, de, qkv_params<T>::columns(g.norm, {g.qkv_weight, g.qkv_bias}, c), nullptr},
            t.dqkv, qkv_saved<T>{x, e, t.u, {t.mean, t.rstd}, t.raw}, qkv, mask,
            qkv_work<T>{{turned[0], turned[1], turned[2]}, t.dy, t.work});
        part_add(m.dx, dx, part, c);
        part_add(m.de, de, part, c);
      });
  gradients.add(be);
}

}  // namespace unmask::inline UNMASK_ABI
