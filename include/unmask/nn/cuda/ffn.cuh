#pragma once

/// Feed-forward part. Forward, one kernel for up to 64 channels: a block keeps 128 tokens, normalises them, and goes
/// through the hidden channels 64 at a time, which never leave shared memory: an image is read and written once.
/// The gradient is one kernel and a layer norm's. More channels go through memory, 16384 tokens at a time.

#include "../ffn.hpp"
#include "ffn_gradient.cuh"
#include "image_ops.cuh"
#include "layer_norm.cuh"

namespace unmask::inline UNMASK_ABI {

namespace detail {

template <class Math>
struct ffn_body {
  using T = typename Math::number;
  using element = typename Math::element;
  static constexpr int threads = sizeof(T) == 4 ? 256 : 128, rows = threads / 2;
  static constexpr int depth = tile_cols, lda = depth + Math::padding;
  T* y;
  const T *x, *keep;
  ffn_params<const T> p;
  index_t n, pixels;  ///< tokens of all images and of one
  int channels, hidden;

  static constexpr std::size_t shared() {
    return 2 * shared_bytes<element>(rows * lda) + 2 * shared_bytes<element>(depth * tile_ldb);
  }

  template <class Thread>
  UNMASK_DEVICE void operator()(Thread& t) const {
    static_assert(shared() <= most_shared_bytes);
    element* const normal = t.template shared<element>(rows * lda);
    element* const active = t.template shared<element>(rows * lda);
    element* const first = t.template shared<element>(depth * tile_ldb);
    element* const second = t.template shared<element>(depth * tile_ldb);
    const index_t at = t.block() * rows;
    const int deep = rounded(channels, Math::step);
    normalise(t, normal, at, deep);
    tile<Math> inner, sum;
    sum.clear();
    for (int h = 0; h < hidden; h += depth) {
      const int used = hidden - h < depth ? hidden - h : depth, deep_hidden = rounded(used, Math::step);
      load_b<Math>(t, first, p.fc1_weight, hidden, channels, h, hidden, deep);
      load_b<Math>(t, second, p.fc2_weight + index_t(h) * channels, channels, used, 0, channels, deep_hidden);
      t.sync();
      inner.clear();
      inner.multiply(
          t, [normal](int r) { return normal + r * lda; }, first, deep);
      inner.each(t, [&](int r, int j, T value) {
        active[r * lda + j] = Math::store(j < used ? gelu_value(value + p.fc1_bias[h + j]) : T(0));
      });
      t.sync();
      sum.multiply(
          t, [active](int r) { return active + r * lda; }, second, deep_hidden);
      t.sync();
    }
    sum.each(t, [&](int r, int k, T value) {
      if (at + r >= n || k >= channels) return;
      const index_t i = (at + r) * channels + k;
      const T factor = keep ? keep[(at + r) / pixels] : T(1);
      y[i] = x[i] + factor * (value + p.fc2_bias[k]);
    });
  }

 private:
  /// A warp a row; rows and channels that do not exist are zero.
  template <class Thread>
  UNMASK_DEVICE void normalise(Thread& t, element* to, index_t at, int deep) const {
    for (int r = t.warp(); r < rows; r += threads / warp_size) {
      const bool exists = at + r < n;
      const T* from = x + (exists ? at + r : 0) * channels;
      T mean, rstd;
      row_moments(t, from, channels, mean, rstd);
      for (int k = t.lane(); k < deep; k += warp_size)
        to[r * lda + k] =
            Math::store(exists && k < channels ? (from[k] - mean) * rstd * p.norm.weight[k] + p.norm.bias[k] : T(0));
    }
  }
};

/// to = from * keep of the image it belongs to; row 0 is token `at` of the batch.
template <class T>
struct keep_rows_each {
  T* to;
  const T *from, *keep;
  index_t at, pixels, c;
  UNMASK_DEVICE void operator()(index_t row, int k) const {
    to[row * c + k] = keep ? from[row * c + k] * keep[(at + row) / pixels] : from[row * c + k];
  }
};
template <class T>
struct add_kept_each {
  T* y;
  const T *x, *branch, *keep;
  index_t at, pixels, c;
  UNMASK_DEVICE void operator()(index_t row, int k) const {
    const T value = branch[row * c + k];
    y[row * c + k] = x[row * c + k] + (keep ? value * keep[(at + row) / pixels] : value);
  }
};

/// GELU, and its slope where its argument was: the backward pass needs both.
template <class T>
struct gelu_and_slope_each {
  T *active, *inner;
  UNMASK_DEVICE void operator()(index_t i) const {
    const T x = inner[i];
    active[i] = gelu_value(x);
    inner[i] = gelu_slope(x);
  }
};
template <class T>
struct times_each {
  T* x;
  const T* y;
  UNMASK_DEVICE void operator()(index_t i) const { x[i] *= y[i]; }
};

/// Tokens that go through memory together: enough for every block of a GPU, few enough for 240 hidden channels of them
/// (16 MB) to be in L2 when they are read again.
inline constexpr index_t ffn_slice = 16384;

/// body(first token, tokens) over slices of `rows` tokens, one after the other.
template <class Body>
void each_slice(index_t n, index_t rows, Body&& body) {
  for (index_t at = 0; at < n; at += rows) body(at, n - at < rows ? n - at : rows);
}

/// t.inner = LN(x) W1 + b1, with t.u, t.mean and t.rstd.
template <class T>
void ffn_inner(const cuda& be, const ffn& l, const T* x, const ffn_params<const T>& p, index_t n,
               const ffn_tile<T>& t) {
  kernel<op::layer_norm, cuda>::forward(be, t.u, t.mean, t.rstd, x, p.norm, n, l.channels);
  linear_forward(be, t.inner, l.hidden, static_cast<const T*>(t.u), l.channels, p.fc1_weight, p.fc1_bias, n, l.channels,
                 l.hidden);
}

}  // namespace detail

/// Inference in one kernel keeps nothing.
inline index_t ffn_rows(const cuda&, const ffn& l, bool training) {
  return training || l.channels > detail::tile_cols ? detail::ffn_slice : 0;
}

template <std::same_as<cuda> Backend, class T>
void ffn_forward(const Backend& be, const ffn& l, T* y, const T* x, const T* keep, const ffn_params<const T>& p,
                 index_t batch, index_t pixels, const ffn_scratch<T>& scratch) {
  const index_t c = l.channels, n = batch * pixels;
  if (c <= detail::tile_cols)
    return detail::with_math<T>(be, [&](auto math) {
      using body = detail::ffn_body<decltype(math)>;
      launch(be, blocks_for(n, body::rows), body::shared(),
             body{y, x, keep, p, n, pixels, static_cast<int>(c), static_cast<int>(l.hidden)});
    });
  const ffn_tile<T>& t = scratch.tiles[0];
  detail::each_slice(n, detail::ffn_slice, [&](index_t at, index_t count) {
    detail::ffn_inner(be, l, x + at * c, p, count, t);
    kernel<op::gelu, cuda>::forward(be, t.active, static_cast<const T*>(t.inner), count * l.hidden);
    linear_forward(be, t.y, c, static_cast<const T*>(t.active), l.hidden, p.fc2_weight, p.fc2_bias, count, l.hidden, c);
    launch_rows(be, count, c, detail::add_kept_each<T>{y + at * c, x + at * c, t.y, keep, at, pixels, c});
  });
}

namespace detail {

/// Whether the gradient (of floats: nine tiles of doubles are more than shared memory holds) is one kernel, whose
/// blocks write where the hidden channels would lie.
inline bool fuses_gradient(const ffn& l) {
  return l.channels <= tile_cols && blocks_for(l.hidden, tile_cols) * l.channels <= l.hidden;
}

/// d is that of `count` tokens, the first of which is token `at` of the batch.
template <class T>
void ffn_backward_fused(const cuda& be, const ffn& l, T* d, const ffn_params<T>& dp, const T* x, const T* keep,
                        const ffn_params<const T>& p, index_t at, index_t count, index_t pixels,
                        const ffn_scratch<T>& scratch) {
  const index_t c = l.channels, r = l.hidden, size = count * c;
  const ffn_tile<T>& t = scratch.tiles[0];
  with_math<T>(be, [&](auto math) {
    using body = ffn_gradient_body<decltype(math)>;
    const index_t groups = std::min<index_t>(gradient_chunks(be) / 2, blocks_for(count, body::rows));
    const body work{t.inner,
                    t.mean,
                    t.rstd,
                    scratch.partials,
                    d,
                    x,
                    keep,
                    p,
                    at,
                    count,
                    pixels,
                    static_cast<int>(c),
                    static_cast<int>(r),
                    static_cast<int>(groups)};
    launch(be, groups * work.chunks(), body::shared(), work);
    launch_each(be, size, add_parts_each<T>{t.y, t.inner, work.chunks(), size});
    reduce_partials(be, dp.fc1_weight, static_cast<const T*>(scratch.partials), groups, 2 * c * r + r + c);
  });
  kernel<op::layer_norm, cuda>::backward(be, d, dp.norm, static_cast<const T*>(t.y), x, p.norm,
                                         static_cast<const T*>(t.mean), static_cast<const T*>(t.rstd), count, c,
                                         scratch.partials);
}

template <class T>
void ffn_backward_composed(const cuda& be, const ffn& l, T* d, const ffn_params<T>& dp, const T* x, const T* keep,
                           const ffn_params<const T>& p, index_t at, index_t count, index_t pixels,
                           const ffn_scratch<T>& scratch) {
  const index_t c = l.channels, r = l.hidden;
  const ffn_tile<T>& t = scratch.tiles[0];
  const auto read = [](T* from) { return static_cast<const T*>(from); };
  ffn_inner(be, l, x, p, count, t);
  launch_each(be, count * r, gelu_and_slope_each<T>{t.active, t.inner});
  launch_rows(be, count, c, keep_rows_each<T>{t.y, d, keep, at, pixels, c});
  linear_parameter_gradient(be, dp.fc2_weight, dp.fc2_bias, read(t.y), read(t.active), count, r, c, scratch.partials);
  linear_input_gradient(be, t.dinner, r, read(t.y), c, p.fc2_weight, count, r, c);
  launch_each(be, count * r, times_each<T>{t.dinner, t.inner});
  linear_parameter_gradient(be, dp.fc1_weight, dp.fc1_bias, read(t.dinner), read(t.u), count, c, r, scratch.partials);
  linear_input_gradient(be, t.y, c, read(t.dinner), r, p.fc1_weight, count, c, r);
  kernel<op::layer_norm, cuda>::backward(be, d, dp.norm, read(t.y), x, p.norm, read(t.mean), read(t.rstd), count, c,
                                         scratch.partials);
}

}  // namespace detail

/// Parameters of one layer are neighbours in memory, in the order of visit_ffn.
template <std::same_as<cuda> Backend, class T>
void ffn_backward(const Backend& be, const ffn& l, T* d, const ffn_params<T>& dp, const T* x, const T* keep,
                  const ffn_params<const T>& p, index_t batch, index_t pixels, const ffn_scratch<T>& scratch) {
  detail::each_slice(batch * pixels, detail::ffn_slice, [&](index_t at, index_t count) {
    const index_t from = at * l.channels;
    if constexpr (std::is_same_v<T, float>)
      if (detail::fuses_gradient(l))
        return detail::ffn_backward_fused(be, l, d + from, dp, x + from, keep, p, at, count, pixels, scratch);
    detail::ffn_backward_composed(be, l, d + from, dp, x + from, keep, p, at, count, pixels, scratch);
  });
}

}  // namespace unmask::inline UNMASK_ABI
