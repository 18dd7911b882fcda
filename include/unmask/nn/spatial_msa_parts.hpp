#pragma once

/// What windowed spatial attention is made of, and the memory it works in: a few tiles for each thread, small shared
/// tables, and (in training) one gradient buffer a chunk. None of it grows with the image.

#include <cmath>

#include "../core/arena.hpp"
#include "../parallel/parallel_for.hpp"
#include "conv3x3.hpp"
#include "mask_effect.hpp"
#include "window.hpp"

namespace unmask::inline UNMASK_ABI {

struct spatial_msa {
  index_t channels;  ///< C
  index_t heads;     ///< NH; D = C / NH
  index_t side;      ///< M
  mask_effect effect;

  index_t tokens() const { return side * side; }
  index_t width() const { return channels / heads; }
  template <class T>
  T scale() const {
    return 1 / std::sqrt(static_cast<T>(width()));
  }
  /// Norm, qkv, position bias, proj.
  index_t parameters() const {
    const index_t c = channels, span = 2 * side - 1;
    return 2 * c + 3 * c * c + 3 * c + span * span * heads + c * c + c;
  }
};

/// One thread's tiles; N tokens.
template <class T>
struct spatial_window {
  T *x, *e, *u, *y;  ///< [N, C] input, embedding, normalised input (later the branch), attention result
  T *mean, *rstd;    ///< [N]
  T *qkv, *masked;   ///< [N, 3C] before and after scale and mask
  T* scores;         ///< [N, N]
  T* turned;         ///< [D, N]
  T *dr, *dy, *de;   ///< [N, C], training only, as the rest
  T* dqkv;           ///< [N, 3C]
  T* dscores;        ///< [N, N]

  void carve(arena& a, const spatial_msa& l, bool training) {
    const index_t n = l.tokens(), c = l.channels;
    for (T** p : {&x, &e, &u, &y}) *p = a.take<T>(n * c);
    for (T** p : {&mean, &rstd}) *p = a.take<T>(n);
    for (T** p : {&qkv, &masked}) *p = a.take<T>(n * 3 * c);
    scores = a.take<T>(n * n);
    turned = a.take<T>(n * l.width());
    if (!training) return;
    for (T** p : {&dr, &dy, &de}) *p = a.take<T>(n * c);
    dqkv = a.take<T>(n * 3 * c);
    dscores = a.take<T>(n * n);
  }
};

template <class T>
struct spatial_scratch {
  spatial_window<T> windows[max_threads] = {};
  T* bias = nullptr;                                ///< [NH, N, N]
  T *qkv_turned = nullptr, *proj_turned = nullptr;  ///< [3C, C], [C, C]
  T* partials = nullptr;                            ///< [max_chunks, parameters]

  template <class Backend>
  void carve(arena& a, const Backend& be, const spatial_msa& l, bool training) {
    const index_t c = l.channels;
    for (int slot = 0; slot < thread_slots(be); ++slot) windows[slot].carve(a, l, training);
    bias = a.take<T>(l.heads * l.tokens() * l.tokens());
    if (!training) return;
    qkv_turned = a.take<T>(3 * c * c);
    proj_turned = a.take<T>(c * c);
    partials = a.take<T>(max_chunks * l.parameters());
  }
};

}  // namespace unmask::inline UNMASK_ABI
