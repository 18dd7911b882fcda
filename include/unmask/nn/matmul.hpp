#pragma once

/// Product of small row-major matrices, the one primitive under every linear map and attention.
///
///   forward   C[M, N] = A[M, K] B[K, N]   (or C += A B)
///   A         element (i, k) at a[i * a_row + k * a_col]: a transposed operand is a pair of strides, and rows may
///             overlap, which is how a 3x3 convolution reads three neighbouring pixels as one row of 3 C numbers
///   B, C      rows `ld` apart, columns contiguous
///   gradient  dA = dC B', dB = A' dC: two products again (with `transpose` for B')
/// Serial: callers split the work over threads.

#include <type_traits>

#include "../core/backend.hpp"
#include "../core/view.hpp"

namespace unmask::inline UNMASK_ABI {

namespace op {
struct matmul {};
}  // namespace op

/// Rows of contiguous numbers, `ld` numbers apart.
template <class T>
struct matrix {
  T* data;
  index_t ld;
  constexpr operator matrix<const T>() const requires(!std::is_const_v<T>) { return {data, ld}; }
};

struct product_sizes {
  index_t m, n, k;
};

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
struct kernel<op::matmul, ref> : no_scratch {
  template <class T>
  static void forward(const ref&, matrix<T> c, left_operand<T> a, matrix<const T> b, product_sizes s, bool accumulate) {
    for (index_t i = 0; i < s.m; ++i)
      for (index_t j = 0; j < s.n; ++j) {
        T sum = 0;
        for (index_t p = 0; p < s.k; ++p) sum += a.data[i * a.row + p * a.col] * b.data[p * b.ld + j];
        c.data[i * c.ld + j] = accumulate ? c.data[i * c.ld + j] + sum : sum;
      }
  }
};

template <>
struct kernel<op::matmul, cpu>;  // nn/cpu/matmul.hpp

/// C = A B.
template <class Backend, class T>
void multiply(const Backend& be, matrix<std::type_identity_t<T>> c, left_operand<T> a,
              matrix<const std::type_identity_t<T>> b, product_sizes s) {
  kernel<op::matmul, Backend>::template forward<T>(be, c, a, b, s, false);
}

/// C += A B.
template <class Backend, class T>
void multiply_add(const Backend& be, matrix<std::type_identity_t<T>> c, left_operand<T> a,
                  matrix<const std::type_identity_t<T>> b, product_sizes s) {
  kernel<op::matmul, Backend>::template forward<T>(be, c, a, b, s, true);
}

}  // namespace unmask::inline UNMASK_ABI
