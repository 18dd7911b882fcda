#pragma once

/// Products of matrices in device memory: cuBLAS where it takes the strides, a tiled kernel of our own for overlapping
/// rows and for linear maps with a bias. Both sum in an order that depends on the sizes only.

#include "../../cuda/blas.cuh"
#include "../../cuda/launch.cuh"
#include "../matmul.hpp"
#include "tile.cuh"

namespace unmask::inline UNMASK_ABI {

namespace detail {

/// C [M, N] = A B, plus C where it accumulates, plus a row of bias where there is one. Block (row tile, column tile).
template <class Math>
struct product_body {
  using T = typename Math::number;
  using element = typename Math::element;
  static constexpr int threads = 128, rows = threads / 2, depth = 64, lda = depth + Math::padding;
  matrix<T> c;
  left_operand<T> a;
  const T* b;
  index_t ldb;
  const T* bias;
  index_t m, n, k;
  bool accumulate;

  static constexpr std::size_t shared() {
    return shared_bytes<element>(rows * lda) + shared_bytes<element>(depth * tile_ldb);
  }
  index_t blocks() const { return blocks_for(m, rows) * blocks_for(n, tile_cols); }

  template <class Thread>
  UNMASK_DEVICE void operator()(Thread& t) const {
    element* const left = t.template shared<element>(rows * lda);
    element* const right = t.template shared<element>(depth * tile_ldb);
    const index_t across = blocks_for(n, tile_cols);
    const index_t row = t.block() / across * rows, col = t.block() % across * tile_cols;
    tile<Math> sum;
    sum.clear();
    for (index_t p = 0; p < k; p += depth) {
      const int left_over = static_cast<int>(k - p < depth ? k - p : depth), deep = rounded(left_over, Math::step);
      load_left(t, left, row, p, left_over, deep);
      load_b<Math>(t, right, b + p * ldb, ldb, left_over, col, n, deep);
      t.sync();
      sum.multiply(
          t, [left](int r) { return left + r * lda; }, right, deep);
      t.sync();
    }
    sum.each(t, [&](int r, int j, T value) {
      if (row + r >= m || col + j >= n) return;
      T& to = c.data[(row + r) * c.ld + col + j];
      if (bias) value += bias[col + j];
      to = accumulate ? to + value : value;
    });
  }

 private:
  /// Neighbouring threads read along whichever index is contiguous in memory.
  template <class Thread>
  UNMASK_DEVICE void load_left(Thread& t, element* to, index_t row, index_t p, int used, int deep) const {
    const int warps = threads / warp_size;
    if (a.col == 1)
      for (int r = t.warp(); r < rows; r += warps) {
        const T* const from = a.data + (row + r) * a.row + p;
        for (int q = t.lane(); q < deep; q += warp_size)
          to[r * lda + q] = Math::store(row + r < m && q < used ? from[q] : T(0));
      }
    else
      for (int q = t.warp(); q < deep; q += warps) {
        const T* const from = a.data + (p + q) * a.col + row * a.row;
        for (int r = t.lane(); r < rows; r += warp_size)
          to[r * lda + q] = Math::store(row + r < m && q < used ? from[r * a.row] : T(0));
      }
  }
};

}  // namespace detail

template <>
struct kernel<op::matmul, cuda> : no_scratch {
  template <class T>
  static void forward(const cuda& be, matrix<T> c, left_operand<T> a, matrix<const T> b, product_sizes s,
                      bool accumulate) {
    const bool plain = a.col == 1 && a.row >= s.k, turned = a.row == 1 && a.col >= s.m;
    if (!plain && !turned) return tiled<T>(be, c, a, b, s, nullptr, accumulate);
    multiply(be, blas_product<T>{.c = c.data,
                                 .ldc = c.ld,
                                 .a = {a.data, plain ? a.row : a.col, !plain},
                                 .b = {b.data, b.ld},
                                 .m = s.m,
                                 .n = s.n,
                                 .k = s.k,
                                 .beta = static_cast<T>(accumulate)});
  }

  /// The same by a kernel of our own, with a row of bias (or null).
  template <class T>
  static void tiled(const cuda& be, matrix<T> c, left_operand<T> a, matrix<const T> b, product_sizes s, const T* bias,
                    bool accumulate) {
    detail::with_math<T>(be, [&](auto math) {
      const detail::product_body<decltype(math)> body{c, a, b.data, b.ld, bias, s.m, s.n, s.k, accumulate};
      launch(be, body.blocks(), body.shared(), body);
    });
  }
};

}  // namespace unmask::inline UNMASK_ABI
