#pragma once

/// Linear map of rows.
///   forward   y[N, O] = x[N, I] W[I, O] + b[O]
///   gradient  dx = dy W', dW += x' dy, db += sum over rows of dy
///   memory    W is [I, O] (files store [O, I]). `backward_input` reads W as `turn` returns it: a host wants W' [O, I],
///             made once a pass; a device reads W itself
/// Serial; a conv1x1 is this map on pixels.

#include "matmul.hpp"

namespace unmask::inline UNMASK_ABI {

namespace op {
struct linear {};
}  // namespace op

/// The bias may be null.
template <class T>
struct linear_params {
  T* weight;
  T* bias;
};

struct linear_sizes {
  index_t rows, in, out;
};

template <>
struct kernel<op::linear, ref> : no_scratch {
  template <class Backend, class T>
  static void forward(const Backend& be, matrix<T> y, matrix<const T> x, linear_params<const T> p, linear_sizes s) {
    const left_operand<T> left = rows_of(x.data, x.ld);
    if (!p.bias) return multiply(be, y, left, {p.weight, s.out}, {s.rows, s.out, s.in});
    for (index_t i = 0; i < s.rows; ++i)
      for (index_t o = 0; o < s.out; ++o) y.data[i * y.ld + o] = p.bias[o];
    multiply_add(be, y, left, {p.weight, s.out}, {s.rows, s.out, s.in});
  }

  /// Numbers of room that `turn` needs.
  static constexpr index_t turned(index_t in, index_t out) { return in * out; }
  template <class Backend, class T>
  static const T* turn(const Backend&, T* room, const T* weight, index_t in, index_t out) {
    transpose(room, in, weight, out, in, out);
    return room;
  }

  /// `turned` is what `turn` returned.
  template <class Backend, class T>
  static void backward_input(const Backend& be, matrix<T> dx, matrix<const T> dy, const T* turned, linear_sizes s,
                             bool accumulate) {
    kernel<op::matmul, Backend>::template forward<T>(be, dx, rows_of(dy.data, dy.ld), {turned, s.in},
                                                     {s.rows, s.in, s.out}, accumulate);
  }

  /// d accumulates.
  template <class Backend, class T>
  static void backward_parameters(const Backend& be, linear_params<T> d, matrix<const T> dy, matrix<const T> x,
                                  linear_sizes s, T* /*scratch*/) {
    // the strided-out product reads dy as B, whose rows must be dy.ld apart
    multiply_add(be, {d.weight, s.out}, transposed(x.data, x.ld), dy, {s.in, s.out, s.rows});
    if (d.bias)
      for (index_t i = 0; i < s.rows; ++i)
        for (index_t o = 0; o < s.out; ++o) d.bias[o] += dy.data[i * dy.ld + o];
  }
};

template <class Backend, class T>
void linear_forward(const Backend& be, matrix<T> y, matrix<const T> x, linear_params<const T> p, linear_sizes s) {
  kernel<op::linear, Backend>::forward(be, y, x, p, s);
}

template <class Backend, class T>
void linear_backward_input(const Backend& be, matrix<T> dx, matrix<const T> dy, const T* turned, linear_sizes s,
                           bool accumulate = false) {
  kernel<op::linear, Backend>::backward_input(be, dx, dy, turned, s, accumulate);
}

template <class Backend, class T>
void linear_backward_parameters(const Backend& be, linear_params<T> d, matrix<const T> dy, matrix<const T> x,
                                linear_sizes s, T* scratch) {
  kernel<op::linear, Backend>::backward_parameters(be, d, dy, x, s, scratch);
}

}  // namespace unmask::inline UNMASK_ABI
