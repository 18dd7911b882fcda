#pragma once

/// Feed-forward part of a block behind its layer norm, as a residual step.
///   forward   y = x + keep * (GELU(LN(x) W1 + b1) W2 + b2)
///   gradient  d += branch'(keep * d), in place; the hidden activations are computed again
///   shapes    x, y [B, HW, C]; W1 [C, R], W2 [R, C]; keep [B] or null; y may be x
///   saved     x only: a host's tile of 64 tokens never leaves the cache

#include "../core/arena.hpp"
#include "gelu.hpp"
#include "kept_rows.hpp"
#include "visit.hpp"

namespace unmask::inline UNMASK_ABI {

namespace op {
struct ffn {};
}  // namespace op

template <class T>
struct ffn_params {
  norm_params<T> norm;
  T *fc1_weight, *fc1_bias, *fc2_weight, *fc2_bias;
};

struct ffn {
  index_t channels;  ///< C
  index_t hidden;    ///< R
  template <class T>
  using params = ffn_params<T>;
};

/// The two linear maps, without the norm.
template <class Visitor, class T>
void visit_maps(Visitor& v, const ffn& l, ffn_params<T>& p) {
  v(p.fc1_weight, "fc1.weight", {l.hidden, l.channels}, memory_order::reversed, initial::normal);
  v(p.fc1_bias, "fc1.bias", {l.hidden}, memory_order::plain, initial::zero);
  v(p.fc2_weight, "fc2.weight", {l.channels, l.hidden}, memory_order::reversed, initial::normal);
  v(p.fc2_bias, "fc2.bias", {l.channels}, memory_order::plain, initial::zero);
}
template <class Visitor, class T>
void visit_ffn(Visitor& v, const ffn& l, const char* norm, const char* name, ffn_params<T>& p) {
  visit_norm(v, norm, p.norm, l.channels);
  v.enter(name);
  visit_maps(v, l, p);
  v.leave();
}
template <class Visitor, class T>
void visit_parameters(Visitor& v, const ffn& l, ffn_params<T>& p) {
  visit_ffn(v, l, "", "", p);
}

/// The images of a batch: `pixels` tokens each, keep [B] or null.
template <class T>
struct ffn_batch {
  const T* keep;
  index_t batch, pixels;
  constexpr index_t tokens() const { return batch * pixels; }
};

/// One thread's tiles.
template <class T>
struct ffn_tile {
  T *u, *y;                    ///< [tile, C]
  T *mean, *rstd;              ///< [tile]
  T *inner, *active, *dinner;  ///< [tile, R] before and after GELU; gradient (training only)
  T* work;                     ///< scratch of the operation at work (training only)
};

template <class T>
struct ffn_scratch {
  ffn_tile<T> tiles[max_threads] = {};
  T *fc1_turned = nullptr, *fc2_turned = nullptr;  ///< from linear's `turn`
  T* partials = nullptr;                           ///< gradient_copies

  template <class Backend>
  void carve(arena& a, const Backend& be, const ffn& l, index_t tokens, bool training) {
    using feed = kernel<op::ffn, Backend>;
    using linear = kernel<op::linear, Backend>;
    const index_t rows = feed::tile(be, l, tokens, training);
    for (int slot = 0; slot < thread_slots(be); ++slot) {
      ffn_tile<T>& t = tiles[slot];
      for (T** p : {&t.u, &t.y}) *p = a.take<T>(rows * l.channels);
      for (T** p : {&t.mean, &t.rstd}) *p = a.take<T>(rows);
      for (T** p : {&t.inner, &t.active}) *p = a.take<T>(rows * l.hidden);
      if (!training) continue;
      t.dinner = a.take<T>(rows * l.hidden);
      t.work = a.take<T>(feed::scratch(be, l, rows));
    }
    if (!training) return;
    for (T** p : {&fc1_turned, &fc2_turned}) *p = a.take<T>(linear::turned(l.channels, l.hidden));
    partials = a.take<T>(gradient_room(be, l));
  }
};

namespace detail {

/// Made of other operations, tile by tile, for any backend.
template <class Backend>
struct composed_ffn {
  using linear = kernel<op::linear, Backend>;
  using norm = kernel<op::layer_norm, Backend>;

  /// Tokens that work together.
  static constexpr index_t tile(const Backend& be, const ffn&, index_t tokens, bool) { return tile_rows(be, tokens); }
  static index_t scratch(const Backend& be, const ffn& l, index_t rows) {
    return std::max(linear::scratch(be, linear_sizes{rows, l.channels, l.hidden}),
                    norm::scratch(be, row_sizes{rows, l.channels}));
  }

  template <class T>
  static void forward(const Backend& be, const ffn& l, T* y, const T* x, const ffn_params<const T>& p,
                      const ffn_batch<T>& s, const ffn_scratch<T>& scratch) {
    const index_t c = l.channels, n = s.tokens();
    parallel_tiles(be, n, n, [&](index_t, index_t at, index_t count, int slot) {
      tile_forward(be, l, y + at * c, x + at * c, p, {s.keep, s.pixels, at}, count, scratch.tiles[slot]);
    });
  }

  /// d holds dy on entry and dx on return; gradients of the parameters accumulate.
  template <class T>
  static void backward(const Backend& be, const ffn& l, T* d, const ffn_params<T>& dp, const T* x,
                       const ffn_params<const T>& p, const ffn_batch<T>& s, const ffn_scratch<T>& scratch) {
    const index_t c = l.channels;
    const auto copies = copies_for(be, l, dp, scratch.partials);
    const T* const turned[] = {linear::turn(be, scratch.fc1_turned, p.fc1_weight, c, l.hidden),
                               linear::turn(be, scratch.fc2_turned, p.fc2_weight, l.hidden, c)};
    copies.clear(be);
    parallel_tiles(be, s.tokens(), max_chunks, [&](index_t chunk, index_t at, index_t count, int slot) {
      const tile_tokens_of<T> tokens{x + at * c, {s.keep, s.pixels, at}, count};
      tile_backward(be, l, d + at * c, copies.of(chunk), p, turned, tokens, scratch.tiles[slot]);
    });
    copies.add(be);
  }

  template <class T>
  struct tile_tokens_of {
    const T* x;
    kept_rows<T> keep;
    index_t count;
  };

  template <class T>
  static void hidden(const Backend& be, const ffn& l, const T* x, const ffn_params<const T>& p, index_t n,
                     const ffn_tile<T>& t) {
    norm::forward(be, t.u, norm_saved<T>{t.mean, t.rstd}, x, p.norm, row_sizes{n, l.channels});
    linear_forward<Backend, T>(be, {t.inner, l.hidden}, {t.u, l.channels}, {p.fc1_weight, p.fc1_bias},
                               {n, l.channels, l.hidden});
    kernel<op::gelu, Backend>::forward(be, t.active, static_cast<const T*>(t.inner), n * l.hidden);
  }

  template <class T>
  static void tile_forward(const Backend& be, const ffn& l, T* y, const T* x, const ffn_params<const T>& p,
                           const kept_rows<T>& keep, index_t n, const ffn_tile<T>& t) {
    const index_t c = l.channels, r = l.hidden;
    hidden(be, l, x, p, n, t);
    linear_forward<Backend, T>(be, {t.y, c}, {t.active, r}, {p.fc2_weight, p.fc2_bias}, {n, r, c});
    kernel<op::keep, Backend>::forward(be, y, x, static_cast<const T*>(t.y), keep, row_sizes{n, c});
  }

  template <class T>
  static void tile_backward(const Backend& be, const ffn& l, T* d, const ffn_params<T>& g, const ffn_params<const T>& p,
                            const T* const* turned, const tile_tokens_of<T>& s, const ffn_tile<T>& t) {
    const index_t c = l.channels, r = l.hidden, n = s.count;
    hidden(be, l, s.x, p, n, t);
    const T* const dr = kernel<op::keep, Backend>::backward(be, t.y, static_cast<const T*>(d), s.keep, row_sizes{n, c});
    linear_backward_parameters<Backend, T>(be, {g.fc2_weight, g.fc2_bias}, {dr, c}, {t.active, r}, {n, r, c}, t.work);
    linear_backward_input<Backend, T>(be, {t.dinner, r}, {dr, c}, turned[1], {n, r, c});
    kernel<op::gelu, Backend>::backward(be, t.dinner, static_cast<const T*>(t.dinner), static_cast<const T*>(t.inner),
                                        n * r);
    linear_backward_parameters<Backend, T>(be, {g.fc1_weight, g.fc1_bias}, {t.dinner, r}, {t.u, c}, {n, c, r}, t.work);
    linear_backward_input<Backend, T>(be, {t.y, c}, {t.dinner, r}, turned[0], {n, c, r});
    norm::backward(be, d, g.norm, static_cast<const T*>(t.y), norm_input<T>{s.x, p.norm, {t.mean, t.rstd}},
                   row_sizes{n, c}, t.work);
  }
};

}  // namespace detail

template <>
struct kernel<op::ffn, ref> : detail::composed_ffn<ref> {};
template <>
struct kernel<op::ffn, cpu> : detail::composed_ffn<cpu> {};

template <class Backend, class T>
void ffn_forward(const Backend& be, const ffn& l, T* y, const T* x, const ffn_params<const T>& p, const ffn_batch<T>& s,
                 const ffn_scratch<T>& scratch) {
  kernel<op::ffn, Backend>::forward(be, l, y, x, p, s, scratch);
}

template <class Backend, class T>
void ffn_backward(const Backend& be, const ffn& l, T* d, const ffn_params<T>& dp, const T* x,
                  const ffn_params<const T>& p, const ffn_batch<T>& s, const ffn_scratch<T>& scratch) {
  kernel<op::ffn, Backend>::backward(be, l, d, dp, x, p, s, scratch);
}

}  // namespace unmask::inline UNMASK_ABI
