#pragma once

/// What stands around products of rows: bias and stochastic depth behind them, sums over rows for the bias' gradient.

#include "../../cuda/blas.cuh"
#include "../../cuda/launch.cuh"
#include "../linear.hpp"
#include "reduce_partials.cuh"

namespace unmask::inline UNMASK_ABI {

namespace detail {

/// f(row, channel); a block has about 1024 numbers, and finds a number's row by a division of 32-bit numbers.
template <class F>
struct rows_body {
  static constexpr int threads = 256, numbers = 1024;
  F f;
  index_t n;
  int channels, rows;  ///< rows of a block

  template <class Thread>
  UNMASK_DEVICE void operator()(Thread& t) const {
    const index_t first = t.block() * rows;
    for (int i = t.thread(); i < rows * channels; i += threads) {
      const index_t row = first + i / channels;
      if (row < n) f(row, i % channels);
    }
  }
};

template <class T>
struct add_bias_each {
  T* y;
  const T *bias, *keep;  ///< either may be null
  int channels;
  index_t pixels;

  UNMASK_DEVICE void operator()(index_t row, int k) const {
    T& to = y[row * channels + k];
    const T value = bias ? to + bias[k] : to;
    to = keep ? value * keep[row / pixels] : value;
  }
};

template <class T>
struct scale_images_each {
  T* y;
  const T *x, *keep;
  index_t image;
  UNMASK_DEVICE void operator()(index_t i) const { y[i] = x[i] * keep[i / image]; }
};

/// y [N, C], rows ldy apart, += x [N, C].
template <class T>
struct add_columns_each {
  T* y;
  const T* x;
  index_t channels, ldy;
  UNMASK_DEVICE void operator()(index_t row, int k) const { y[row * ldy + k] += x[row * channels + k]; }
};

/// Block (chunk of rows, 32 columns): lanes are columns, warps take turns on the rows.
template <class T>
struct row_sums_body {
  static constexpr int threads = 256;
  T* partials;  ///< [chunks, columns]
  const T* x;
  index_t n, columns, chunks;

  template <class Thread>
  UNMASK_DEVICE void operator()(Thread& t) const {
    constexpr int warps = threads / warp_size;
    const index_t chunk = t.block() % chunks, k = t.block() / chunks * warp_size + t.lane();
    T* const sums = t.template shared<T>(threads);
    T sum = 0;
    if (k < columns)
      for (index_t i = chunk * n / chunks + t.warp(); i < (chunk + 1) * n / chunks; i += warps)
        sum += x[i * columns + k];
    sums[t.thread()] = sum;
    t.sync();
    if (t.warp() > 0 || k >= columns) return;
    for (int w = 1; w < warps; ++w) sum += sums[w * warp_size + t.lane()];
    partials[chunk * columns + k] = sum;
  }
};

}  // namespace detail

/// f(row, channel) for n rows of c channels, a thread each; f as in `launch_each`.
template <class F>
void launch_rows(const cuda& be, index_t n, index_t c, const F& f) {
  using body = detail::rows_body<F>;
  const index_t rows = std::max<index_t>(1, body::numbers / c);
  launch(be, blocks_for(n, rows), 0, body{f, n, static_cast<int>(c), static_cast<int>(rows)});
}

/// y [N, C] = keep * (y + bias), `pixels` rows an image; bias and keep may be null.
template <class T>
void add_bias(const cuda& be, T* y, const T* bias, const T* keep, index_t n, index_t c, index_t pixels) {
  if (bias || keep) launch_rows(be, n, c, detail::add_bias_each<T>{y, bias, keep, static_cast<int>(c), pixels});
}

/// Rows of a chunk of a product over rows: as many chunks as gradients have partial sums, of 64 rows at least.
inline index_t product_chunk(const cuda& be, index_t n) {
  return std::max<index_t>(64, blocks_for(n, gradient_chunks(be)));
}

/// dw [I, O] += x' dy over n rows. A product of such shape has few numbers and a long sum, so that one call would leave
/// a GPU idle: the sums are cut into chunks, a batch of products. partials holds gradient_chunks(be) * I * O numbers.
template <class T>
void add_outer_product(const cuda& be, T* dw, const T* x, index_t ldx, const T* dy, index_t ldy, index_t n,
                       index_t in_channels, index_t out_channels, T* partials) {
  const index_t chunk = product_chunk(be, n), whole = n / chunk, rest = n % chunk, size = in_channels * out_channels;
  blas_product<T> p{.c = partials,
                    .ldc = out_channels,
                    .a = {x, ldx, true, chunk * ldx},
                    .b = {dy, ldy, false, chunk * ldy},
                    .m = in_channels,
                    .n = out_channels,
                    .k = chunk,
                    .batch = whole,
                    .step = size};
  multiply(be, p);
  p.c += whole * size, p.a.data += whole * chunk * ldx, p.b.data += whole * chunk * ldy, p.k = rest;
  p.batch = rest > 0 ? 1 : 0;
  multiply(be, p);
  reduce_partials(be, dw, static_cast<const T*>(partials), whole + p.batch, size);
}

/// db [C] += the sum of the rows of dy [N, C]; partials holds gradient_chunks(be) * C numbers.
template <class T>
void add_row_sums(const cuda& be, T* db, const T* dy, index_t n, index_t c, T* partials) {
  using body = detail::row_sums_body<T>;
  const index_t chunks = blocks_for(n, product_chunk(be, n));
  launch(be, chunks * blocks_for(c, warp_size), shared_bytes<T>(body::threads), body{partials, dy, n, c, chunks});
  reduce_partials(be, db, static_cast<const T*>(partials), chunks, c);
}

}  // namespace unmask::inline UNMASK_ABI
