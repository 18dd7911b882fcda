#pragma once

/// Spectral attention of one set of tokens that form an h x w image: see spectral_msa.hpp for the mathematics.
/// Three passes forward (project and sum; depthwise convolutions; apply), the same over a window or a whole image.

#include "gelu.hpp"
#include "linear.hpp"
#include "spectral_attention.hpp"
#include "visit.hpp"

namespace unmask::inline UNMASK_ABI {

template <class T>
struct spectral_params {
  norm_params<T> norm;
  T *to_q, *to_k, *to_v, *rescale, *proj_weight, *proj_bias, *position0, *position2;
};

template <class Visitor, class T>
void visit_spectral(Visitor& v, const spectral_msa& l, const char* norm, const char* name, spectral_params<T>& p) {
  const index_t c = l.channels;
  visit_norm(v, norm, p.norm, c);
  v.enter(name);
  v(p.to_q, "to_q.weight", {c, c}, memory_order::reversed, initial::normal);
  v(p.to_k, "to_k.weight", {c, c}, memory_order::reversed, initial::normal);
  v(p.to_v, "to_v.weight", {c, c}, memory_order::reversed, initial::normal);
  v(p.rescale, "rescale", {l.heads()}, memory_order::plain, initial::one);
  v(p.proj_weight, "proj.weight", {c, c}, memory_order::reversed, initial::normal);
  v(p.proj_bias, "proj.bias", {c}, memory_order::plain, initial::zero);
  v(p.position0, "position.0.weight", {c, 1, 3, 3}, memory_order::reversed, initial::uniform, 9);
  v(p.position2, "position.2.weight", {c, 1, 3, 3}, memory_order::reversed, initial::uniform, 9);
  v.leave();
}

namespace detail {

/// The masked q, k, v of a tile, in t.masked.
template <class T>
void spectral_mask(const spectral_msa& l, const T* qkv, const T* e, index_t n, const spectral_tile<T>& t) {
  const index_t c = l.channels;
  const mask_effect parts[] = {mask_effect::q, mask_effect::k, mask_effect::v};
  for (index_t i = 0; i < 3; ++i)
    embed_forward(t.masked + i * c, 3 * c, qkv + i * c, 3 * c, affects(l.effect, parts[i]) ? e : nullptr, T(1), n, c);
}

/// s.qkv, the attention matrices and the depthwise part up to GELU.
template <class Backend, class T>
void spectral_prepare(const Backend& be, const spectral_msa& l, const T* x, const T* e,
                      const spectral_params<const T>& p, const spectral_set<T>& s, const spectral_tile<T>* tiles) {
  const index_t c = l.channels, d = l.width, n = s.tokens(), size = c * d + 2 * c;
  const index_t chunks = std::min(s.limit, (n + tile_tokens - 1) / tile_tokens);
  std::fill_n(s.sums, chunks * size, T(0));
  parallel_tiles(be, n, s.limit, [&](index_t chunk, index_t at, index_t count, int slot) {
    const spectral_tile<T>& t = tiles[slot];
    T* qkv = s.qkv + at * 3 * c;
    kernel<op::layer_norm, Backend>::forward(t.u, t.mean, t.rstd, x + at * c, p.norm, count, c);
    multiply(be, qkv, 3 * c, rows_of(t.u, c), p.to_q, c, count, c, c);
    multiply(be, qkv + c, 3 * c, rows_of(t.u, c), p.to_k, c, count, c, c);
    multiply(be, qkv + 2 * c, 3 * c, rows_of(t.u, c), p.to_v, c, count, c, c);
    spectral_mask(l, qkv, e ? e + at * c : nullptr, count, t);
    T *gram = s.sums + chunk * size, *squares = gram + c * d;
    for (index_t h = 0; h < c; h += d)
      multiply_add(be, gram + h * d, d, transposed(t.masked + c + h, 3 * c), t.masked + h, 3 * c, d, d, count);
    for (index_t i = 0; i < count; ++i)
      for (index_t k = 0; k < 2 * c; ++k) squares[k] += t.masked[i * 3 * c + k] * t.masked[i * 3 * c + k];
  });
  spectral_attention_forward(be, l, p.rescale, chunks, s);
  kernel<op::depthwise3x3, Backend>::forward(be, s.conv, s.qkv + 2 * c, 3 * c, p.position0, s.height, s.width, c);
  parallel_for(be, s.height, [&](index_t h, int) {
    kernel<op::gelu, Backend>::forward(s.gelu + h * s.width * c, s.conv + h * s.width * c, s.width * c);
  });
}

}  // namespace detail

/// r[N, C] = keep * branch(x); x, r, e [N, C].
template <class Backend, class T>
void spectral_set_forward(const Backend& be, const spectral_msa& l, T* r, const T* x, const T* e, T keep,
                          const spectral_params<const T>& p, const spectral_set<T>& s, const spectral_tile<T>* tiles) {
  const index_t c = l.channels, d = l.width;
  detail::spectral_prepare(be, l, x, e, p, s, tiles);
  kernel<op::depthwise3x3, Backend>::forward(be, r, s.gelu, c, p.position2, s.height, s.width, c);
  parallel_tiles(be, s.tokens(), max_chunks, [&](index_t, index_t at, index_t count, int slot) {
    const spectral_tile<T>& t = tiles[slot];
    detail::spectral_mask(l, s.qkv + at * 3 * c, e ? e + at * c : nullptr, count, t);
    for (index_t h = 0; h < c; h += d)
      multiply(be, t.y + h, c, rows_of(t.masked + 2 * c + h, 3 * c), s.turned + h * d, d, count, d, d);
    T* to = r + at * c;
    multiply_add(be, to, c, rows_of(t.y, c), p.proj_weight, c, count, c, c);
    for (index_t i = 0; i < count; ++i)
      for (index_t k = 0; k < c; ++k) to[i * c + k] = (to[i * c + k] + p.proj_bias[k]) * keep;
  });
}

/// dr [N, C] is the gradient of the branch before `keep`; dx and de accumulate; `turned` holds W_q', W_k', W_v', W_p'.
template <class Backend, class T>
void spectral_set_backward(const Backend& be, const spectral_msa& l, T* dx, T* de, chunk_buffers<T> grads, const T* dr,
                           const T* x, const T* e, const spectral_params<const T>& p, const T* qkv_turned,
                           const T* proj_turned, const spectral_set<T>& s, const spectral_tile<T>* tiles) {
  const index_t c = l.channels, d = l.width, n = s.tokens();
  const auto bind = [&](index_t chunk) {
    spectral_params<T> g{};
    parameter_binder<T> binder(grads.first + chunk * grads.stride);
    visit_spectral(binder, l, "", "", g);
    return g;
  };
  const spectral_params<T> first = bind(0);
  detail::spectral_prepare(be, l, x, e, p, s, tiles);
  // positional term, from the back: depthwise, GELU, depthwise
  kernel<op::depthwise3x3, Backend>::backward(be, s.dconv, {first.position2, grads.stride, grads.limit}, dr, s.gelu, c,
                                              p.position2, s.height, s.width, c);
  parallel_for(be, s.height, [&](index_t h, int) {
    T* row = s.dconv + h * s.width * c;
    kernel<op::gelu, Backend>::backward(row, row, s.conv + h * s.width * c, s.width * c);
  });
  kernel<op::depthwise3x3, Backend>::backward(be, s.dv, {first.position0, grads.stride, grads.limit}, s.dconv,
                                              s.qkv + 2 * c, 3 * c, p.position0, s.height, s.width, c);
  // dA = sum over tokens of dy v'
  const index_t chunks = std::min(s.limit, (n + tile_tokens - 1) / tile_tokens);
  std::fill_n(s.sums, chunks * c * d, T(0));
  parallel_tiles(be, n, s.limit, [&](index_t chunk, index_t at, index_t count, int slot) {
    const spectral_tile<T>& t = tiles[slot];
    detail::spectral_mask(l, s.qkv + at * 3 * c, e ? e + at * c : nullptr, count, t);
    linear_backward_input(be, t.dy, c, dr + at * c, c, proj_turned, count, c, c);
    for (index_t h = 0; h < c; h += d)
      multiply_add(be, s.sums + chunk * c * d + h * d, d, transposed(t.dy + h, c), t.masked + 2 * c + h, 3 * c, d, d,
                   count);
  });
  spectral_attention_backward(be, l, first.rescale, p.rescale, chunks, s);
  parallel_tiles(be, n, grads.limit, [&](index_t chunk, index_t at, index_t count, int slot) {
    const spectral_tile<T>& t = tiles[slot];
    const spectral_params<T> g = bind(chunk);
    const T *q = t.masked, *k = q + c, *v = k + c, *drow = dr + at * c, *factor = e ? e + at * c : nullptr;
    T *dq = t.dqkv, *dk = dq + c, *dv = dk + c;
    kernel<op::layer_norm, Backend>::forward(t.u, t.mean, t.rstd, x + at * c, p.norm, count, c);
    detail::spectral_mask(l, s.qkv + at * 3 * c, factor, count, t);
    linear_backward_input(be, t.dy, c, drow, c, proj_turned, count, c, c);
    for (index_t h = 0; h < c; h += d) {
      multiply(be, t.y + h, c, rows_of(v + h, 3 * c), s.turned + h * d, d, count, d, d);
      multiply(be, dv + h, 3 * c, rows_of(t.dy + h, c), s.attention + h * d, d, count, d, d);
      multiply(be, dq + h, 3 * c, rows_of(k + h, 3 * c), s.dq_from_k + h * d, d, count, d, d);
      multiply(be, dk + h, 3 * c, rows_of(q + h, 3 * c), s.dk_from_q + h * d, d, count, d, d);
    }
    linear_backward_parameters(be, g.proj_weight, g.proj_bias, drow, c, t.y, c, count, c, c);
    for (index_t i = 0; i < count; ++i)
      for (index_t j = 0; j < c; ++j) {
        dq[i * 3 * c + j] += q[i * 3 * c + j] * s.dq_scale[j];
        dk[i * 3 * c + j] += k[i * 3 * c + j] * s.dk_scale[j];
      }
    const mask_effect parts[] = {mask_effect::q, mask_effect::k, mask_effect::v};
    for (index_t i = 0; i < 3; ++i) {
      const bool masked = factor && affects(l.effect, parts[i]);
      embed_backward(t.dqkv + i * c, 3 * c, masked ? de + at * c : nullptr, s.qkv + at * 3 * c + i * c, 3 * c,
                     masked ? factor : nullptr, T(1), count, c);
    }
    for (index_t i = 0; i < count; ++i)
      for (index_t j = 0; j < c; ++j) dv[i * 3 * c + j] += s.dv[(at + i) * c + j];
    T* const weights[] = {g.to_q, g.to_k, g.to_v};
    for (index_t i = 0; i < 3; ++i) {
      linear_backward_parameters(be, weights[i], static_cast<T*>(nullptr), t.dqkv + i * c, 3 * c, t.u, c, count, c, c);
      kernel<op::matmul, Backend>::forward(t.du, c, rows_of(static_cast<const T*>(t.dqkv + i * c), 3 * c),
                                           qkv_turned + i * c * c, c, count, c, c, i > 0);
    }
    kernel<op::layer_norm, Backend>::backward(dx + at * c, g.norm, t.du, x + at * c, p.norm, t.mean, t.rstd, count, c);
  });
}

}  // namespace unmask::inline UNMASK_ABI
