#pragma once

/// What the kernels of a fused block do with a window in shared memory, part by part, and what they are told.

#include "../s2_block.hpp"
#include "window_spatial.cuh"
#include "window_spectral.cuh"

namespace unmask::inline UNMASK_ABI::detail {

template <class Math>
struct fused_parts {
  using T = typename Math::number;
  using element = typename Math::element;
  using memory = window_memory<Math>;
  using stream = tile_stream<Math>;

  T* y;
  const T *x, *spatial_e, *spectral_e, *keep;  ///< embeddings and keep may be null
  const element* tiles;
  const T* bias;
  block_params<const T> p;
  token_sets sets;
  int batch, channels, hidden, heads, spectral_width, spatial_effect, spectral_effect;
  T scale;

  constexpr index_t spatial_room() const { return window_spatial<Math>::room(sets, heads); }
  constexpr index_t spectral_room() const { return window_spectral<Math>::room(channels, spectral_width); }
  UNMASK_DEVICE int feed_tiles() const { return 2 * ((hidden + tile_cols - 1) / tile_cols); }

  /// The factor of a branch.
  UNMASK_DEVICE T kept(int window, int branch) const {
    return keep ? keep[branch * batch + window / sets.sets()] : T(1);
  }

  /// sum += a times the next tile of weights.
  template <class Thread>
  UNMASK_DEVICE void add_product(Thread& t, const memory& m, stream& weights, tile<Math>& sum, const element* a,
                                 int depth) const {
    weights.next(t);
    m.multiply(t, sum, a, depth);
  }

  /// out += spatial attention of x, through P_a R_a.
  template <class Thread>
  UNMASK_DEVICE void spatial(Thread& t, const memory& m, stream& weights, tile<Math>& out, int window) const {
    const window_spatial<Math> attention(t, m, p.spatial[0].position_bias, sets, window, channels, heads);
    m.load(t, x, sets, channels);
    m.normalise(t, p.spatial[0].norm, sets.tokens(), channels);
    for (int part = 0; part < 3; ++part)
      project(t, m, weights, masked(spatial_e, spatial_effect, part), part == 0 ? scale : T(1),
              p.spatial[0].qkv_bias + part * channels, [&](int row, int j, T value) {
                element* const to = memory::elements(part == 0 ? m.q : part == 1 ? m.k : m.v);
                to[part == 2 ? Math::b_at(row, j, tile_ldb) : row * memory::lda + j] = Math::store(value);
              });
    t.sync();
    attention.attend(t, m, kept(window, 0));
    add_product(t, m, weights, out, memory::elements(m.q), channels);
  }

  /// q, k and v of spectral attention. Ends with a barrier.
  template <class Thread>
  UNMASK_DEVICE void spectral_projections(Thread& t, const memory& m, stream& weights) const {
    m.load(t, x, sets, channels);
    m.normalise(t, p.spectral[1].norm, sets.tokens(), channels);
    for (int part = 0; part < 3; ++part)
      project(t, m, weights, masked(spectral_e, spectral_effect, part), T(1), nullptr, [&](int row, int j, T value) {
        (part == 0 ? m.q : part == 1 ? m.k : m.v)[row * memory::ldx + j] = value;
      });
    t.sync();
  }

  /// out += the two terms of spectral attention, from u and k, through P_b R_b and R_b.
  template <class Thread>
  UNMASK_DEVICE void spectral_products(Thread& t, const memory& m, stream& weights, tile<Math>& out) const {
    add_product(t, m, weights, out, m.u, channels);
    add_product(t, m, weights, out, memory::elements(m.k), channels);
  }

  /// x = image + out + the branches' bias times their factors. Ends with a barrier.
  template <class Thread>
  UNMASK_DEVICE void add_branches(Thread& t, const memory& m, const T* image, const tile<Math>& out, T first,
                                  T second) const {
    m.load(t, image, sets, channels);
    out.each(t, [&](int row, int j, T value) {
      if (j < channels) m.x[row * memory::ldx + j] += value + first * bias[j] + second * bias[channels + j];
    });
    t.sync();
  }

  /// x += factor * (GELU(LN(x) W1 + b1) W2 + b2), 64 hidden channels at a time. Ends with a barrier.
  template <class Thread>
  UNMASK_DEVICE void feed(Thread& t, const memory& m, stream& weights, tile<Math>& out, T factor) const {
    element* const active = memory::elements(m.q);
    m.normalise(t, p.feed.norm, sets.tokens(), channels);
    out.clear();
    for (int h = 0; h < hidden; h += tile_cols) {
      const int used = hidden - h < tile_cols ? hidden - h : tile_cols;
      tile<Math> inner;
      inner.clear();
      add_product(t, m, weights, inner, m.u, channels);
      inner.each(t, [&](int row, int j, T value) {
        active[row * memory::lda + j] = Math::store(j < used ? gelu_value(value + p.feed.fc1_bias[h + j]) : T(0));
      });
      add_product(t, m, weights, out, active, used);
    }
    out.each(t, [&](int row, int j, T value) {
      if (j < channels) m.x[row * memory::ldx + j] += factor * (value + p.feed.fc2_bias[j]);
    });
    t.sync();
  }

 private:
  static UNMASK_DEVICE const T* masked(const T* e, int effect, int part) {
    return (effect >> part & 1) != 0 ? e : nullptr;
  }

  /// body(row, column, (u w + bias) * factor * e), zero behind the channels; bias and e may be null.
  template <class Thread, class Body>
  UNMASK_DEVICE void project(Thread& t, const memory& m, stream& weights, const T* e, T factor, const T* row_bias,
                             const Body& body) const {
    tile<Math> sum;
    sum.clear();
    add_product(t, m, weights, sum, m.u, channels);
    sum.each(t, [&](int row, int j, T value) {
      if (j < channels) {
        if (row_bias) value += row_bias[j];
        value *= e && row < sets.tokens() ? e[index_t(m.pixel[row]) * channels + j] * factor : factor;
      }
      body(row, j, value);
    });
  }
};

}  // namespace unmask::inline UNMASK_ABI::detail
