#pragma once

/// Softmax along the width of image rows. A block takes 32 channels of one row: lanes are channels, so that loads are
/// contiguous, and the warps take turns on the pixels.

#include <limits>

#include "../../cuda/launch.cuh"
#include "../width_softmax.hpp"

namespace unmask::inline UNMASK_ABI {

namespace detail {

/// One number a channel from one a thread: combine(a, b) over the warps in order, for every thread.
template <class Thread, class T, class Combine>
UNMASK_DEVICE T over_warps(Thread& t, T value, T* between, const Combine& combine) {
  t.sync();  // the last call's numbers may still be read
  between[t.thread()] = value;
  t.sync();
  value = between[t.lane()];
  for (int w = 1; w < t.threads() / warp_size; ++w) value = combine(value, between[w * warp_size + t.lane()]);
  return value;
}

/// `e` null: forward, in place. Otherwise d holds de on entry and dz on return.
template <class T>
struct width_softmax_body {
  static constexpr int threads = 256, warps = threads / warp_size;
  T* row;
  const T* e;
  index_t width, c;

  template <class Thread>
  UNMASK_DEVICE void operator()(Thread& t) const {
    T* between = t.template shared<T>(threads);
    const index_t groups = blocks_for(c, warp_size), k = t.block() % groups * warp_size + t.lane();
    const index_t start = t.block() / groups * width * c + k, end = k < c ? width : 0;
    if (e)
      backward(t, row + start, e + start, end, between);
    else
      forward(t, row + start, end, between);
  }

 private:
  template <class Thread>
  UNMASK_DEVICE void forward(Thread& t, T* z, index_t end, T* between) const {
    T top = -std::numeric_limits<T>::infinity(), sum = 0;
    for (index_t w = t.warp(); w < end; w += warps) top = z[w * c] > top ? z[w * c] : top;
    top = over_warps(t, top, between, [](T a, T b) { return b > a ? b : a; });
    for (index_t w = t.warp(); w < end; w += warps) sum += z[w * c] = std::exp(z[w * c] - top);
    sum = over_warps(t, sum, between, [](T a, T b) { return a + b; });
    for (index_t w = t.warp(); w < end; w += warps) z[w * c] /= sum;
  }

  template <class Thread>
  UNMASK_DEVICE void backward(Thread& t, T* d, const T* value, index_t end, T* between) const {
    T dot = 0;
    for (index_t w = t.warp(); w < end; w += warps) dot += d[w * c] * value[w * c];
    dot = over_warps(t, dot, between, [](T a, T b) { return a + b; });
    for (index_t w = t.warp(); w < end; w += warps) d[w * c] = value[w * c] * (d[w * c] - dot);
  }
};

}  // namespace detail

template <>
struct kernel<op::width_softmax, cuda> : no_scratch {
  template <class T>
  static void forward(const cuda& be, T* z, const image_rows& s, T* /*scratch*/) {
    run<T>(be, z, nullptr, s);
  }
  template <class T>
  static void backward(const cuda& be, T* d, const T* e, const image_rows& s, T* /*scratch*/) {
    run<T>(be, d, e, s);
  }

 private:
  template <class T>
  static void run(const cuda& be, T* row, const T* e, const image_rows& s) {
    using body = detail::width_softmax_body<T>;
    launch(be, s.rows * blocks_for(s.channels, warp_size), shared_bytes<T>(body::threads),
           body{row, e, s.width, s.channels});
  }
};

}  // namespace unmask::inline UNMASK_ABI
