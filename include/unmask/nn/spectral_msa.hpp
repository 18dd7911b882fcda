#pragma once

/// Spectral multi-head self-attention behind its layer norm, one residual branch of a block (arXiv 2209.12075):
/// channels attend to channels, over the tokens of the whole image or of one (cyclically shifted) window.
///   forward   u = LN(x);  q, k, v = u W_q, u W_k, u W_v;  q, k (or as `effect` says) *= e;  per head A from
///             spectral_attention.hpp;  y = keep * (v A' W_p + b_p + dw2(GELU(dw1(u W_v))))
///   gradient  the same passes from the back
///   shapes    x, y, e [B, H, W, C]; W [C, C]; rescale [NH]; depthwise kernels [3, 3, C]; keep [B] or null
///   saved     x only
/// In a window the depthwise convolutions see that window with zeros around it; no shift mask is used (as released).

#include "spectral_pass.hpp"

namespace unmask::inline UNMASK_ABI {

template <class Backend, class T>
void spectral_forward(const Backend& be, const spectral_msa& l, const branch_images<T>& m,
                      const spectral_params<const T>& p, const batch_grid& s, const spectral_scratch<T>& scratch) {
  const index_t c = l.channels;
  each_part(be, s, l.scope, false, [&](const Backend& own, const token_part& part, int slot, index_t) {
    const spectral_tokens<T>& t = scratch.parts[slot];
    const T *const x = part_input(t.x, m.x, part, c), *const e = part_input(t.e, m.e, part, c);
    T* const to = part_output(t.out, m.y, part, c);
    detail::spectral_pass<Backend, T>{own, l, p, part, t, scratch.tiles + slot, x, e}.forward(
        to, {m.keep ? m.keep + part.image : nullptr, part.tokens_of_image()});
    part_store(m.y, to, part, c);
  });
}

/// Gradients of the parameters accumulate.
template <class Backend, class T>
void spectral_backward(const Backend& be, const spectral_msa& l, const branch_gradients<T>& m,
                       const spectral_params<T>& dp, const spectral_params<const T>& p, const batch_grid& s,
                       const spectral_scratch<T>& scratch) {
  const index_t c = l.channels;
  const auto copies = copies_for(be, l, dp, scratch.partials);
  const T* turned[3] = {};
  kernel<op::norm_project, Backend>::turn(be, turned, scratch.qkv_turned,
                                          qkv_params<const T>::matrices(p.norm, p.to_q, p.to_k, p.to_v, c), c);
  const T* const proj_turned = kernel<op::linear, Backend>::turn(be, scratch.proj_turned, p.proj_weight, c, c);
  copies.clear(be);
  each_part(be, s, l.scope, true, [&](const Backend& own, const token_part& part, int slot, index_t chunk) {
    const spectral_tokens<T>& t = scratch.parts[slot];
    const T *const x = part_input(t.x, m.x, part, c), *const e = part_input(t.e, m.e, part, c);
    const T *const dy = part_input(t.dr, m.dy, part, c), *const dr = m.keep ? t.dr : dy;
    parallel_tiles(own, part.tokens(), max_chunks, [&](index_t, index_t at, index_t count, int) {
      const kept_rows<T> keep{m.keep ? m.keep + part.image : nullptr, part.tokens_of_image(), at};
      kernel<op::keep, Backend>::backward(own, t.dr + at * c, dy + at * c, keep, row_sizes{count, c});
    });
    T *const dx = part_sum(t.dx, m.dx, part, c), *const de = part_sum(t.de, m.de, part, c);
    detail::spectral_pass<Backend, T>{own, l, p, part, t, scratch.tiles + slot, x, e}.backward(
        {dx, de, dr, copies, chunk, part.gathered() ? 1 : max_chunks, {turned[0], turned[1], turned[2]}, proj_turned});
    part_add(m.dx, dx, part, c);
    part_add(m.de, de, part, c);
  });
  copies.add(be);
}

}  // namespace unmask::inline UNMASK_ABI
