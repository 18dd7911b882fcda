#pragma once

/// What spectral attention is made of, and the memory it works in.

#include "../core/arena.hpp"
#include "../parallel/parallel_for.hpp"
#include "depthwise3x3.hpp"
#include "mask_effect.hpp"

namespace unmask::inline UNMASK_ABI {

/// Which tokens spectral attention sees: the whole image (the released default) or one window (the paper's text).
enum class spectral_scope { image, window };

struct spectral_msa {
  index_t channels;  ///< C
  index_t width;     ///< D, channels of a head
  index_t side;      ///< M, for windows
  spectral_scope scope;
  mask_effect effect;

  index_t heads() const { return channels / width; }
  /// Norm, to_q, to_k, to_v, rescale, proj, two depthwise kernels.
  index_t parameters() const { return 2 * channels + 4 * channels * channels + channels + heads() + 18 * channels; }
};

/// One thread's tiles of up to `tile_tokens` tokens.
template <class T>
struct spectral_tile {
  T *u, *y;        ///< [tile, C]
  T *mean, *rstd;  ///< [tile]
  T* masked;       ///< [tile, 3C]
  T *dy, *du;      ///< [tile, C], training only
  T* dqkv;         ///< [tile, 3C], training only

  void carve(arena& a, index_t c, bool training) {
    for (T** p : {&u, &y}) *p = a.take<T>(tile_tokens * c);
    for (T** p : {&mean, &rstd}) *p = a.take<T>(tile_tokens);
    masked = a.take<T>(tile_tokens * 3 * c);
    if (!training) return;
    for (T** p : {&dy, &du}) *p = a.take<T>(tile_tokens * c);
    dqkv = a.take<T>(tile_tokens * 3 * c);
  }
};

/// Everything one set of tokens (a window or an image of h x w pixels) needs between its passes.
template <class T>
struct spectral_set {
  index_t height = 0, width = 0, limit = 0;  ///< pixels, and chunks of a reduction
  T *x, *e;                                  ///< [N, C] gathered window (window scope only)
  T* qkv;                                    ///< [N, 3C] before the mask
  T *conv, *gelu;                            ///< [N, C] first depthwise convolution, and its GELU
  T* sums;                                   ///< [limit, C D + 2 C]: k'q of every head, squares of q, squares of k
  T *unit, *attention, *turned;              ///< [C, D]: normalised k'q, A, A' of every head
  T* norms;                                  ///< [2, C]: lengths of q and k
  T *out, *dr, *dx, *de;                     ///< [N, C] window scope, the last three training only
  T *dconv, *dv;                             ///< [N, C] training
  T *dq_from_k, *dk_from_q;                  ///< [C, D] training: matrices of the normalisation's gradient
  T *dq_scale, *dk_scale;                    ///< [C] training: its diagonal part

  index_t tokens() const { return height * width; }

  void carve(arena& a, const spectral_msa& l, index_t h, index_t w, bool training) {
    const index_t c = l.channels, d = l.width, n = h * w;
    const bool window = l.scope == spectral_scope::window;
    height = h, width = w, limit = window ? 1 : max_chunks;
    if (window)
      for (T** p : {&x, &e, &out}) *p = a.take<T>(n * c);
    qkv = a.take<T>(n * 3 * c);
    for (T** p : {&conv, &gelu}) *p = a.take<T>(n * c);
    sums = a.take<T>(limit * (c * d + 2 * c));
    for (T** p : {&unit, &attention, &turned}) *p = a.take<T>(c * d);
    norms = a.take<T>(2 * c);
    if (!training) return;
    if (window)
      for (T** p : {&dr, &dx, &de}) *p = a.take<T>(n * c);
    else
      dr = a.take<T>(n * c);
    for (T** p : {&dconv, &dv}) *p = a.take<T>(n * c);
    for (T** p : {&dq_from_k, &dk_from_q}) *p = a.take<T>(c * d);
    for (T** p : {&dq_scale, &dk_scale}) *p = a.take<T>(c);
  }
};

template <class T>
struct spectral_scratch {
  spectral_tile<T> tiles[max_threads] = {};
  spectral_set<T> sets[max_threads] = {};           ///< one a thread for windows, the first for an image
  T *qkv_turned = nullptr, *proj_turned = nullptr;  ///< [3, C, C], [C, C]
  T* partials = nullptr;                            ///< [max_chunks, parameters]

  template <class Backend>
  void carve(arena& a, const Backend& be, const spectral_msa& l, index_t height, index_t width, bool training) {
    const index_t c = l.channels;
    const bool window = l.scope == spectral_scope::window;
    for (int slot = 0; slot < thread_slots(be); ++slot) {
      tiles[slot].carve(a, c, training);
      if (window) sets[slot].carve(a, l, l.side, l.side, training);
    }
    if (!window) sets[0].carve(a, l, height, width, training);
    if (!training) return;
    qkv_turned = a.take<T>(3 * c * c);
    proj_turned = a.take<T>(c * c);
    partials = a.take<T>(max_chunks * l.parameters());
  }
};

}  // namespace unmask::inline UNMASK_ABI
