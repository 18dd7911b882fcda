#pragma once

/// Layer norm with the products behind it: what both kinds of attention begin with, [q, k, v] = LN(x) W + b, times
/// scale and mask embedding. Up to 64 channels one kernel, in which a block keeps 64 tokens; more go through memory.

#include "layer_norm.cuh"
#include "mask_factors.cuh"
#include "tile.cuh"

namespace unmask::inline UNMASK_ABI {

/// Where the weights of q, k and v lie: [C, C] each, rows `ld` and matrices `step` apart.
template <class T>
struct qkv_weights {
  const T* data;
  index_t ld, step;
  const T* bias;  ///< [3C], or null
};

/// n tokens. `raw` is q, k, v before scale and mask and may be null; it may be `qkv` where there is neither.
template <class T>
struct qkv_images {
  T *u, *mean, *rstd;  ///< [N, C], [N], [N]; u is written where it is not null
  T *raw, *qkv;        ///< [N, 3C]
};

namespace detail {

template <class Math>
struct norm_project_body {
  using T = typename Math::number;
  using element = typename Math::element;
  static constexpr int threads = 128, rows = threads / 2, lda = tile_cols + Math::padding;
  qkv_images<T> to;
  const T *x, *e;  ///< e may be null
  norm_params<const T> norm;
  qkv_weights<T> w;
  index_t n;
  int channels, effect;
  T scale;

  static constexpr std::size_t shared() {
    return shared_bytes<element>(rows * lda) + shared_bytes<element>(tile_cols * tile_ldb);
  }

  template <class Thread>
  UNMASK_DEVICE void operator()(Thread& t) const {
    element* const normal = t.template shared<element>(rows * lda);
    element* const weights = t.template shared<element>(tile_cols * tile_ldb);
    const int deep = rounded(channels, Math::step);
    normalise(t, normal, deep);
    for (int part = 0; part < 3; ++part) {
      load_b<Math>(t, weights, w.data + part * w.step, w.ld, channels, 0, channels, deep);
      t.sync();
      tile<Math> sum;
      sum.clear();
      sum.multiply(
          t, [normal](int row) { return normal + row * lda; }, weights, deep);
      sum.each(t, [&](int row, int k, T value) { store(t.block() * rows + row, part, k, value); });
      t.sync();
    }
  }

 private:
  UNMASK_DEVICE void store(index_t token, int part, int k, T value) const {
    if (token >= n || k >= channels) return;
    const index_t at = (token * 3 + part) * channels + k;
    if (w.bias) value += w.bias[part * channels + k];
    if (to.raw) to.raw[at] = value;
    if (to.raw == to.qkv) return;
    const T factor = part == 0 ? scale : T(1);
    to.qkv[at] = value * (e && (effect >> part & 1) != 0 ? e[token * channels + k] * factor : factor);
  }

  /// A warp a row; rows and channels that do not exist are zero.
  template <class Thread>
  UNMASK_DEVICE void normalise(Thread& t, element* normal, int deep) const {
    for (int row = t.warp(); row < rows; row += threads / warp_size) {
      const index_t token = t.block() * rows + row;
      const T* const from = x + (token < n ? token : 0) * channels;
      T mean, rstd;
      row_moments(t, from, channels, mean, rstd);
      for (int k = t.lane(); k < deep; k += warp_size) {
        const bool exists = token < n && k < channels;
        const T value = exists ? (from[k] - mean) * rstd * norm.weight[k] + norm.bias[k] : T(0);
        normal[row * lda + k] = Math::store(value);
        if (exists && to.u) to.u[token * channels + k] = value;
      }
      if (token < n && t.lane() == 0) to.mean[token] = mean, to.rstd[token] = rstd;
    }
  }
};

}  // namespace detail

/// `wide` is scratch [N, C] for u where `to` has none, for more than 64 channels.
template <class T>
void norm_project(const cuda& be, qkv_images<T> to, const T* x, const T* e, norm_params<const T> norm,
                  const qkv_weights<T>& w, mask_effect effect, T scale, index_t n, index_t c, T* wide) {
  if (c <= detail::tile_cols)
    return detail::with_math<T>(be, [&](auto math) {
      using body = detail::norm_project_body<decltype(math)>;
      launch(be, blocks_for(n, body::rows), body::shared(),
             body{to, x, e, norm, w, n, static_cast<int>(c), static_cast<int>(effect), scale});
    });
  T* const raw = to.raw ? to.raw : to.qkv;
  kernel<op::layer_norm, cuda>::forward(be, wide, to.mean, to.rstd, x, norm, n, c);
  multiply(be, blas_product<T>{.c = raw,
                               .ldc = 3 * c,
                               .a = {wide, c},
                               .b = {w.data, w.ld, false, w.step},
                               .m = n,
                               .n = c,
                               .k = c,
                               .batch = 3,
                               .step = c});
  add_bias<T>(be, raw, w.bias, nullptr, n, 3 * c, n);
  if (to.raw != to.qkv) mask_factors_forward<T>(be, to.qkv, raw, e, effect, scale, n, c);
}

}  // namespace unmask::inline UNMASK_ABI
