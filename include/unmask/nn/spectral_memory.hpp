#pragma once

/// What spectral attention works in. Tiles are what one thread has of 64 tokens (a device: of all of them), the rest is
/// what a part keeps between passes over its tokens.

#include "../core/arena.hpp"
#include "norm_project.hpp"
#include "positional_term.hpp"
#include "spectral_attention.hpp"

namespace unmask::inline UNMASK_ABI {

template <class T>
struct spectral_tile {
  T *u, *y;             ///< [tile, C]
  T *mean, *rstd;       ///< [tile]
  T* masked = nullptr;  ///< [tile, 3C] where a mask makes it another than qkv
  T *dy, *du;           ///< [tile, C], training only
  T* dqkv;              ///< [tile, 3C], training only
  T* work = nullptr;    ///< scratch of the operation at work

  template <class Backend>
  void carve(arena& a, const Backend& be, const spectral_msa& l, const batch_grid& s, bool training) {
    const index_t c = l.channels, n = tile_rows(be, part_tokens(be, s, l.scope));
    for (T** p : {&u, &y}) *p = a.take<T>(n * c);
    for (T** p : {&mean, &rstd}) *p = a.take<T>(n);
    if (l.effect != mask_effect::none) masked = a.take<T>(n * 3 * c);
    if (!training) return;
    for (T** p : {&dy, &du}) *p = a.take<T>(n * c);
    dqkv = a.take<T>(n * 3 * c);
    work = a.take<T>(std::max({kernel<op::norm_project, Backend>::scratch(be, n, c),
                               kernel<op::linear, Backend>::scratch(be, linear_sizes{n, c, c}),
                               kernel<op::positional_term, Backend>::scratch(be, c),
                               kernel<op::spectral_matrix, Backend>::scratch(be, l, s)}));
  }
};

/// N tokens of a part.
template <class T>
struct spectral_tokens {
  T *x = nullptr, *e = nullptr, *out = nullptr;   ///< [N, C] gathered input, embedding and branch
  T* qkv;                                         ///< [N, 3C] before the mask
  T *conv = nullptr, *active;                     ///< [N, C] first depthwise convolution (training), and its GELU
  T *sums, *matrices;                             ///< of spectral_sums and spectral_matrix
  T *dr = nullptr, *dx = nullptr, *de = nullptr;  ///< [N, C] training, the last two gathered
  T *dconv = nullptr, *gradients = nullptr;       ///< [N, C], of spectral_matrix; training

  template <class Backend>
  void carve(arena& a, const Backend& be, const spectral_msa& l, const batch_grid& s, bool training) {
    using matrix_kernel = kernel<op::spectral_matrix, Backend>;
    const index_t c = l.channels, n = part_tokens(be, s, l.scope);
    const bool gathered = gathers(be, l.scope);
    if (gathered)
      for (T** p : {&x, &e, &out}) *p = a.take<T>(n * c);
    qkv = a.take<T>(n * 3 * c);
    active = a.take<T>(n * c);
    sums = a.take<T>(kernel<op::spectral_sums, Backend>::room(l, s));
    matrices = a.take<T>(matrix_kernel::matrices(l, s));
    if (!training) return;
    for (T** p : {&conv, &dconv, &dr}) *p = a.take<T>(n * c);
    if (gathered)
      for (T** p : {&dx, &de}) *p = a.take<T>(n * c);
    gradients = a.take<T>(matrix_kernel::gradients(l, s));
  }
};

template <class T>
struct spectral_scratch {
  spectral_tile<T> tiles[max_threads] = {};
  spectral_tokens<T> parts[max_threads] = {};       ///< one a thread for windows, the first for an image
  T *qkv_turned = nullptr, *proj_turned = nullptr;  ///< from norm_project's and linear's `turn`
  T* partials = nullptr;                            ///< gradient_copies

  template <class Backend>
  void carve(arena& a, const Backend& be, const spectral_msa& l, const batch_grid& s, bool training) {
    const index_t c = l.channels;
    for (int slot = 0; slot < thread_slots(be); ++slot) tiles[slot].carve(a, be, l, s, training);
    for (int slot = 0; slot < part_slots(be, l.scope); ++slot) parts[slot].carve(a, be, l, s, training);
    if (!training) return;
    qkv_turned = a.take<T>(kernel<op::norm_project, Backend>::turned(c));
    proj_turned = a.take<T>(kernel<op::linear, Backend>::turned(c, c));
    partials = a.take<T>(gradient_room(be, l));
  }
};

}  // namespace unmask::inline UNMASK_ABI
