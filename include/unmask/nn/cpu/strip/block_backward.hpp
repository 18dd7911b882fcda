#pragma once

/// The gradient of a block, a window at a time: the forward pass of the window is computed again while it is in cache,
/// so that only the input of each step has to be kept. Feed-forward part and attention are two passes: the weights and
/// gradients of one of them fit L2, of both they don't.

#include "block_forward.hpp"
#include "block_gradients.hpp"

namespace unmask::inline UNMASK_ABI::strip {

/// One thread's memory besides window_memory; on strips unless stated.
template <class T>
struct window_gradients {
  T *d, *scaled, *dn;           ///< [C] gradient of the step's result, times `keep`, of the normalised input
  T *rows_n, *rows_d;           ///< [N][padded C] token-major: what lies on the lanes of a weight gradient
  T *hidden, *slope, *dhidden;  ///< [R]
  T *dy, *dqkv, *de;            ///< [3C], [6C], [C]
  head_scratch<T> head;

  void carve(arena& a, const s2_block& l) {
    const index_t n = l.grid.tokens(), c = l.channels();
    for (T** p : {&d, &scaled, &dn, &de}) *p = a.take<T>(n * c);
    for (T** p : {&rows_n, &rows_d}) *p = a.take<T>(n * padded<T>(c));
    // the two passes take turns in one piece of memory
    const auto feed = [&](piece_binder<T> m) {
      for (T** p : {&hidden, &slope, &dhidden}) *p = m.take(n * l.feed.hidden);
      return m.used;
    };
    const auto attention = [&](piece_binder<T> m) {
      dy = m.take(n * 3 * c);
      dqkv = m.take(n * 6 * c);
      for (T** p : {&head.p, &head.ds}) *p = m.take(n * n);
      head.turned = m.take(n * n + width<T>);
      return m.used;
    };
    T* shared = a.take<T>(std::max(feed({nullptr}), attention({nullptr})));
    feed({shared});
    attention({shared});
  }
};

namespace detail {

/// Token-major copy [N][padded C] of strips, zeros in what pads a row.
template <class T>
void lanes_of(T* to, const T* x, index_t tokens, index_t c) {
  const index_t ld = padded<T>(c);
  for (index_t t = 0; t < tokens; ++t) std::fill(to + t * ld + c, to + (t + 1) * ld, T(0));
  to_rows([&](index_t t) { return to + t * ld; }, x, tokens, c);
}

template <class T>
void scale_to(T* y, const T* x, T factor, index_t n) {
  map(
      y, n, [f = simd::pack<T>::all(factor)](auto v) { return v * f; }, x);
}

}  // namespace detail

/// g.d becomes the gradient of w.x, which holds the input of the feed-forward part.
template <class T>
void feed_backward(const window_memory<T>& w, const window_gradients<T>& g, const feed_gradients<T>& sums,
                   const s2_block& l, const block_weights<T>& b, turned_panels<T> turned, T keep) {
  using P = simd::pack<T>;
  const index_t c = l.channels(), r = l.feed.hidden, n = l.grid.tokens(), count = n / width<T>, ld = padded<T>(c);
  const rows<T> inner{g.hidden, r * width<T>}, dinner{g.dhidden, r * width<T>};
  const index_t strip = c * width<T>;
  normalise(w.n, w.rstd, w.x, c, count);
  detail::scale_to(g.scaled, g.d, keep, n * c);
  multiply(inner, rows<const T>{w.n, strip}, b.up.panel, b.up.bias, c, r, count);
  multiply<false, T>(dinner, rows<const T>{g.scaled, strip}, turned.out, nullptr, c, r, count);
  for (index_t i = 0; i < n * r; i += 2 * P::lanes) {
    const auto both =
        simd::gelu_with_derivative<T>(std::array{P::load(g.hidden + i), P::load(g.hidden + i + P::lanes)});
    for (index_t j = 0; j < 2; ++j) {
      const index_t at = i + j * P::lanes;
      P::store(g.hidden + at, both.value[static_cast<std::size_t>(j)]);
      P::store(g.dhidden + at, P::load(g.dhidden + at) * both.derivative[static_cast<std::size_t>(j)]);
    }
  }
  detail::lanes_of(g.rows_d, g.scaled, n, c);
  detail::lanes_of(g.rows_n, w.n, n, c);
  add_outer(sums.down, inner, g.rows_d, r, ld, count);
  add_outer(sums.up, dinner, g.rows_n, r, ld, count);
  add_tokens(sums.down_bias, rows<const T>{g.scaled, strip}, c, count);
  add_tokens(sums.up_bias, dinner, r, count);
  multiply<false, T>(rows<T>{g.dn, strip}, dinner, turned.in, nullptr, r, c, count);
  normalise_backward(g.d, g.dn, w.n, w.rstd, c, count);
}

namespace detail {

/// dqkv of a branch from masked to plain q, k, v, in place; de [C] overwrites.
template <class T>
void embed_branch_backward(const window_memory<T>& w, const window_gradients<T>& g, mask_effect effect, const T* e,
                           index_t first, index_t stride, index_t c, index_t count) {
  using P = simd::pack<T>;
  const mask_effect parts[] = {mask_effect::q, mask_effect::k, mask_effect::v};
  std::fill_n(g.de, count * c * width<T>, T(0));
  for (index_t i = 0; i < 3; ++i) {
    if (!affects(effect, parts[i])) continue;
    for (index_t s = 0; s < count; ++s) {
      const index_t at = s * stride + (first + i * c) * width<T>, own = s * c * width<T>;
      for (index_t j = 0; j < c * width<T>; j += P::lanes) {
        const auto d = P::load(g.dqkv + at + j);
        P::store(g.de + own + j, P::fma(d, P::load(w.qkv + at + j), P::load(g.de + own + j)));
        P::store(g.dqkv + at + j, d * P::load(e + own + j));
      }
    }
  }
}

}  // namespace detail

/// What an attention step's gradient reads: shift mask (or null) and stochastic depth are those of the window.
template <class T>
struct step_inputs {
  const s2_block& l;
  const step_weights<T>& s;
  const block_params<const T>& p;
  turned_panels<T> turned;
  const T* shift;
  T spatial_keep, spectral_keep;
};

/// g.d becomes the gradient of w.x, the input of the step. put_spatial(de), put_spectral(de) take the gradients of the
/// embeddings away.
template <class T, class PutSpatial, class PutSpectral>
void step_backward(const window_memory<T>& w, const window_gradients<T>& g, const step_gradients<T>& sums,
                   const step_inputs<T>& given, PutSpatial put_spatial, PutSpectral put_spectral) {
  const s2_block& l = given.l;
  const step_weights<T>& s = given.s;
  const block_params<const T>& p = given.p;
  const turned_panels<T> turned = given.turned;
  const T* const shift = given.shift;
  const T spatial_keep = given.spatial_keep, spectral_keep = given.spectral_keep;
  const index_t c = l.channels(), n = l.grid.tokens(), count = n / width<T>, ld = padded<T>(c), strip = c * width<T>;
  const rows<T> y{w.y, s.out.inputs * width<T>}, dy{g.dy, y.stride}, dqkv{g.dqkv, s.in.outputs * width<T>};
  const rows<const T> in{w.masked, dqkv.stride};
  normalise(w.n, w.rstd, w.x, c, count);
  project_step(w, l, s);
  multiply<false, T>(dy, rows<const T>{g.d, strip}, turned.out, nullptr, c, s.out.inputs, count);
  const auto scale_rows = [&](index_t row, index_t height, T factor) {
    if (factor == 1) return;
    for (index_t i = 0; i < count; ++i) {
      T* at = dy.from(row).data + i * dy.stride;
      detail::scale_to(at, at, factor, height * width<T>);
    }
  };
  if (s.step.has_spatial()) {
    const index_t d = l.spatial.width();
    scale_rows(0, c, spatial_keep);
    for (index_t h = 0; h < l.spatial.heads; ++h)
      head_backward<T>(
          y.from(h * d).data, y.stride,
          {dqkv.from(h * d).data, dqkv.from(c + h * d).data, dqkv.from(2 * c + h * d).data, sums.position + h * n * n},
          dy.from(h * d).data,
          {in.from(h * d).data, in.from(c + h * d).data, in.from(2 * c + h * d).data, s.position + h * n * n, shift},
          head_shape{count, d, in.stride}, g.head);
    if (l.embeds_spatial()) {
      detail::embed_branch_backward(w, g, l.spatial.effect, w.spatial_e, 0, in.stride, c, count);
      put_spatial(g.de);
    }
  }
  if (s.step.has_spectral()) {
    const spectral_params<const T>& b = p.spectral[s.step.spectral];
    const index_t at = s.step.spectral_in(c), to = s.step.spectral_out(c), d = l.spectral.width;
    const rows<const T> v = rows<const T>{w.qkv, in.stride}.from(at + 2 * c);
    scale_rows(to, 2 * c, spectral_keep);
    channel_scores(w.channels, in.from(at), in.from(at + c), b.rescale, c, d, count);
    channel_apply(y.from(to), in.from(at + 2 * c), w.channels, c, d, count);
    channel_backward<T>({dqkv.from(at), dqkv.from(at + c), dqkv.from(at + 2 * c)}, sums.rescale, dy.from(to),
                        {in.from(at), in.from(at + c), in.from(at + 2 * c)}, b.rescale, w.channels, {c, d, count});
    if (l.embeds_spectral()) {
      detail::embed_branch_backward(w, g, l.spectral.effect, w.spectral_e, at, in.stride, c, count);
      put_spectral(g.de);
    }
    positional_forward(y.from(to + c), v, b.position0, b.position2, l.grid.side, c, w.planes);
    positional_backward<T>(dqkv.from(at + 2 * c), {sums.first, sums.second}, dy.from(to + c), v,
                           {b.position0, b.position2}, l.grid.side, c, w.planes);
  }
  detail::lanes_of(g.rows_d, g.d, n, c);
  detail::lanes_of(g.rows_n, w.n, n, c);
  keep_step(w, l, s, spatial_keep, spectral_keep);
  add_outer(sums.out, y, g.rows_d, s.out.inputs, ld, count);
  add_outer(sums.in, dqkv, g.rows_n, s.in.outputs, ld, count);
  add_tokens(sums.in_bias, dqkv, s.in.outputs, count);
  const auto add_bias = [&](T* to, T factor) {
    detail::scale_to(g.scaled, g.d, factor, n * c);
    add_tokens(to, rows<const T>{g.scaled, strip}, c, count);
  };
  if (s.step.has_spatial()) add_bias(sums.out_bias[0], spatial_keep);
  if (s.step.has_spectral()) add_bias(sums.out_bias[1], spectral_keep);
  multiply<false, T>(rows<T>{g.dn, strip}, dqkv, turned.in, nullptr, s.in.outputs, c, count);
  normalise_backward(g.d, g.dn, w.n, w.rstd, c, count);
}

}  // namespace unmask::inline UNMASK_ABI::strip
