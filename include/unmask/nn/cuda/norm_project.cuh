#pragma once

/// Layer norm with the products behind it: what both kinds of attention begin with, [q, k, v] = LN(x) W + b, times
/// scale and mask embedding. Up to 64 channels one kernel, in which a block keeps 64 tokens; more go through memory.

#include "../norm_project.hpp"
#include "layer_norm.cuh"
#include "linear.cuh"
#include "mask_factors.cuh"
#include "tile.cuh"

namespace unmask::inline UNMASK_ABI {

namespace detail {

/// y [N, C], rows ldy apart, += x [N, C].
template <class T>
struct add_columns_each {
  T* y;
  const T* x;
  index_t channels, ldy;
  UNMASK_DEVICE void operator()(index_t row, int k) const { y[row * ldy + k] += x[row * channels + k]; }
};

template <class Math>
struct norm_project_body {
  using T = typename Math::number;
  using element = typename Math::element;
  static constexpr int threads = 128, rows = threads / 2, lda = tile_cols + Math::padding;
  qkv_rows<T> to;
  const T *x, *e;  ///< e may be null
  qkv_params<const T> p;
  mask_map<T> m;

  static constexpr std::size_t shared() {
    return shared_bytes<element>(rows * lda) + shared_bytes<element>(tile_cols * tile_ldb);
  }

  template <class Thread>
  UNMASK_DEVICE void operator()(Thread& t) const {
    element* const normal = t.template shared<element>(rows * lda);
    element* const weights = t.template shared<element>(tile_cols * tile_ldb);
    const int channels = static_cast<int>(m.channels), deep = rounded(channels, Math::step);
    normalise(t, normal, deep);
    for (int part = 0; part < 3; ++part) {
      load_b<Math>(t, weights, p.weight[part], p.ld, channels, 0, channels, deep);
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
    const int channels = static_cast<int>(m.channels);
    if (token >= m.rows || k >= channels) return;
    const index_t at = (token * 3 + part) * channels + k;
    if (p.bias) value += p.bias[part * channels + k];
    if (to.raw) to.raw[at] = value;
    if (to.raw == to.qkv) return;
    const T factor = m.factor(part);
    const bool masked = e && (static_cast<int>(m.effect) >> part & 1) != 0;
    to.qkv[at] = value * (masked ? e[token * channels + k] * factor : factor);
  }

  /// A warp a row; rows and channels that do not exist are zero.
  template <class Thread>
  UNMASK_DEVICE void normalise(Thread& t, element* normal, int deep) const {
    const index_t n = m.rows;
    const int channels = static_cast<int>(m.channels);
    for (int row = t.warp(); row < rows; row += threads / warp_size) {
      const index_t token = t.block() * rows + row;
      const T* const from = x + (token < n ? token : 0) * channels;
      T mean, rstd;
      row_moments(t, from, channels, mean, rstd);
      for (int k = t.lane(); k < deep; k += warp_size) {
        const bool exists = token < n && k < channels;
        const T value = exists ? (from[k] - mean) * rstd * p.norm.weight[k] + p.norm.bias[k] : T(0);
        normal[row * lda + k] = Math::store(value);
        if (exists && to.reads_u) to.u[token * channels + k] = value;
      }
      if (token < n && t.lane() == 0) to.saved.mean[token] = mean, to.saved.rstd[token] = rstd;
    }
  }
};

}  // namespace detail

/// y [N, C], rows ld apart, += x [N, C].
template <std::same_as<cuda> Backend, class T>
void add_to_columns(const Backend& be, T* y, index_t ld, const T* x, row_sizes s) {
  launch_rows(be, s.rows, s.channels, detail::add_columns_each<T>{y, x, s.channels, ld});
}

template <>
struct kernel<op::norm_project, cuda> : detail::composed_norm_project<cuda> {
  template <class T>
  static void forward(const cuda& be, const qkv_rows<T>& to, const T* x, const T* e, const qkv_params<const T>& p,
                      const mask_map<T>& m) {
    if (m.channels > detail::tile_cols) return composed_norm_project::forward(be, to, x, e, p, m);
    detail::with_math<T>(be, [&](auto math) {
      using body = detail::norm_project_body<decltype(math)>;
      launch(be, blocks_for(m.rows, body::rows), body::shared(), body{to, x, e, p, m});
    });
  }
};

}  // namespace unmask::inline UNMASK_ABI
