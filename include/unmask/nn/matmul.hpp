#pragma once

/// Product of small row-major matrices, the one primitive under every linear map and attention.
///
///   forward   C[M, N] = A[M, K] B[K, N]   (or C += A B)
///   A         element (i, k) at a[i * a_row + k * a_col]: a transposed operand is a pair of strides, and rows may
///             overlap, which is how a 3x3 convolution reads three neighbouring pixels as one row of 3 C numbers
///   B, C      rows of stride ldb, ldc, columns contiguous
///   gradient  dA = dC B', dB = A' dC: two products again (with `transpose` for B')
/// Serial: callers split the work over threads.

#include "../core/backend.hpp"
#include "../core/view.hpp"

namespace unmask::inline UNMASK_ABI {

namespace op {
struct matmul {};
}  // namespace op

template <class T>
struct left_operand {
  const T* data;
  index_t row, col;
};

template <class T>
left_operand<T> rows_of(const T* a, index_t stride) {
  return {a, stride, 1};
}

/// A' of a row-major A with row stride `stride`.
template <class T>
left_operand<T> transposed(const T* a, index_t stride) {
  return {a, 1, stride};
}

/// y[N, M] = x[M, N]'; rows of stride ldx, ldy.
template <class T>
void transpose(T* y, index_t ldy, const T* x, index_t ldx, index_t rows, index_t cols) {
  for (index_t i = 0; i < rows; ++i)
    for (index_t j = 0; j < cols; ++j) y[j * ldy + i] = x[i * ldx + j];
}

template <>
struct kernel<op::matmul, ref> {
  template <class T>
  static void forward(T* c, index_t ldc, left_operand<T> a, const T* b, index_t ldb, index_t m, index_t n, index_t k,
                      bool accumulate) {
    for (index_t i = 0; i < m; ++i)
      for (index_t j = 0; j < n; ++j) {
        T sum = 0;
        for (index_t p = 0; p < k; ++p) sum += a.data[i * a.row + p * a.col] * b[p * ldb + j];
        c[i * ldc + j] = accumulate ? c[i * ldc + j] + sum : sum;
      }
  }
};

template <>
struct kernel<op::matmul, cpu>;  // nn/cpu/matmul.hpp

/// C = A B.
template <class Backend, class T>
void multiply(const Backend&, T* c, index_t ldc, left_operand<T> a, const T* b, index_t ldb, index_t m, index_t n,
              index_t k) {
  kernel<op::matmul, Backend>::forward(c, ldc, a, b, ldb, m, n, k, false);
}

/// C += A B.
template <class Backend, class T>
void multiply_add(const Backend&, T* c, index_t ldc, left_operand<T> a, const T* b, index_t ldb, index_t m, index_t n,
                  index_t k) {
  kernel<op::matmul, Backend>::forward(c, ldc, a, b, ldb, m, n, k, true);
}

}  // namespace unmask::inline UNMASK_ABI
