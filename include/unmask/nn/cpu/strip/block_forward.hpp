#pragma once

/// A whole block window by window: gathered once (the cyclic shift is an index), kept in L1 and L2 from the first layer
/// norm to the last residual, written once. 64 tokens x 60 channels are 15 KB.

#include "block_weights.hpp"
#include "channel_attention.hpp"
#include "norm.hpp"
#include "spatial_head.hpp"
#include "window_depthwise.hpp"

namespace unmask::inline UNMASK_ABI::strip {

/// One thread's window, all on strips.
template <class T>
struct window_memory {
  place* places;              ///< [N]
  T *x, *n, *rstd;            ///< [C], [C], one row
  T *qkv, *masked;            ///< [3C a branch]; the same memory in inference
  T *spatial_e, *spectral_e;  ///< [C]
  T* taps;                    ///< [18]
  T* y;                       ///< [C + 2C] results of the branches, what the folded out matrix reads
  T* scores;                  ///< [keys + 1][S]
  T* hidden;                  ///< [R] of one strip
  T* bias;                    ///< [C]
  channel_matrices<T> channels;
  window_planes<T> planes;

  void carve(arena& a, const s2_block& l, bool training) {
    const index_t n_ = l.grid.tokens(), c = l.channels();
    places = a.take<place>(n_);
    for (T** p : {&x, &n}) *p = a.take<T>(n_ * c);
    rstd = a.take<T>(n_);
    qkv = a.take<T>(n_ * 6 * c);
    masked = training && (l.embeds_spatial() || l.embeds_spectral()) ? a.take<T>(n_ * 6 * c) : qkv;
    spatial_e = l.embeds_spatial() ? a.take<T>(n_ * c) : nullptr;
    spectral_e = l.embeds_spectral() ? a.take<T>(n_ * c) : nullptr;
    taps = a.take<T>(n_ * mask_taps);
    y = a.take<T>(n_ * 3 * c);
    scores = a.take<T>((n_ + 1) * width<T>);
    hidden = a.take<T>(l.feed.hidden * width<T>);
    bias = a.take<T>(c);
    channels.carve(a, c, l.spectral.width, training);
    planes.carve(a, l.grid.side, training);
  }
};

/// S = -100 (times log2 e) between regions of a shifted image, as [kind][strip][key][S]: kind 1 a window at the bottom
/// edge, 2 at the right edge, 3 at both. It depends on the window's side only.
template <class T>
void fill_shift_masks(T* masks, const window_grid& grid) {
  const index_t n = grid.tokens();
  // a 2 x 2 image of windows has all kinds
  const window_grid part{2 * grid.side, 2 * grid.side, grid.side, grid.shift};
  for (index_t kind = 1; kind < 4; ++kind) {
    const index_t window = (kind & 1 ? 2 : 0) + (kind & 2 ? 1 : 0);
    T* to = masks + kind * n * n;
    for (index_t q = 0; q < n; ++q)
      for (index_t k = 0; k < n; ++k)
        to[q / width<T> * n * width<T> + k * width<T> + q % width<T>] =
            part.region(window, q) == part.region(window, k) ? T(0) : static_cast<T>(-100 * log2e);
  }
}

/// Null for a window of one region.
template <class T>
const T* shift_mask(const T* masks, const window_grid& grid, index_t window) {
  if (!grid.mixed(window)) return nullptr;
  const index_t kind = (window / grid.columns() == grid.height / grid.side - 1 ? 1 : 0) +
                       (window % grid.columns() == grid.columns() - 1 ? 2 : 0);
  return masks + kind * grid.tokens() * grid.tokens();
}

/// The mask's part of one image.
template <class T>
struct mask_input {
  const T* values;                        ///< [H, W]
  const T *spatial_rows, *spectral_rows;  ///< [H, C] of mask_weights::rows
};

namespace detail {

/// y = x e on `c` rows of strips.
template <class T>
void embed(rows<T> y, std::type_identity_t<rows<const T>> x, const T* e, index_t c, index_t count) {
  for (index_t i = 0; i < count; ++i)
    map(
        y.data + i * y.stride, c * width<T>, [](auto a, auto b) { return a * b; }, x.data + i * x.stride,
        e + i * c * width<T>);
}

/// Masked q, k and v of a branch whose rows begin at `first`.
template <class T>
void embed_branch(const window_memory<T>& w, mask_effect effect, const T* e, index_t first, index_t stride, index_t c,
                  index_t count) {
  const mask_effect parts[] = {mask_effect::q, mask_effect::k, mask_effect::v};
  for (index_t i = 0; i < 3; ++i) {
    const rows<T> from = rows<T>{w.qkv, stride}.from(first + i * c), to = rows<T>{w.masked, stride}.from(first + i * c);
    if (affects(effect, parts[i]))
      embed(to, from, e, c, count);
    else if (w.masked != w.qkv)
      for (index_t s = 0; s < count; ++s) std::copy_n(from.data + s * stride, c * width<T>, to.data + s * stride);
  }
}

}  // namespace detail

/// From w.n to w.masked: q, k, v of the step's branches, times the embeddings in w.
template <class T>
void project_step(const window_memory<T>& w, const s2_block& l, const step_weights<T>& s) {
  const index_t c = l.channels(), count = l.grid.tokens() / width<T>, stride = s.in.outputs * width<T>;
  multiply(rows<T>{w.qkv, stride}, rows<const T>{w.n, c * width<T>}, s.in.panel, s.in.bias, c, s.in.outputs, count);
  if (s.step.has_spatial() && (l.embeds_spatial() || w.masked != w.qkv))
    detail::embed_branch(w, l.spatial.effect, w.spatial_e, 0, stride, c, count);
  if (s.step.has_spectral() && !s.step.over_image && (l.embeds_spectral() || w.masked != w.qkv))
    detail::embed_branch(w, l.spectral.effect, w.spectral_e, s.step.spectral_in(c), stride, c, count);
}

/// w.y: results of the step's branches before their projections.
template <class T>
void attend_step(const window_memory<T>& w, const s2_block& l, const step_weights<T>& s, const block_params<const T>& p,
                 const T* shift) {
  const index_t c = l.channels(), n = l.grid.tokens(), count = n / width<T>, rows_y = s.out.inputs;
  const rows<T> y{w.y, rows_y * width<T>};
  const rows<const T> in{w.masked, s.in.outputs * width<T>};
  if (s.step.has_spatial()) {
    const index_t d = l.spatial.width();
    for (index_t h = 0; h < l.spatial.heads; ++h)
      head_forward(
          y.from(h * d).data, y.stride,
          {in.from(h * d).data, in.from(c + h * d).data, in.from(2 * c + h * d).data, s.position + h * n * n, shift},
          head_shape{count, d, in.stride}, w.scores);
  }
  if (s.step.has_spectral() && !s.step.over_image) {
    const spectral_params<const T>& b = p.spectral[s.step.spectral];
    const index_t at = s.step.spectral_in(c), to = s.step.spectral_out(c), d = l.spectral.width;
    channel_scores(w.channels, in.from(at), in.from(at + c), b.rescale, c, d, count);
    channel_apply(y.from(to), in.from(at + 2 * c), w.channels, c, d, count);
    // the positional term sees v before the mask
    const rows<const T> v = rows<const T>{w.qkv, in.stride}.from(at + 2 * c);
    positional_forward(y.from(to + c), v, b.position0, b.position2, l.grid.side, c, w.planes);
  }
}

/// Multiplies the rows of w.y by stochastic depth's factors and sums the biases they let through into w.bias.
template <class T>
void keep_step(const window_memory<T>& w, const s2_block& l, const step_weights<T>& s, T spatial, T spectral) {
  const index_t c = l.channels(), count = l.grid.tokens() / width<T>;
  const bool first = s.step.has_spatial(), second = s.step.has_spectral();
  for (index_t k = 0; k < c; ++k)
    w.bias[k] = (first ? spatial * s.out_bias[0][k] : T(0)) + (second ? spectral * s.out_bias[1][k] : T(0));
  const auto scale = [&](index_t row, index_t rows_, T factor) {
    if (factor == 1) return;
    for (index_t i = 0; i < count; ++i) {
      T* at = w.y + (i * s.out.inputs + row) * width<T>;
      map(
          at, rows_ * width<T>, [f = simd::pack<T>::all(factor)](auto v) { return v * f; }, at);
    }
  };
  if (first) scale(0, c, spatial);
  if (second) scale(s.step.spectral_out(c), 2 * c, spectral);
}

/// The rows of w.y that spectral attention over the image fills: the normalised input, for which the image's attention
/// is one matrix, and the positional term, whose pixels position(t) points to.
template <class T, class Row>
void place_image_spectral(const window_memory<T>& w, const s2_block& l, const step_weights<T>& s, Row position) {
  const index_t c = l.channels(), n = l.grid.tokens(), stride = s.out.inputs * width<T>;
  T* to = w.y + s.step.spectral_out(c) * width<T>;
  for (index_t i = 0; i < n / width<T>; ++i) std::copy_n(w.n + i * c * width<T>, c * width<T>, to + i * stride);
  from_rows(to + c * width<T>, position, n, c, stride);
}

/// w.x += the step, from w.n.
template <class T>
void add_step(const window_memory<T>& w, const s2_block& l, const step_weights<T>& s) {
  const index_t c = l.channels();
  multiply<true>(rows<T>{w.x, c * width<T>}, rows<const T>{w.y, s.out.inputs * width<T>}, s.out.panel, w.bias,
                 s.out.inputs, c, l.grid.tokens() / width<T>);
}

/// w.x += keep * FFN(LN(w.x)), strip by strip: a strip's hidden values are 15 KB.
template <class T>
void feed_forward(const window_memory<T>& w, const s2_block& l, const block_weights<T>& b, T keep) {
  using P = simd::pack<T>;
  const index_t c = l.channels(), r = l.feed.hidden, strip = c * width<T>;
  if (keep == 0) return;
  normalise(w.n, w.rstd, w.x, c, l.grid.tokens() / width<T>);
  for (index_t k = 0; k < c; ++k) w.bias[k] = keep * b.down.bias[k];
  for (index_t i = 0; i < l.grid.tokens() / width<T>; ++i) {
    multiply(rows<T>{w.hidden, 0}, rows<const T>{w.n + i * strip, 0}, b.up.panel, b.up.bias, c, r, 1);
    const auto factor = P::all(keep);
    constexpr index_t lanes = P::lanes;
    for (index_t j = 0; j < r; j += 2) {
      T* h = w.hidden + j * 2 * lanes;
      const bool pair = j + 1 < r;
      std::array<typename P::type, 4> g{P::load(h), P::load(h + lanes), pair ? P::load(h + 2 * lanes) : factor,
                                        pair ? P::load(h + 3 * lanes) : factor};
      g = simd::gelu<T>(g);
      if (keep != 1)
        for (auto& one : g) one = one * factor;
      P::store(h, g[0]), P::store(h + lanes, g[1]);
      if (pair) P::store(h + 2 * lanes, g[2]), P::store(h + 3 * lanes, g[3]);
    }
    multiply<true>(rows<T>{w.x + i * strip, 0}, rows<const T>{w.hidden, 0}, b.down.panel, w.bias, r, c, 1);
  }
}

}  // namespace unmask::inline UNMASK_ABI::strip
