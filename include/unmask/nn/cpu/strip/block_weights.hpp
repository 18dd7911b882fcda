#pragma once

/// A block's weights as the fused passes read them, and the way back for gradients.
///   norm and linear   W' = s diag(g) W,  b' = s (b' W + b): layer norm leaves only (x - mean) / deviation, and q's
///   scale
///                     and log2 e (softmax is a power of two here) are part of the weights
///   out and reduce    W_p W_r is one matrix, exact and 10 % of a block's work less
/// Gradients are collected for the folded weights and unfolded once a block and step by the chain rule.

#include "../../s2_block_parts.hpp"
#include "mask_values.hpp"

namespace unmask::inline UNMASK_ABI::strip {

inline constexpr double log2e = 1.44269504088896340736;

template <class T>
struct linear_panels {
  index_t inputs, outputs;
  T *panel, *bias;

  void carve(arena& a, index_t k, index_t n) {
    inputs = k, outputs = n;
    panel = a.take<T>(k * n);
    bias = a.take<T>(n);
  }
  index_t size() const { return inputs * outputs; }
  /// w [K, N] row-major.
  void pack(const T* w) const { pack_panel(panel, w, outputs, 1, inputs, outputs); }
};

/// The maps into and out of a pass as its backward pass reads them: outputs to inputs. One block's at a time, for all
/// of them would be 6 MB of the full network's weights once more.
template <class T>
struct turned_panels {
  T *in, *out;
  turned_panels(T* memory, const linear_panels<T>& into, const linear_panels<T>& out_of)
      : in(memory), out(memory + into.size()) {
    turn_panel(in, into.panel, into.inputs, into.outputs);
    turn_panel(out, out_of.panel, out_of.inputs, out_of.outputs);
  }
};

/// One attention step of a block: both branches where they are parallel, else one.
struct attention_step {
  index_t spatial = -1, spectral = -1;  ///< number of the branch, or -1
  bool over_image = false;              ///< spectral attention sees the whole image (image_spectral.hpp)

  static index_t count(const s2_block& l) { return l.sequential() ? 2 : 1; }
  static attention_step of(const s2_block& l, index_t which) {
    attention_step s;
    s.over_image = l.spectral.scope == spectral_scope::image;
    for (index_t b = 0; b < l.branches(); ++b)
      if (!l.sequential() || b == which) (l.branch(b) == branch_kind::spatial ? s.spatial : s.spectral) = b;
    return s;
  }
  bool has_spatial() const { return spatial >= 0; }
  bool has_spectral() const { return spectral >= 0; }
  /// First rows in the buffer of q, k, v and in that of the branches' results; the positional term follows at + C.
  index_t spectral_in(index_t c) const { return has_spatial() ? 3 * c : 0; }
  index_t spectral_out(index_t c) const { return has_spatial() ? c : 0; }
  index_t inputs(index_t c) const { return (has_spatial() ? 3 * c : 0) + (has_spectral() && !over_image ? 3 * c : 0); }
  index_t outputs(index_t c) const { return (has_spatial() ? c : 0) + (has_spectral() ? 2 * c : 0); }
};

template <class T>
struct step_weights {
  attention_step step;
  linear_panels<T> in, out;
  T* out_bias[2];  ///< of the spatial and the spectral branch, apart for stochastic depth
  T* position;     ///< [NH][strip][key][S], times log2 e
  /// Spectral attention over the image: folded q, k, v [C, 3C] and their bias; the out matrix [.., C] as it was folded,
  /// of which an image replaces the attention's rows; that branch's bias.
  T *plain_qkv = nullptr, *plain_bias = nullptr, *plain_out = nullptr, *plain_out_bias = nullptr;
  T* value_panel = nullptr;  ///< v alone

  void carve(arena& a, const s2_block& l, attention_step s) {
    const index_t c = l.channels(), n = l.spatial.tokens();
    step = s;
    in.carve(a, c, step.inputs(c));
    out.carve(a, step.outputs(c), c);
    for (T*& bias : out_bias) bias = a.take<T>(c);
    position = step.has_spatial() ? a.take<T>(l.spatial.heads * n * n) : nullptr;
    if (!step.over_image || !step.has_spectral()) return;
    plain_qkv = a.take<T>(3 * c * c);
    plain_bias = a.take<T>(3 * c);
    plain_out = a.take<T>(step.outputs(c) * c);
    plain_out_bias = a.take<T>(c);
    value_panel = a.take<T>(c * c);
  }
};

template <class T>
struct block_weights {
  step_weights<T> steps[2];
  linear_panels<T> up, down;
  mask_weights<T> spatial_mask, spectral_mask;

  void carve(arena& a, const s2_block& l, index_t batch) {
    const index_t c = l.channels();
    for (index_t i = 0; i < attention_step::count(l); ++i) steps[i].carve(a, l, attention_step::of(l, i));
    up.carve(a, c, l.feed.hidden);
    down.carve(a, l.feed.hidden, c);
    if (l.embeds_spatial()) spatial_mask.carve(a, c, batch * l.grid.height);
    if (l.embeds_spectral()) spectral_mask.carve(a, c, batch * l.grid.height);
  }
  /// Numbers of the widest pass's turned_panels.
  index_t turned_size(const s2_block& l) const {
    index_t size = up.size() + down.size();
    for (index_t i = 0; i < attention_step::count(l); ++i)
      size = std::max(size, steps[i].in.size() + steps[i].out.size());
    return size;
  }
};

/// Numbers of scratch that `fold_block` needs.
inline index_t fold_scratch(const s2_block& l) {
  const index_t c = l.channels();
  return 6 * c * c + 3 * c * c + c * l.feed.hidden;
}

namespace detail {

/// Columns [from, from + n) of W [C, ldw], and of its bias (or null), behind a norm and times a factor.
template <class T>
struct normed_columns {
  norm_params<const T> norm;
  const T *w, *b;
  T scale;
  index_t from, n, ldw, c;
};

/// The folded matrix `to` [C][ld] and its bias.
template <class T>
void fold_columns(T* to, T* bias, index_t ld, const normed_columns<std::type_identity_t<T>>& m) {
  const T *const w = m.w, *const b = m.b;
  const norm_params<const T> norm = m.norm;
  const T scale = m.scale;
  const index_t from = m.from, n = m.n, ldw = m.ldw, c = m.c;
  for (index_t j = 0; j < n; ++j) bias[j] = b ? b[from + j] : T(0);
  for (index_t k = 0; k < c; ++k)
    for (index_t j = 0; j < n; ++j) {
      const T one = w[k * ldw + from + j];
      to[k * ld + j] = one * norm.weight[k] * scale;
      bias[j] += norm.bias[k] * one;
    }
  for (index_t j = 0; j < n; ++j) bias[j] *= scale;
}

template <class T>
T query_scale(const s2_block& l) {
  return l.spatial.template scale<T>() * static_cast<T>(log2e);
}

/// w[C][C] = proj R (or proj), bias = proj's bias times R; R [C, C] the branch's half of reduce, or null.
template <class T>
void fold_projection(T* w, T* bias, const T* proj, const T* proj_bias, const T* reduce, index_t c) {
  if (!reduce) {
    std::copy_n(proj, c * c, w);
    std::copy_n(proj_bias, c, bias);
    return;
  }
  multiply(cpu{}, {w, c}, rows_of(proj, c), {reduce, c}, {c, c, c});
  multiply(cpu{}, {bias, c}, rows_of(proj_bias, c), {reduce, c}, {1, c, c});
}

template <class T>
const T* half_of_reduce(const s2_block& l, const T* reduce, index_t which) {
  return l.layout == arrangement::parallel_concat ? reduce + which * l.channels() * l.channels() : nullptr;
}

template <class T>
void fold_step(const step_weights<T>& s, const s2_block& l, const block_params<const T>& p, T* scratch) {
  const index_t c = l.channels(), ld = s.in.outputs;
  const attention_step& step = s.step;
  T *in = scratch, *out = scratch + 6 * c * c;
  if (step.has_spatial()) {
    const spatial_params<const T>& a = p.spatial[step.spatial];
    fold_columns(in, s.in.bias, ld, {a.norm, a.qkv_weight, a.qkv_bias, query_scale<T>(l), 0, c, 3 * c, c});
    fold_columns(in + c, s.in.bias + c, ld, {a.norm, a.qkv_weight, a.qkv_bias, T(1), c, 2 * c, 3 * c, c});
    fold_projection(out, s.out_bias[0], a.proj_weight, a.proj_bias, half_of_reduce(l, p.reduce, step.spatial), c);
    const index_t n = l.spatial.tokens();
    for (index_t h = 0; h < l.spatial.heads; ++h)
      for (index_t q = 0; q < n; ++q)
        for (index_t k = 0; k < n; ++k)
          s.position[h * n * n + q / width<T> * n * width<T> + k * width<T> + q % width<T>] =
              a.position_bias[relative_offset(q, k, l.spatial.side) * l.spatial.heads + h] * static_cast<T>(log2e);
  }
  if (step.has_spectral()) {
    const spectral_params<const T>& b = p.spectral[step.spectral];
    const T* const weights[] = {b.to_q, b.to_k, b.to_v};
    const index_t at = step.spectral_in(c);
    for (index_t i = 0; i < 3; ++i)
      if (step.over_image)
        fold_columns(s.plain_qkv + i * c, s.plain_bias + i * c, 3 * c, {b.norm, weights[i], nullptr, T(1), 0, c, c, c});
      else
        fold_columns(in + at + i * c, s.in.bias + at + i * c, ld, {b.norm, weights[i], nullptr, T(1), 0, c, c, c});
    T *to = out + step.spectral_out(c) * c, *pos = to + c * c;
    const T* reduce = half_of_reduce(l, p.reduce, step.spectral);
    fold_projection(to, s.out_bias[1], b.proj_weight, b.proj_bias, reduce, c);
    std::fill_n(pos, c * c, T(0));
    if (reduce)
      std::copy_n(reduce, c * c, pos);
    else
      for (index_t k = 0; k < c; ++k) pos[k * c + k] = 1;
  }
  s.in.pack(in);
  s.out.pack(out);
  if (!s.plain_qkv) return;
  pack_panel(s.value_panel, s.plain_qkv + 2 * c, 3 * c, 1, c, c);
  std::copy_n(out, step.outputs(c) * c, s.plain_out);
  std::copy_n(s.out_bias[1], c, s.plain_out_bias);
}

}  // namespace detail

template <class T>
void fold_block(const block_weights<T>& w, const s2_block& l, const block_params<const T>& p, T* scratch) {
  const index_t c = l.channels(), r = l.feed.hidden;
  for (index_t i = 0; i < attention_step::count(l); ++i) detail::fold_step(w.steps[i], l, p, scratch);
  detail::fold_columns(scratch, w.up.bias, r, {p.feed.norm, p.feed.fc1_weight, p.feed.fc1_bias, T(1), 0, r, r, c});
  w.up.pack(scratch);
  w.down.pack(p.feed.fc2_weight);
  std::copy_n(p.feed.fc2_bias, c, w.down.bias);
}

}  // namespace unmask::inline UNMASK_ABI::strip
