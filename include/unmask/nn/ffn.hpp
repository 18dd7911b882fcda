#pragma once

/// Feed-forward part of a block behind its layer norm, as a residual step.
///   forward   y = x + keep * (GELU(LN(x) W1 + b1) W2 + b2)
///   gradient  d += branch'(keep * d), in place; the hidden activations are computed again
///   shapes    x, y [B, HW, C]; W1 [C, R], W2 [R, C]; keep [B] or null; y may be x
///   saved     x only: a tile of 64 tokens never leaves the cache
/// In training `keep` carries stochastic depth (Huang et al. 2016): 0, or 1 / (1 - p).

#include "gelu.hpp"
#include "linear.hpp"
#include "visit.hpp"

#include "../core/arena.hpp"
#include "conv3x3.hpp"

namespace unmask::inline UNMASK_ABI {

struct ffn {
  index_t channels;  ///< C
  index_t hidden;    ///< R
  index_t parameters() const { return 3 * channels + hidden + 2 * channels * hidden; }
};

template <class T>
struct ffn_params {
  norm_params<T> norm;
  T *fc1_weight, *fc1_bias, *fc2_weight, *fc2_bias;
};

template <class Visitor, class T>
void visit_ffn(Visitor& v, const ffn& l, const char* norm, const char* name, ffn_params<T>& p) {
  visit_norm(v, norm, p.norm, l.channels);
  v.enter(name);
  v(p.fc1_weight, "fc1.weight", {l.hidden, l.channels}, memory_order::reversed, initial::normal);
  v(p.fc1_bias, "fc1.bias", {l.hidden}, memory_order::plain, initial::zero);
  v(p.fc2_weight, "fc2.weight", {l.channels, l.hidden}, memory_order::reversed, initial::normal);
  v(p.fc2_bias, "fc2.bias", {l.channels}, memory_order::plain, initial::zero);
  v.leave();
}

/// One thread's tiles.
template <class T>
struct ffn_tile {
  T *u, *y;                    ///< [tile, C]
  T *mean, *rstd;              ///< [tile]
  T *inner, *active, *dinner;  ///< [tile, R] before and after GELU; gradient (training only)
};

/// Tokens that a tile has room for.
template <class Backend>
constexpr index_t ffn_rows(const Backend&, const ffn&, bool /*training*/) {
  return tile_tokens;
}

template <class T>
struct ffn_scratch {
  ffn_tile<T> tiles[max_threads] = {};
  T *fc1_turned = nullptr, *fc2_turned = nullptr, *partials = nullptr;

  template <class Backend>
  void carve(arena& a, const Backend& be, const ffn& l, bool training) {
    const index_t rows = ffn_rows(be, l, training);
    for (int slot = 0; slot < thread_slots(be); ++slot) {
      ffn_tile<T>& t = tiles[slot];
      for (T** p : {&t.u, &t.y}) *p = a.take<T>(rows * l.channels);
      for (T** p : {&t.mean, &t.rstd}) *p = a.take<T>(rows);
      for (T** p : {&t.inner, &t.active}) *p = a.take<T>(rows * l.hidden);
      if (training) t.dinner = a.take<T>(rows * l.hidden);
    }
    if (!training) return;
    for (T** p : {&fc1_turned, &fc2_turned}) *p = a.take<T>(l.channels * l.hidden);
    partials = a.take<T>(gradient_chunks(be) * l.parameters());
  }
};

namespace detail {
template <class Backend, class T>
void ffn_hidden(const Backend& be, const ffn& l, const T* x, const ffn_params<const T>& p, index_t n,
                const ffn_tile<T>& t) {
  kernel<op::layer_norm, Backend>::forward(t.u, t.mean, t.rstd, x, p.norm, n, l.channels);
  linear_forward(be, t.inner, l.hidden, t.u, l.channels, p.fc1_weight, p.fc1_bias, n, l.channels, l.hidden);
  kernel<op::gelu, Backend>::forward(t.active, t.inner, n * l.hidden);
}
}  // namespace detail

template <class Backend, class T>
void ffn_forward(const Backend& be, const ffn& l, T* y, const T* x, const T* keep, const ffn_params<const T>& p,
                 index_t batch, index_t pixels, const ffn_scratch<T>& scratch) {
  const index_t c = l.channels;
  parallel_tiles(be, batch * pixels, batch * pixels, [&](index_t, index_t at, index_t count, int slot) {
    const ffn_tile<T>& t = scratch.tiles[slot];
    detail::ffn_hidden(be, l, x + at * c, p, count, t);
    linear_forward(be, t.y, c, t.active, l.hidden, p.fc2_weight, p.fc2_bias, count, l.hidden, c);
    for (index_t i = 0; i < count; ++i) {
      const T factor = keep ? keep[(at + i) / pixels] : T(1);
      for (index_t k = 0; k < c; ++k) y[(at + i) * c + k] = x[(at + i) * c + k] + factor * t.y[i * c + k];
    }
  });
}

/// d holds dy on entry and dx on return; gradients of the parameters accumulate.
template <class Backend, class T>
void ffn_backward(const Backend& be, const ffn& l, T* d, const ffn_params<T>& dp, const T* x, const T* keep,
                  const ffn_params<const T>& p, index_t batch, index_t pixels, const ffn_scratch<T>& scratch) {
  const index_t c = l.channels, r = l.hidden, size = l.parameters();
  transpose(scratch.fc1_turned, c, p.fc1_weight, r, c, r);
  transpose(scratch.fc2_turned, r, p.fc2_weight, c, r, c);
  std::fill_n(scratch.partials, max_chunks * size, T(0));
  parallel_tiles(be, batch * pixels, max_chunks, [&](index_t chunk, index_t at, index_t count, int slot) {
    const ffn_tile<T>& t = scratch.tiles[slot];
    ffn_params<T> g{};
    parameter_binder<T> bind(scratch.partials + chunk * size);
    visit_ffn(bind, l, "", "", g);
    detail::ffn_hidden(be, l, x + at * c, p, count, t);
    for (index_t i = 0; i < count; ++i) {
      const T factor = keep ? keep[(at + i) / pixels] : T(1);
      for (index_t k = 0; k < c; ++k) t.y[i * c + k] = d[(at + i) * c + k] * factor;
    }
    linear_backward_parameters(be, g.fc2_weight, g.fc2_bias, t.y, c, t.active, r, count, r, c);
    linear_backward_input(be, t.dinner, r, t.y, c, scratch.fc2_turned, count, r, c);
    kernel<op::gelu, Backend>::backward(t.dinner, t.dinner, t.inner, count * r);
    linear_backward_parameters(be, g.fc1_weight, g.fc1_bias, t.dinner, r, t.u, c, count, c, r);
    linear_backward_input(be, t.y, c, t.dinner, r, scratch.fc1_turned, count, c, r);
    kernel<op::layer_norm, Backend>::backward(d + at * c, g.norm, t.y, x + at * c, p.norm, t.mean, t.rstd, count, c);
  });
  reduce_partials(be, dp.norm.weight, scratch.partials, max_chunks, size);
}

}  // namespace unmask::inline UNMASK_ABI
