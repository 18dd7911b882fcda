#pragma once

/// Layer normalisation, a warp a row. Gradients of gain and bias: every block sums its slice of the rows for 32
/// channels, then the slices are added in order.

#include "../../cuda/launch.cuh"
#include "../layer_norm.hpp"
#include "../visit.hpp"
#include "reduce_partials.cuh"

namespace unmask::inline UNMASK_ABI {

namespace detail {

/// Mean and 1/deviation of row x[0, c), in every lane.
template <class Thread, class T>
UNMASK_DEVICE void row_moments(Thread& t, const T* x, index_t c, T& mean, T& rstd) {
  T sum = 0, square = 0;
  for (index_t k = t.lane(); k < c; k += warp_size) sum += x[k];
  mean = warp_sum(t, sum) / static_cast<T>(c);
  for (index_t k = t.lane(); k < c; k += warp_size) square += (x[k] - mean) * (x[k] - mean);
  rstd = 1 / std::sqrt(warp_sum(t, square) / static_cast<T>(c) + static_cast<T>(layer_norm_epsilon));
}

template <class T>
struct layer_norm_forward_body {
  static constexpr int threads = 128;
  T *y, *mean, *rstd;
  const T* x;
  norm_params<const T> p;
  index_t n, c;

  template <class Thread>
  UNMASK_DEVICE void operator()(Thread& t) const {
    const index_t row = t.block() * (threads / warp_size) + t.warp();
    if (row >= n) return;  // a whole warp: its lanes stay together
    const T* from = x + row * c;
    T* to = y + row * c;
    T m, r;
    row_moments(t, from, c, m, r);
    for (index_t k = t.lane(); k < c; k += warp_size) to[k] = (from[k] - m) * r * p.weight[k] + p.bias[k];
    if (t.lane() == 0) mean[row] = m, rstd[row] = r;
  }
};

template <class T>
struct layer_norm_input_body {
  static constexpr int threads = 128;
  T* dx;
  const T *dy, *x, *weight, *mean, *rstd;
  index_t n, c;

  template <class Thread>
  UNMASK_DEVICE void operator()(Thread& t) const {
    const index_t row = t.block() * (threads / warp_size) + t.warp(), at = row * c;
    if (row >= n) return;
    const T m = mean[row], r = rstd[row];
    T sum = 0, dot = 0;
    for (index_t k = t.lane(); k < c; k += warp_size) {
      const T dn = dy[at + k] * weight[k];
      sum += dn;
      dot += dn * (x[at + k] - m) * r;
    }
    sum = warp_sum(t, sum) / static_cast<T>(c);
    dot = warp_sum(t, dot) / static_cast<T>(c);
    for (index_t k = t.lane(); k < c; k += warp_size)
      dx[at + k] += r * (dy[at + k] * weight[k] - sum - (x[at + k] - m) * r * dot);
  }
};

/// partials [chunks, 2C]; block (chunk, group of 32 channels): lanes are channels, warps take turns on the rows.
template <class T>
struct layer_norm_params_body {
  static constexpr int threads = 256;
  static constexpr int warps = threads / warp_size;
  T* partials;
  const T *dy, *x, *mean, *rstd;
  index_t n, c, chunks;

  template <class Thread>
  UNMASK_DEVICE void operator()(Thread& t) const {
    const index_t chunk = t.block() % chunks, k = t.block() / chunks * warp_size + t.lane();
    T* sums = t.template shared<T>(2 * threads);
    T weight = 0, bias = 0;
    if (k < c)
      for (index_t i = chunk * n / chunks + t.warp(); i < (chunk + 1) * n / chunks; i += warps) {
        const T g = dy[i * c + k];
        weight += g * (x[i * c + k] - mean[i]) * rstd[i];
        bias += g;
      }
    sums[t.thread()] = weight;
    sums[threads + t.thread()] = bias;
    t.sync();
    if (t.warp() > 1 || k >= c) return;
    T sum = 0;
    for (int w = 0; w < warps; ++w) sum += sums[t.warp() * threads + w * warp_size + t.lane()];
    partials[chunk * 2 * c + t.warp() * c + k] = sum;
  }
};

}  // namespace detail

template <>
struct kernel<op::layer_norm, cuda> {
  static index_t scratch(const cuda& be, row_sizes s) { return gradient_chunks(be) * 2 * s.channels; }

  template <class T>
  static void forward(const cuda& be, T* y, norm_saved<T> saved, const T* x, norm_params<const T> p, row_sizes s) {
    using body = detail::layer_norm_forward_body<T>;
    launch(be, blocks_for(s.rows, body::threads / warp_size), 0,
           body{y, saved.mean, saved.rstd, x, p, s.rows, s.channels});
  }

  template <class T>
  static void backward(const cuda& be, T* dx, norm_params<T> d, const T* dy, const norm_input<T>& in, row_sizes s,
                       T* scratch) {
    using rows = detail::layer_norm_input_body<T>;
    using sums = detail::layer_norm_params_body<T>;
    const index_t n = s.rows, c = s.channels;
    launch(be, blocks_for(n, rows::threads / warp_size), 0,
           rows{dx, dy, in.x, in.p.weight, in.saved.mean, in.saved.rstd, n, c});
    const index_t chunks = std::min(gradient_chunks(be), blocks_for(n, 32));
    launch(be, chunks * blocks_for(c, warp_size), shared_bytes<T>(2 * sums::threads),
           sums{scratch, dy, in.x, in.saved.mean, in.saved.rstd, n, c, chunks});
    partial_adder<cuda, T> adder(be, {scratch, 2 * c, chunks});
    visit_norm(adder, "", d, c);
    adder.finish();
  }
};

}  // namespace unmask::inline UNMASK_ABI
