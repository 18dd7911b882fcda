#pragma once

/// Gradient of the feed-forward part in one kernel, for up to 64 channels: a block takes a group of tokens and 64
/// hidden channels, computes those again, and keeps the gradients of its part of both matrices in registers while it
/// goes through its tokens, 64 at a time. What the hidden channels of a block add to the gradient of the normalised
/// tokens is written once; the parts of all blocks are added in order, as the groups' gradients are.

#include "../ffn.hpp"
#include "gelu.cuh"
#include "layer_norm.cuh"
#include "tile.cuh"

namespace unmask::inline UNMASK_ABI::detail {

template <class Math>
struct ffn_gradient_body {
  using T = typename Math::number;
  using element = typename Math::element;
  static constexpr int threads = 128, rows = threads / 2, depth = tile_cols, lda = depth + Math::padding;
  static constexpr int warps = threads / warp_size;
  T* parts;        ///< [hidden / 64, n, C]
  T *mean, *rstd;  ///< [n]
  T* partials;     ///< [groups, W1, b1, W2, b2]
  const T *d, *x;
  kept_rows<T> keep;
  ffn_params<const T> p;
  index_t n;
  int channels, hidden, groups;

  int chunks() const { return static_cast<int>(blocks_for(hidden, depth)); }
  static constexpr std::size_t shared() {
    return 4 * shared_bytes<element>(rows * lda) + 5 * shared_bytes<element>(depth * tile_ldb) +
           shared_bytes<T>(2 * threads);
  }

  template <class Thread>
  UNMASK_DEVICE void operator()(Thread& t) const {
    static_assert(shared() <= most_shared_bytes);
    memory m(t);
    const int chunk_count = (hidden + depth - 1) / depth, chunk = static_cast<int>(t.block()) % chunk_count,
              group = static_cast<int>(t.block()) / chunk_count, h = chunk * depth,
              used = hidden - h < depth ? hidden - h : depth;
    const int deep = rounded(channels, Math::step), deep_hidden = rounded(used, Math::step);
    load_weights(t, m, h, used, deep, deep_hidden);
    tile<Math> d_first, d_second, slope, inner;
    d_first.clear(), d_second.clear();
    T sums[4] = {};  // of this lane's two hidden channels, and of its two channels
    const index_t tiles = (n + rows - 1) / rows;
    for (index_t i = group * tiles / groups; i < (group + 1) * tiles / groups; ++i) {
      load_tokens(t, m, i * rows, deep, chunk == 0, sums + 2);
      t.sync();
      slope.clear();
      slope.multiply(
          t, [&](int r) { return m.normal + r * lda; }, m.first, deep);
      slope.map(t, [&](int r, int j, T value) {
        value += j < used ? p.fc1_bias[h + j] : T(0);
        m.active_turned[j * lda + r] = Math::store(gelu_value(value));
        return gelu_slope(value);
      });
      inner.clear();
      inner.multiply(
          t, [&](int r) { return m.dy + r * lda; }, m.second_turned, deep);
      inner.times(slope);
      t.sync();  // the normalised tokens are read: the hidden gradient takes their place
      inner.each(t, [&](int r, int j, T value) {
        m.normal[r * lda + j] = m.inner_b[Math::b_at(r, j, tile_ldb)] = Math::store(value);
      });
      t.sync();
      d_second.multiply(
          t, [&](int j) { return m.active_turned + j * lda; }, m.dy_b, rows);
      d_first.multiply(
          t, [&](int c) { return m.normal_turned + c * lda; }, m.inner_b, rows);
      inner.clear();
      inner.multiply(
          t, [&](int r) { return m.normal + r * lda; }, m.first_turned, deep_hidden);
      inner.each(t, [&](int r, int c, T value) {
        if (i * rows + r < n && c < channels) parts[(chunk * n + i * rows + r) * channels + c] = value;
      });
      for (int r = t.warp(); r < rows; r += warps)
        for (int k = 0; k < 2; ++k) sums[k] += Math::load(m.inner_b[Math::b_at(r, t.lane() + k * warp_size, tile_ldb)]);
      t.sync();
    }
    store_gradients(t, m, d_first, d_second, sums, group, h, used);
  }

 private:
  struct memory {
    element *normal, *normal_turned, *dy, *active_turned;            ///< [64, lda]; turned: tokens along the row
    element *dy_b, *inner_b, *first, *first_turned, *second_turned;  ///< [64, tile_ldb], right factors
    T* sums;                                                         ///< [2, threads]
    template <class Thread>
    UNMASK_DEVICE explicit memory(Thread& t) {
      for (element** a : {&normal, &normal_turned, &dy, &active_turned}) *a = t.template shared<element>(rows * lda);
      for (element** b : {&dy_b, &inner_b, &first, &first_turned, &second_turned})
        *b = t.template shared<element>(depth * tile_ldb);
      sums = t.template shared<T>(2 * threads);
    }
  };

  template <class Thread>
  UNMASK_DEVICE void load_weights(Thread& t, const memory& m, int h, int used, int deep, int deep_hidden) const {
    load_b<Math>(t, m.first, p.fc1_weight, hidden, channels, h, hidden, deep);
    for (int j = t.warp(); j < depth; j += warps)
      for (int c = t.lane(); c < depth; c += warp_size) {
        const bool exists = j < used && c < channels;
        if (j < deep_hidden)
          m.first_turned[Math::b_at(j, c, tile_ldb)] =
              Math::store(exists ? p.fc1_weight[index_t(c) * hidden + h + j] : T(0));
        if (c < deep)
          m.second_turned[Math::b_at(c, j, tile_ldb)] =
              Math::store(exists ? p.fc2_weight[index_t(h + j) * channels + c] : T(0));
      }
  }

  /// Normalised tokens and kept gradients, a warp a row; rows and channels that do not exist are zero.
  template <class Thread>
  UNMASK_DEVICE void load_tokens(Thread& t, const memory& m, index_t at, int deep, bool writes, T* sums) const {
    for (int r = t.warp(); r < rows; r += warps) {
      const bool exists = at + r < n;
      const index_t row = exists ? at + r : 0;
      const T *from = x + row * channels, *gradient = d + row * channels;
      const T factor = exists ? keep(row) : T(1);
      T average, scale;
      row_moments(t, from, channels, average, scale);
      if (writes && exists && t.lane() == 0) mean[row] = average, rstd[row] = scale;
      for (int k = 0; k < 2; ++k) {
        const int c = t.lane() + k * warp_size;
        const bool inside = exists && c < channels;
        const element normal =
            Math::store(inside ? (from[c] - average) * scale * p.norm.weight[c] + p.norm.bias[c] : T(0));
        const T g = inside ? gradient[c] * factor : T(0);
        sums[k] += g;
        m.normal_turned[c * lda + r] = normal;
        m.dy_b[Math::b_at(r, c, tile_ldb)] = Math::store(g);
        if (c < deep) m.normal[r * lda + c] = normal, m.dy[r * lda + c] = Math::store(g);
      }
    }
  }

  template <class Thread>
  UNMASK_DEVICE void store_gradients(Thread& t, const memory& m, const tile<Math>& d_first, const tile<Math>& d_second,
                                     const T* sums, int group, int h, int used) const {
    const index_t matrix = index_t(channels) * hidden;
    T* const first_weight = partials + group * (2 * matrix + hidden + channels);
    T *const first_bias = first_weight + matrix, *const second_weight = first_bias + hidden,
             *const second_bias = second_weight + matrix;
    d_first.each(t, [&](int c, int j, T value) {
      if (c < channels && j < used) first_weight[index_t(c) * hidden + h + j] = value;
    });
    d_second.each(t, [&](int j, int c, T value) {
      if (j < used && c < channels) second_weight[index_t(h + j) * channels + c] = value;
    });
    for (int which = 0; which < 2; ++which) {
      for (int k = 0; k < 2; ++k) m.sums[t.warp() * depth + t.lane() + k * warp_size] = sums[2 * which + k];
      t.sync();
      const int k = t.thread();
      T sum = 0;
      if (k < depth)
        for (int w = 0; w < warps; ++w) sum += m.sums[w * depth + k];
      if (which == 0 && k < used) first_bias[h + k] = sum;
      if (which == 1 && k < channels && h == 0) second_bias[k] = sum;
      t.sync();
    }
  }
};

/// y [size] = the sum of `parts` [chunks, size].
template <class T>
struct add_parts_each {
  T* y;
  const T* parts;
  int chunks;
  index_t size;
  UNMASK_DEVICE void operator()(index_t i) const {
    T sum = parts[i];
    for (int k = 1; k < chunks; ++k) sum += parts[k * size + i];
    y[i] = sum;
  }
};

}  // namespace unmask::inline UNMASK_ABI::detail
