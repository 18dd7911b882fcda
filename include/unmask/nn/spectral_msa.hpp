#pragma once

/// Spectral multi-head self-attention behind its layer norm, one residual branch of a block (arXiv 2209.12075):
/// channels attend to channels, over the tokens of the whole image or of one (cyclically shifted) window.
///   forward   u = LN(x);  q, k, v = u W_q, u W_k, u W_v;  q, k (or as `effect` says) *= e;  per head A from
///             spectral_attention.hpp;  y = keep * (v A' W_p + b_p + dw2(GELU(dw1(u W_v))))
///   gradient  spectral_set_backward, the same passes from the back
///   shapes    x, y, e [B, H, W, C]; W [C, C]; rescale [NH]; depthwise kernels [3, 3, C]; keep [B] or null
///   saved     x only
/// In a window the depthwise convolutions see that window with zeros around it; no shift mask is used (as released).

#include "spectral_core.hpp"
#include "window.hpp"

namespace unmask::inline UNMASK_ABI {

/// y = keep * branch(x): overwrites y. e may be null where `effect` is none.
template <class Backend, class T>
void spectral_forward(const Backend& be, const spectral_msa& l, T* y, const T* x, const T* e, const T* keep,
                      const spectral_params<const T>& p, index_t batch, const window_grid& grid,
                      const spectral_scratch<T>& scratch) {
  const index_t c = l.channels, image = grid.height * grid.width * c;
  if (l.scope == spectral_scope::image) {
    for (index_t b = 0; b < batch; ++b)
      spectral_set_forward(be, l, y + b * image, x + b * image, e ? e + b * image : nullptr, keep ? keep[b] : T(1), p,
                           scratch.sets[0], scratch.tiles);
    return;
  }
  parallel_for(be, batch * grid.windows(), [&](index_t i, int slot) {
    const index_t b = i / grid.windows(), window = i % grid.windows();
    const spectral_set<T>& s = scratch.sets[slot];
    gather_window(s.x, x + b * image, grid, window, c);
    if (e) gather_window(s.e, e + b * image, grid, window, c);
    spectral_set_forward(serial(be), l, s.out, s.x, e ? s.e : nullptr, keep ? keep[b] : T(1), p, s,
                         scratch.tiles + slot);
    scatter_window(y + b * image, s.out, T(1), grid, window, c);
  });
}

/// dx and de accumulate, gradients of the parameters accumulate. dy is the gradient of y = keep * branch.
template <class Backend, class T>
void spectral_backward(const Backend& be, const spectral_msa& l, T* dx, T* de, const spectral_params<T>& dp,
                       const T* dy, const T* x, const T* e, const T* keep, const spectral_params<const T>& p,
                       index_t batch, const window_grid& grid, const spectral_scratch<T>& scratch) {
  const index_t c = l.channels, pixels = grid.height * grid.width, image = pixels * c, size = l.parameters();
  transpose(scratch.qkv_turned, c, p.to_q, c, c, c);
  transpose(scratch.qkv_turned + c * c, c, p.to_k, c, c, c);
  transpose(scratch.qkv_turned + 2 * c * c, c, p.to_v, c, c, c);
  transpose(scratch.proj_turned, c, p.proj_weight, c, c, c);
  std::fill_n(scratch.partials, max_chunks * size, T(0));
  const auto scaled = [&](T* to, const T* from, index_t count, index_t b) {
    const T factor = keep ? keep[b] : T(1);
    for (index_t i = 0; i < count; ++i) to[i] = from[i] * factor;
  };
  if (l.scope == spectral_scope::image) {
    const spectral_set<T>& s = scratch.sets[0];
    for (index_t b = 0; b < batch; ++b) {
      parallel_tiles(be, pixels, max_chunks, [&](index_t, index_t at, index_t count, int) {
        scaled(s.dr + at * c, dy + b * image + at * c, count * c, b);
      });
      spectral_set_backward(be, l, dx + b * image, de ? de + b * image : nullptr, {scratch.partials, size, max_chunks},
                            s.dr, x + b * image, e ? e + b * image : nullptr, p, scratch.qkv_turned,
                            scratch.proj_turned, s, scratch.tiles);
    }
  } else {
    parallel_chunks(be, batch * grid.windows(), [&](index_t chunk, index_t begin, index_t end, int slot) {
      const spectral_set<T>& s = scratch.sets[slot];
      for (index_t i = begin; i < end; ++i) {
        const index_t b = i / grid.windows(), window = i % grid.windows();
        gather_window(s.x, x + b * image, grid, window, c);
        if (e) gather_window(s.e, e + b * image, grid, window, c);
        gather_window(s.out, dy + b * image, grid, window, c);
        scaled(s.dr, s.out, s.tokens() * c, b);
        std::fill_n(s.dx, s.tokens() * c, T(0));
        std::fill_n(s.de, s.tokens() * c, T(0));
        spectral_set_backward(serial(be), l, s.dx, s.de, {scratch.partials + chunk * size, size, 1}, s.dr, s.x,
                              e ? s.e : nullptr, p, scratch.qkv_turned, scratch.proj_turned, s, scratch.tiles + slot);
        scatter_add_window(dx + b * image, s.dx, grid, window, c);
        if (e && de) scatter_add_window(de + b * image, s.de, grid, window, c);
      }
    });
  }
  reduce_partials(be, dp.norm.weight, scratch.partials, max_chunks, size);
}

}  // namespace unmask::inline UNMASK_ABI
