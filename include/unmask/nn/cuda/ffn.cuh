#pragma once

/// Feed-forward part. Forward, one kernel for up to 64 channels: a block keeps 128 tokens, normalises them, and goes
/// through the hidden channels 64 at a time, which never leave shared memory: an image is read and written once.
/// The gradient is one kernel and a layer norm's. More channels go through memory, 16384 tokens at a time.

#include "../ffn.hpp"
#include "ffn_gradient.cuh"
#include "kept_rows.cuh"
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

/// Tokens that go through memory together: enough for every block of a GPU, few enough for 240 hidden channels of them
/// (16 MB) to be in L2 when they are read again.
inline constexpr index_t ffn_slice = 16384;

/// body(first token, tokens) over slices, one after the other.
template <class Body>
void each_slice(index_t n, Body&& body) {
  for (index_t at = 0; at < n; at += ffn_slice) body(at, std::min(ffn_slice, n - at));
}

}  // namespace detail

template <>
struct kernel<op::ffn, cuda> : detail::composed_ffn<cuda> {
  /// Inference in one kernel keeps nothing.
  static index_t tile(const cuda&, const ffn& l, index_t tokens, bool training) {
    return training || l.channels > detail::tile_cols ? std::min(tokens, detail::ffn_slice) : 0;
  }
  static index_t scratch(const cuda& be, const ffn& l, index_t rows) {
    // the fused gradient has half as many chunks of both maps' gradients as `be` allows for
    const index_t maps = 2 * l.channels * l.hidden + l.hidden + l.channels;
    return std::max(composed_ffn::scratch(be, l, rows), gradient_chunks(be) / 2 * maps);
  }

  template <class T>
  static void forward(const cuda& be, const ffn& l, T* y, const T* x, const ffn_params<const T>& p,
                      const ffn_batch<T>& s, const ffn_scratch<T>& scratch) {
    const index_t c = l.channels, n = s.tokens();
    if (c <= detail::tile_cols)
      return detail::with_math<T>(be, [&](auto math) {
        using body = detail::ffn_body<decltype(math)>;
        launch(be, blocks_for(n, body::rows), body::shared(),
               body{y, x, s.keep, p, n, s.pixels, static_cast<int>(c), static_cast<int>(l.hidden)});
      });
    detail::each_slice(n, [&](index_t at, index_t count) {
      tile_forward(be, l, y + at * c, x + at * c, p, kept_rows<T>{s.keep, s.pixels, at}, count, scratch.tiles[0]);
    });
  }

  template <class T>
  static void backward(const cuda& be, const ffn& l, T* d, const ffn_params<T>& dp, const T* x,
                       const ffn_params<const T>& p, const ffn_batch<T>& s, const ffn_scratch<T>& scratch) {
    const T* const turned[] = {p.fc1_weight, p.fc2_weight};
    const index_t c = l.channels;
    detail::each_slice(s.tokens(), [&](index_t at, index_t count) {
      const tile_tokens_of<T> tokens{x + at * c, {s.keep, s.pixels, at}, count};
      if constexpr (std::is_same_v<T, float>)
        if (fuses_gradient(l)) return fused_backward(be, l, d + at * c, dp, p, tokens, scratch.tiles[0]);
      tile_backward(be, l, d + at * c, dp, p, turned, tokens, scratch.tiles[0]);
    });
  }

 private:
  /// Whether the gradient (of floats: nine tiles of doubles are more than shared memory holds) is one kernel, whose
  /// blocks write where the hidden channels would lie.
  static bool fuses_gradient(const ffn& l) {
    return l.channels <= detail::tile_cols && blocks_for(l.hidden, detail::tile_cols) * l.channels <= l.hidden;
  }

  template <class T>
  static void fused_backward(const cuda& be, const ffn& l, T* d, const ffn_params<T>& dp, const ffn_params<const T>& p,
                             const tile_tokens_of<T>& s, const ffn_tile<T>& t) {
    const index_t c = l.channels, r = l.hidden, size = s.count * c;
    detail::with_math<T>(be, [&](auto math) {
      using body = detail::ffn_gradient_body<decltype(math)>;
      const index_t groups = std::min<index_t>(gradient_chunks(be) / 2, blocks_for(s.count, body::rows));
      const body work{t.inner,
                      t.mean,
                      t.rstd,
                      t.work,
                      d,
                      s.x,
                      s.keep,
                      p,
                      s.count,
                      static_cast<int>(c),
                      static_cast<int>(r),
                      static_cast<int>(groups)};
      launch(be, groups * work.chunks(), body::shared(), work);
      launch_each(be, size, detail::add_parts_each<T>{t.y, t.inner, work.chunks(), size});
      partial_adder<cuda, T> adder(be, {t.work, 2 * c * r + r + c, groups});
      ffn_params<T> to = dp;
      visit_maps(adder, l, to);
      adder.finish();
    });
    norm::backward(be, d, dp.norm, static_cast<const T*>(t.y), norm_input<T>{s.x, p.norm, {t.mean, t.rstd}},
                   row_sizes{s.count, c}, t.work);
  }
};

}  // namespace unmask::inline UNMASK_ABI
