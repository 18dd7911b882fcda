#pragma once

/// Linear map of rows.
///   forward   y[N, O] = x[N, I] W[I, O] + b[O]
///   gradient  dx = dy W', dW += x' dy, db += sum over rows of dy
///   memory    W is [I, O] (files store [O, I]); `backward_input` takes W' [O, I], transposed once per pass by the
///   caller
/// Serial; a conv1x1 is this map on pixels.

#include "matmul.hpp"

namespace unmask::inline UNMASK_ABI {

template <host_backend Backend, class T>
void linear_forward(const Backend& be, T* y, index_t ldy, const T* x, index_t ldx, const T* w, const T* b, index_t n,
                    index_t in_channels, index_t out_channels) {
  if (b)
    for (index_t i = 0; i < n; ++i)
      for (index_t o = 0; o < out_channels; ++o) y[i * ldy + o] = b[o];
  if (b)
    multiply_add(be, y, ldy, rows_of(x, ldx), w, out_channels, n, out_channels, in_channels);
  else
    multiply(be, y, ldy, rows_of(x, ldx), w, out_channels, n, out_channels, in_channels);
}

template <host_backend Backend, class T>
void linear_backward_input(const Backend& be, T* dx, index_t ldx, const T* dy, index_t ldy, const T* w_transposed,
                           index_t n, index_t in_channels, index_t out_channels) {
  multiply(be, dx, ldx, rows_of(dy, ldy), w_transposed, in_channels, n, in_channels, out_channels);
}

/// dw and db accumulate; db may be null (a map without bias).
template <host_backend Backend, class T>
void linear_backward_parameters(const Backend& be, T* dw, T* db, const T* dy, index_t ldy, const T* x, index_t ldx,
                                index_t n, index_t in_channels, index_t out_channels) {
  // the strided-out product reads dy as B, whose rows must be ldy apart
  multiply_add(be, dw, out_channels, transposed(x, ldx), dy, ldy, in_channels, out_channels, n);
  if (db)
    for (index_t i = 0; i < n; ++i)
      for (index_t o = 0; o < out_channels; ++o) db[o] += dy[i * ldy + o];
}

}  // namespace unmask::inline UNMASK_ABI
