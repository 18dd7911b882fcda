#pragma once

/// Loops over rows, and sums over rows: the gradients of a linear map's matrix and bias.

#include "../../cuda/blas.cuh"
#include "../../cuda/launch.cuh"
#include "../kept_rows.hpp"
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

/// Block (chunk of rows, 32 columns): lanes are columns, warps take turns on the rows.
template <class T>
struct row_sums_body {
  static constexpr int threads = 256;
  T* partials;  ///< [chunks, columns]
  matrix<const T> x;
  index_t n, columns, chunks;

  template <class Thread>
  UNMASK_DEVICE void operator()(Thread& t) const {
    constexpr int warps = threads / warp_size;
    const index_t chunk = t.block() % chunks, k = t.block() / chunks * warp_size + t.lane();
    T* const sums = t.template shared<T>(threads);
    T sum = 0;
    if (k < columns)
      for (index_t i = chunk * n / chunks + t.warp(); i < (chunk + 1) * n / chunks; i += warps)
        sum += x.data[i * x.ld + k];
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

/// Rows of a chunk of a product over rows: as many chunks as gradients have partial sums, of 64 rows at least.
inline index_t product_chunk(const cuda& be, index_t n) {
  return std::max<index_t>(64, blocks_for(n, gradient_chunks(be)));
}

/// dw [I, O] += x' dy over n rows. A product of such shape has few numbers and a long sum, so that one call would leave
/// a GPU idle: the sums are cut into chunks, a batch of products. partials holds gradient_chunks(be) * I * O numbers.
template <class T>
void add_outer_product(const cuda& be, T* dw, matrix<const T> x, matrix<const T> dy, linear_sizes s, T* partials) {
  const index_t chunk = product_chunk(be, s.rows), whole = s.rows / chunk, rest = s.rows % chunk, size = s.in * s.out;
  blas_product<T> p{.c = partials,
                    .ldc = s.out,
                    .a = {x.data, x.ld, true, chunk * x.ld},
                    .b = {dy.data, dy.ld, false, chunk * dy.ld},
                    .m = s.in,
                    .n = s.out,
                    .k = chunk,
                    .batch = whole,
                    .step = size};
  multiply(be, p);
  p.c += whole * size, p.a.data += whole * chunk * x.ld, p.b.data += whole * chunk * dy.ld, p.k = rest;
  p.batch = rest > 0 ? 1 : 0;
  multiply(be, p);
  reduce_partials(be, dw, {partials, size, whole + p.batch}, size);
}

/// db [C] += the sum of the rows of dy [N, C]; partials holds gradient_chunks(be) * C numbers.
template <class T>
void add_row_sums(const cuda& be, T* db, matrix<const T> dy, index_t n, index_t c, T* partials) {
  using body = detail::row_sums_body<T>;
  const index_t chunks = blocks_for(n, product_chunk(be, n));
  launch(be, chunks * blocks_for(c, warp_size), shared_bytes<T>(body::threads), body{partials, dy, n, c, chunks});
  reduce_partials(be, db, {partials, c, chunks}, c);
}

}  // namespace unmask::inline UNMASK_ABI
