#pragma once

/// Gradients of a block's folded weights, and the chain rule back to its parameters (block_weights.hpp folds them).

#include "../../linear.hpp"
#include "block_weights.hpp"

namespace unmask::inline UNMASK_ABI::strip {

/// Hands out consecutive pieces of one buffer, or counts them.
template <class T>
struct piece_binder {
  T* at;
  index_t used = 0;
  T* take(index_t n) {
    T* p = at ? at + used : nullptr;
    used += n;
    return p;
  }
};

/// Rows are the map's rows on strips (outputs of `in`, inputs of `out`), columns the other side on lanes.
template <class T>
struct step_gradients {
  T *in, *in_bias, *out, *out_bias[2], *position, *rescale, *first, *second;

  static index_t bind(step_gradients& g, T* block, const s2_block& l, const step_weights<T>& s) {
    const index_t c = l.channels(), ld = padded<T>(c), n = l.grid.tokens();
    piece_binder<T> b{block};
    g.in = b.take(s.in.outputs * ld);
    g.in_bias = b.take(s.in.outputs);
    g.out = b.take(s.out.inputs * ld);
    for (T*& bias : g.out_bias) bias = b.take(c);
    g.position = b.take(s.step.has_spatial() ? l.spatial.heads * n * n : 0);
    g.rescale = b.take(s.step.has_spectral() ? l.spectral.heads() : 0);
    for (T** p : {&g.first, &g.second}) *p = b.take(s.step.has_spectral() ? 9 * c : 0);
    return b.used;
  }
};

template <class T>
struct feed_gradients {
  T *up, *up_bias, *down, *down_bias;

  static index_t bind(feed_gradients& g, T* block, const s2_block& l) {
    const index_t c = l.channels(), r = l.feed.hidden, ld = padded<T>(c);
    piece_binder<T> b{block};
    g.up = b.take(r * ld);
    g.up_bias = b.take(r);
    g.down = b.take(r * ld);
    g.down_bias = b.take(c);
    return b.used;
  }
};

/// Numbers of one chunk's gradients, whichever pass needs more.
template <class T>
index_t gradient_size(const s2_block& l, const block_weights<T>& w) {
  feed_gradients<T> f;
  index_t size = feed_gradients<T>::bind(f, nullptr, l);
  for (index_t i = 0; i < attention_step::count(l); ++i) {
    step_gradients<T> g;
    size = std::max(size, step_gradients<T>::bind(g, nullptr, l, w.steps[i]));
  }
  return size;
}

namespace detail {

/// The way back of fold_columns: rows [at, at + n) of dw [N][ld] and of its bias.
template <class T>
void unfold_columns(T* dw, T* db, norm_params<T> dnorm, const T* dfolded, const T* dbias, index_t ld,
                    const normed_columns<std::type_identity_t<T>>& m) {
  const T* const w = m.w;
  const norm_params<const T> norm = m.norm;
  const T scale = m.scale;
  const index_t from = m.from, n = m.n, ldw = m.ldw, c = m.c;
  for (index_t k = 0; k < c; ++k) {
    T dgain = 0, dshift = 0;
    for (index_t j = 0; j < n; ++j) {
      const index_t at = k * ldw + from + j;
      const T g = dfolded[j * ld + k] * scale, b = dbias[j] * scale;
      dw[at] += g * norm.weight[k] + b * norm.bias[k];
      dgain += g * w[at];
      dshift += b * w[at];
    }
    dnorm.weight[k] += dgain;
    dnorm.bias[k] += dshift;
  }
  if (db)
    for (index_t j = 0; j < n; ++j) db[from + j] += dbias[j] * scale;
}

/// A branch's projection and its half of reduce (or null).
template <class T>
struct branch_projection {
  T *weight, *bias, *reduce;
};

/// The way back of fold_projection; `turned` C C numbers of scratch.
template <class T>
void unfold_projection(branch_projection<T> d, const T* dfolded, index_t ld, const T* dbias,
                       branch_projection<const T> p, T* turned, index_t c) {
  T *const dproj = d.weight, *const dproj_bias = d.bias, *const dreduce = d.reduce;
  const T *const proj = p.weight, *const proj_bias = p.bias, *const reduce = p.reduce;
  if (!reduce) {
    for (index_t k = 0; k < c; ++k)
      for (index_t j = 0; j < c; ++j) dproj[k * c + j] += dfolded[k * ld + j];
    for (index_t j = 0; j < c; ++j) dproj_bias[j] += dbias[j];
    return;
  }
  transpose(turned, c, reduce, c, c, c);
  multiply_add(cpu{}, {dproj, c}, rows_of(dfolded, ld), {turned, c}, {c, c, c});
  multiply_add(cpu{}, {dproj_bias, c}, rows_of(dbias, c), {turned, c}, {1, c, c});
  multiply_add(cpu{}, {dreduce, c}, transposed(proj, c), {dfolded, ld}, {c, c, c});
  for (index_t m = 0; m < c; ++m)
    for (index_t j = 0; j < c; ++j) dreduce[m * c + j] += proj_bias[m] * dbias[j];
}

}  // namespace detail

/// dp += what the summed gradients of one attention step say; scratch as fold_scratch.
template <class T>
void unfold_step(block_params<T>& dp, const step_gradients<T>& g, const step_weights<T>& s, const s2_block& l,
                 const block_params<const T>& p, T* scratch) {
  const index_t c = l.channels(), ld = padded<T>(c), n = l.grid.tokens();
  const bool concat = l.layout == arrangement::parallel_concat;
  if (s.step.has_spatial()) {
    const index_t which = s.step.spatial;
    const spatial_params<const T>& a = p.spatial[which];
    spatial_params<T>& d = dp.spatial[which];
    detail::unfold_columns<T>(d.qkv_weight, d.qkv_bias, d.norm, g.in, g.in_bias, ld,
                              {a.norm, a.qkv_weight, nullptr, detail::query_scale<T>(l), 0, c, 3 * c, c});
    detail::unfold_columns<T>(d.qkv_weight, d.qkv_bias, d.norm, g.in + c * ld, g.in_bias + c, ld,
                              {a.norm, a.qkv_weight, nullptr, T(1), c, 2 * c, 3 * c, c});
    detail::unfold_projection<T>({d.proj_weight, d.proj_bias, concat ? dp.reduce + which * c * c : nullptr}, g.out, ld,
                                 g.out_bias[0],
                                 {a.proj_weight, a.proj_bias, detail::half_of_reduce(l, p.reduce, which)}, scratch, c);
    const index_t heads = l.spatial.heads;
    for (index_t h = 0; h < heads; ++h)
      for (index_t q = 0; q < n; ++q)
        for (index_t k = 0; k < n; ++k)
          d.position_bias[relative_offset(q, k, l.spatial.side) * heads + h] +=
              g.position[h * n * n + q / width<T> * n * width<T> + k * width<T> + q % width<T>] * static_cast<T>(log2e);
  }
  if (s.step.has_spectral()) {
    const index_t which = s.step.spectral, at = s.step.spectral_in(c);
    const spectral_params<const T>& b = p.spectral[which];
    spectral_params<T>& d = dp.spectral[which];
    T* const dweights[] = {d.to_q, d.to_k, d.to_v};
    const T* const weights[] = {b.to_q, b.to_k, b.to_v};
    for (index_t i = 0; i < 3; ++i)
      detail::unfold_columns<T>(dweights[i], nullptr, d.norm, g.in + (at + i * c) * ld, g.in_bias + at + i * c, ld,
                                {b.norm, weights[i], nullptr, T(1), 0, c, c, c});
    const T *folded = g.out + s.step.spectral_out(c) * ld, *pos = folded + c * ld;
    T* dreduce = concat ? dp.reduce + which * c * c : nullptr;
    detail::unfold_projection<T>({d.proj_weight, d.proj_bias, dreduce}, folded, ld, g.out_bias[1],
                                 {b.proj_weight, b.proj_bias, detail::half_of_reduce(l, p.reduce, which)}, scratch, c);
    if (dreduce)
      for (index_t k = 0; k < c; ++k)
        for (index_t j = 0; j < c; ++j) dreduce[k * c + j] += pos[k * ld + j];
    for (index_t h = 0; h < l.spectral.heads(); ++h) d.rescale[h] += g.rescale[h];
    for (index_t i = 0; i < 9 * c; ++i) d.position0[i] += g.first[i], d.position2[i] += g.second[i];
  }
}

template <class T>
void unfold_feed(block_params<T>& dp, const feed_gradients<T>& g, const s2_block& l, const block_params<const T>& p) {
  const index_t c = l.channels(), r = l.feed.hidden, ld = padded<T>(c);
  ffn_params<T>& d = dp.feed;
  detail::unfold_columns<T>(d.fc1_weight, d.fc1_bias, d.norm, g.up, g.up_bias, ld,
                            {p.feed.norm, p.feed.fc1_weight, nullptr, T(1), 0, r, r, c});
  for (index_t j = 0; j < r; ++j)
    for (index_t k = 0; k < c; ++k) d.fc2_weight[j * c + k] += g.down[j * ld + k];
  for (index_t k = 0; k < c; ++k) d.fc2_bias[k] += g.down_bias[k];
}

}  // namespace unmask::inline UNMASK_ABI::strip
