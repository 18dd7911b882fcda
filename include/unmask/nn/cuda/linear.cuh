#pragma once

/// Linear maps of rows on a GPU, where weights are read turned round as they are.

#include "matmul.cuh"
#include "rows.cuh"

namespace unmask::inline UNMASK_ABI {

template <>
struct kernel<op::linear, cuda> {
  static index_t scratch(const cuda& be, const linear_sizes& s) { return gradient_chunks(be) * s.in * s.out; }

  template <class T>
  static void forward(const cuda& be, matrix<T> y, matrix<const T> x, linear_params<const T> p, linear_sizes s) {
    const left_operand<T> left = rows_of(x.data, x.ld);
    const product_sizes sizes{s.rows, s.out, s.in};
    if (p.bias)
      kernel<op::matmul, cuda>::tiled<T>(be, y, left, {p.weight, s.out}, sizes, p.bias, false);
    else
      kernel<op::matmul, cuda>::forward<T>(be, y, left, {p.weight, s.out}, sizes, false);
  }

  static constexpr index_t turned(index_t, index_t) { return 0; }
  template <class T>
  static const T* turn(const cuda&, T*, const T* weight, index_t, index_t) {
    return weight;
  }

  template <class T>
  static void backward_input(const cuda& be, matrix<T> dx, matrix<const T> dy, const T* weight, linear_sizes s,
                             bool accumulate) {
    multiply(be, blas_product<T>{.c = dx.data,
                                 .ldc = dx.ld,
                                 .a = {dy.data, dy.ld},
                                 .b = {weight, s.out, true},
                                 .m = s.rows,
                                 .n = s.in,
                                 .k = s.out,
                                 .beta = static_cast<T>(accumulate)});
  }

  template <class T>
  static void backward_parameters(const cuda& be, linear_params<T> d, matrix<const T> dy, matrix<const T> x,
                                  linear_sizes s, T* scratch) {
    add_outer_product<T>(be, d.weight, x, dy, s, scratch);
    if (d.bias) add_row_sums<T>(be, d.bias, dy, s.rows, s.out, scratch);
  }
};

}  // namespace unmask::inline UNMASK_ABI
