#pragma once

/// Windowed spatial multi-head self-attention behind its layer norm, one residual branch of a block
/// (Liu et al. 2021; mask guidance arXiv 2209.12075).
///   forward   u = LN(x);  [q, k, v] = u W + b;  q, k (or as `effect` says) *= e;  per head and window
///             A = softmax(q k' / sqrt(D) + B + S);  y = keep * ((A v) W_p + b_p)
///   gradient  dv = A' dy,  dA = dy v',  dq = dS k,  dk = dS' q  with dS the softmax gradient of dA;  dB = dS summed
///   shapes    x, y, e [B, H, W, C]; W [C, 3C]; B from table [(2M-1)^2, NH]; keep [B] or null (all 1)
///   saved     x only: the backward pass computes a window's forward again while it is in cache

#include "linear.hpp"
#include "mask_effect.hpp"
#include "position_bias.hpp"
#include "softmax.hpp"
#include "spatial_msa_parts.hpp"
#include "visit.hpp"

namespace unmask::inline UNMASK_ABI {

template <class T>
struct spatial_params {
  norm_params<T> norm;
  T *qkv_weight, *qkv_bias, *position_bias, *proj_weight, *proj_bias;
};

template <class Visitor, class T>
void visit_spatial(Visitor& v, const spatial_msa& l, const char* norm, const char* name, spatial_params<T>& p) {
  const index_t c = l.channels, span = 2 * l.side - 1;
  visit_norm(v, norm, p.norm, c);
  v.enter(name);
  v(p.qkv_weight, "qkv.weight", {3 * c, c}, memory_order::reversed, initial::normal);
  v(p.qkv_bias, "qkv.bias", {3 * c}, memory_order::plain, initial::zero);
  v(p.position_bias, "position_bias", {span * span, l.heads}, memory_order::plain, initial::normal);
  v(p.proj_weight, "proj.weight", {c, c}, memory_order::reversed, initial::normal);
  v(p.proj_bias, "proj.bias", {c}, memory_order::plain, initial::zero);
  v.leave();
}

namespace detail {

/// u = LN(x), qkv = u W + b and its masked twin, for the window in s.x (and s.e).
template <class Backend, class T>
void spatial_project(const Backend& be, const spatial_msa& l, const spatial_params<const T>& p,
                     const spatial_window<T>& s) {
  const index_t n = l.tokens(), c = l.channels;
  const auto factor = [&](mask_effect one) { return affects(l.effect, one) ? s.e : nullptr; };
  kernel<op::layer_norm, Backend>::forward(s.u, s.mean, s.rstd, s.x, p.norm, n, c);
  linear_forward(be, s.qkv, 3 * c, s.u, c, p.qkv_weight, p.qkv_bias, n, c, 3 * c);
  embed_forward(s.masked, 3 * c, s.qkv, 3 * c, factor(mask_effect::q), l.scale<T>(), n, c);
  embed_forward(s.masked + c, 3 * c, s.qkv + c, 3 * c, factor(mask_effect::k), T(1), n, c);
  embed_forward(s.masked + 2 * c, 3 * c, s.qkv + 2 * c, 3 * c, factor(mask_effect::v), T(1), n, c);
}

/// s.scores = A of one head.
template <class Backend, class T>
void spatial_attention(const Backend& be, const spatial_msa& l, const T* bias, const spatial_window<T>& s,
                       const window_grid& grid, index_t window, index_t head) {
  const index_t n = l.tokens(), c = l.channels, d = l.width();
  transpose(s.turned, n, s.masked + c + head * d, 3 * c, n, d);
  std::copy_n(bias + head * n * n, n * n, s.scores);
  multiply_add(be, s.scores, n, rows_of(s.masked + head * d, 3 * c), s.turned, n, n, n, d);
  if (grid.mixed(window)) add_shift_mask(s.scores, grid, window);
  kernel<op::softmax, Backend>::forward(s.scores, s.scores, n, n);
}

}  // namespace detail

/// y = keep * branch(x): overwrites y. e may be null where `effect` is none.
template <class Backend, class T>
void spatial_forward(const Backend& be, const spatial_msa& l, T* y, const T* x, const T* e, const T* keep,
                     const spatial_params<const T>& p, index_t batch, const window_grid& grid,
                     const spatial_scratch<T>& scratch) {
  const index_t n = l.tokens(), c = l.channels, d = l.width(), image = grid.height * grid.width * c;
  position_bias_forward(scratch.bias, p.position_bias, l.side, l.heads);
  parallel_for(be, batch * grid.windows(), [&](index_t i, int slot) {
    const index_t b = i / grid.windows(), window = i % grid.windows();
    const spatial_window<T>& s = scratch.windows[slot];
    gather_window(s.x, x + b * image, grid, window, c);
    if (e) gather_window(s.e, e + b * image, grid, window, c);
    detail::spatial_project(be, l, p, s);
    for (index_t h = 0; h < l.heads; ++h) {
      detail::spatial_attention(be, l, scratch.bias, s, grid, window, h);
      multiply(be, s.y + h * d, c, rows_of(s.scores, n), s.masked + 2 * c + h * d, 3 * c, n, d, n);
    }
    linear_forward(be, s.u, c, s.y, c, p.proj_weight, p.proj_bias, n, c, c);
    scatter_window(y + b * image, s.u, keep ? keep[b] : T(1), grid, window, c);
  });
}

/// dx and de accumulate (de may be null), gradients of the parameters accumulate. dy is the gradient of y = keep *
/// branch.
template <class Backend, class T>
void spatial_backward(const Backend& be, const spatial_msa& l, T* dx, T* de, const spatial_params<T>& dp, const T* dy,
                      const T* x, const T* e, const T* keep, const spatial_params<const T>& p, index_t batch,
                      const window_grid& grid, const spatial_scratch<T>& scratch) {
  const index_t n = l.tokens(), c = l.channels, d = l.width(), image = grid.height * grid.width * c;
  const index_t size = l.parameters(), count = batch * grid.windows();
  position_bias_forward(scratch.bias, p.position_bias, l.side, l.heads);
  transpose(scratch.qkv_turned, c, p.qkv_weight, 3 * c, c, 3 * c);
  transpose(scratch.proj_turned, c, p.proj_weight, c, c, c);
  parallel_chunks(be, count, [&](index_t chunk, index_t begin, index_t end, int slot) {
    const spatial_window<T>& s = scratch.windows[slot];
    std::fill_n(scratch.partials + chunk * size, size, T(0));
    spatial_params<T> g{};
    parameter_binder<T> bind(scratch.partials + chunk * size);
    visit_spatial(bind, l, "", "", g);
    const auto factor = [&](mask_effect one) { return affects(l.effect, one) ? s.e : nullptr; };
    for (index_t i = begin; i < end; ++i) {
      const index_t b = i / grid.windows(), window = i % grid.windows();
      gather_window(s.x, x + b * image, grid, window, c);
      if (e) gather_window(s.e, e + b * image, grid, window, c);
      detail::spatial_project(be, l, p, s);
      gather_window(s.dr, dy + b * image, grid, window, c);
      if (keep)
        for (index_t k = 0; k < n * c; ++k) s.dr[k] *= keep[b];
      linear_backward_input(be, s.dy, c, s.dr, c, scratch.proj_turned, n, c, c);
      for (index_t h = 0; h < l.heads; ++h) {
        const T* v = s.masked + 2 * c + h * d;
        const T* dyh = s.dy + h * d;
        detail::spatial_attention(be, l, scratch.bias, s, grid, window, h);
        multiply(be, s.y + h * d, c, rows_of(s.scores, n), v, 3 * c, n, d, n);
        multiply(be, s.dqkv + 2 * c + h * d, 3 * c, transposed(s.scores, n), dyh, c, n, d, n);
        transpose(s.turned, n, v, 3 * c, n, d);
        multiply(be, s.dscores, n, rows_of(dyh, c), s.turned, n, n, n, d);
        kernel<op::softmax, Backend>::backward(s.dscores, s.dscores, s.scores, n, n);
        position_bias_backward(g.position_bias, s.dscores, l.side, l.heads, h);
        multiply(be, s.dqkv + h * d, 3 * c, rows_of(s.dscores, n), s.masked + c + h * d, 3 * c, n, d, n);
        multiply(be, s.dqkv + c + h * d, 3 * c, transposed(s.dscores, n), s.masked + h * d, 3 * c, n, d, n);
      }
      linear_backward_parameters(be, g.proj_weight, g.proj_bias, s.dr, c, s.y, c, n, c, c);
      if (e) std::fill_n(s.de, n * c, T(0));
      embed_backward(s.dqkv, 3 * c, s.de, s.qkv, 3 * c, factor(mask_effect::q), l.scale<T>(), n, c);
      embed_backward(s.dqkv + c, 3 * c, s.de, s.qkv + c, 3 * c, factor(mask_effect::k), T(1), n, c);
      embed_backward(s.dqkv + 2 * c, 3 * c, s.de, s.qkv + 2 * c, 3 * c, factor(mask_effect::v), T(1), n, c);
      if (e && de) scatter_add_window(de + b * image, s.de, grid, window, c);
      linear_backward_parameters(be, g.qkv_weight, g.qkv_bias, s.dqkv, 3 * c, s.u, c, n, c, 3 * c);
      linear_backward_input(be, s.dr, c, s.dqkv, 3 * c, scratch.qkv_turned, n, c, 3 * c);
      std::fill_n(s.dy, n * c, T(0));
      kernel<op::layer_norm, Backend>::backward(s.dy, g.norm, s.dr, s.x, p.norm, s.mean, s.rstd, n, c);
      scatter_add_window(dx + b * image, s.dy, grid, window, c);
    }
  });
  reduce_partials(be, dp.norm.weight, scratch.partials, chunk_count(count), size);
}

}  // namespace unmask::inline UNMASK_ABI
