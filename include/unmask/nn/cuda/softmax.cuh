#pragma once

/// Softmax of rows, a warp a row.

#include <limits>

#include "../../cuda/launch.cuh"
#include "../softmax.hpp"

namespace unmask::inline UNMASK_ABI {

namespace detail {

template <class T>
struct softmax_forward_body {
  static constexpr int threads = 128;
  T* y;
  const T* x;
  index_t n, c;

  template <class Thread>
  UNMASK_DEVICE void operator()(Thread& t) const {
    const index_t row = t.block() * (threads / warp_size) + t.warp();
    if (row >= n) return;  // a whole warp: its lanes stay together
    const T* from = x + row * c;
    T* to = y + row * c;
    T top = -std::numeric_limits<T>::infinity(), sum = 0;
    for (index_t k = t.lane(); k < c; k += warp_size) top = from[k] > top ? from[k] : top;
    top = warp_max(t, top);
    for (index_t k = t.lane(); k < c; k += warp_size) sum += to[k] = std::exp(from[k] - top);
    sum = warp_sum(t, sum);
    for (index_t k = t.lane(); k < c; k += warp_size) to[k] /= sum;
  }
};

template <class T>
struct softmax_backward_body {
  static constexpr int threads = 128;
  T* dx;
  const T *dy, *y;
  index_t n, c;

  template <class Thread>
  UNMASK_DEVICE void operator()(Thread& t) const {
    const index_t row = t.block() * (threads / warp_size) + t.warp(), at = row * c;
    if (row >= n) return;
    T dot = 0;
    for (index_t k = t.lane(); k < c; k += warp_size) dot += dy[at + k] * y[at + k];
    dot = warp_sum(t, dot);
    for (index_t k = t.lane(); k < c; k += warp_size) dx[at + k] = y[at + k] * (dy[at + k] - dot);
  }
};

}  // namespace detail

template <>
struct kernel<op::softmax, cuda> : no_scratch {
  template <class T>
  static void forward(const cuda& be, T* y, const T* x, index_t n, index_t c) {
    using body = detail::softmax_forward_body<T>;
    launch(be, blocks_for(n, body::threads / warp_size), 0, body{y, x, n, c});
  }
  template <class T>
  static void backward(const cuda& be, T* dx, const T* dy, const T* y, index_t n, index_t c) {
    using body = detail::softmax_backward_body<T>;
    launch(be, blocks_for(n, body::threads / warp_size), 0, body{dx, dy, y, n, c});
  }
};

}  // namespace unmask::inline UNMASK_ABI
