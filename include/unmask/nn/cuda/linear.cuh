#pragma once

/// Linear maps of rows on a GPU. There the weights are read turned round as they are, so no transposed copy is made:
/// backward_input takes W [I, O] itself.

#include "matmul.cuh"
#include "rows.cuh"

namespace unmask::inline UNMASK_ABI {

template <std::same_as<cuda> Backend, class T>
void linear_forward(const Backend& be, T* y, index_t ldy, const T* x, index_t ldx, const T* w, const T* b, index_t n,
                    index_t in_channels, index_t out_channels) {
  kernel<op::matmul, cuda>::forward(be, y, ldy, rows_of(x, ldx), w, out_channels, n, out_channels, in_channels, false,
                                    b);
}

/// dx = dy W', plus dx where it accumulates.
template <class T>
void linear_input_gradient(const cuda& be, T* dx, index_t ldx, const T* dy, index_t ldy, const T* w, index_t n,
                           index_t in_channels, index_t out_channels, bool accumulate = false) {
  multiply(be, blas_product<T>{.c = dx,
                               .ldc = ldx,
                               .a = {dy, ldy},
                               .b = {w, out_channels, true},
                               .m = n,
                               .n = in_channels,
                               .k = out_channels,
                               .beta = static_cast<T>(accumulate)});
}

/// dw and db accumulate; db may be null. `partials` holds gradient_chunks(be) * I * O numbers.
template <class T>
void linear_parameter_gradient(const cuda& be, T* dw, T* db, const T* dy, const T* x, index_t n, index_t in_channels,
                               index_t out_channels, T* partials) {
  add_outer_product(be, dw, x, in_channels, dy, out_channels, n, in_channels, out_channels, partials);
  if (db) add_row_sums(be, db, dy, n, out_channels, partials);
}

}  // namespace unmask::inline UNMASK_ABI
