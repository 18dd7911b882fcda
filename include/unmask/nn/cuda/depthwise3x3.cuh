#pragma once

/// Depthwise 3x3 convolution, a thread an output. Weights' gradients: a block sums one chunk of the pixels for 32
/// channels, lanes are channels and warps take turns on the pixels.

#include "../depthwise3x3.hpp"
#include "mask_convolutions.cuh"
#include "rows.cuh"

namespace unmask::inline UNMASK_ABI {

namespace detail {

/// Pixels of `batch` images, `ld` numbers apart; 0 outside an image.
template <class T>
struct depthwise_image {
  const T* data;
  index_t ld, height, width;
  /// Channel k of what `pixel` sees through a tap. Pixels are counted in 32 bits (mask_convolutions.cuh says why).
  UNMASK_DEVICE T at(index_t pixel, int tap, index_t k) const {
    const index_t from = through_tap(pixel, tap, {1, height, width, 1});
    return from < 0 ? T(0) : data[from * ld + k];
  }
};

/// `turned` reads the taps backwards, which is the gradient of the input.
template <class T>
struct depthwise_each {
  T* y;
  depthwise_image<T> x;
  const T* weight;
  index_t c;
  bool turned;
  UNMASK_DEVICE void operator()(index_t pixel, int k) const {
    T sum = 0;
    UNMASK_UNROLL
    for (int tap = 0; tap < 9; ++tap) sum += x.at(pixel, tap, k) * weight[(turned ? 8 - tap : tap) * c + k];
    y[pixel * c + k] = sum;
  }
};

template <class T>
struct depthwise_weight_body {
  static constexpr int threads = 256, warps = threads / warp_size;
  chunk_buffers<T> d;
  const T* dy;
  depthwise_image<T> x;
  index_t c, pixels;

  template <class Thread>
  UNMASK_DEVICE void operator()(Thread& t) const {
    T* sums = t.template shared<T>(9 * threads);
    const index_t chunk = t.block() % d.limit, k = t.block() / d.limit * warp_size + t.lane();
    T sum[9] = {};
    if (k < c)
      for (index_t p = chunk * pixels / d.limit + t.warp(); p < (chunk + 1) * pixels / d.limit; p += warps) {
        const T g = dy[p * c + k];
        UNMASK_UNROLL
        for (int tap = 0; tap < 9; ++tap) sum[tap] += x.at(p, tap, k) * g;
      }
    UNMASK_UNROLL
    for (int tap = 0; tap < 9; ++tap) sums[tap * threads + t.thread()] = sum[tap];
    t.sync();
    if (k >= c) return;
    for (int tap = t.warp(); tap < 9; tap += warps) {
      T all = 0;
      for (int w = 0; w < warps; ++w) all += sums[tap * threads + w * warp_size + t.lane()];
      d.first[chunk * d.stride + tap * c + k] += all;
    }
  }
};

}  // namespace detail

template <>
struct kernel<op::depthwise3x3, cuda> : no_scratch {
  template <class T>
  static void forward(const cuda& be, T* y, matrix<const T> x, const T* weight, const depthwise_sizes& s) {
    launch_rows(be, pixels(s), s.channels,
                detail::depthwise_each<T>{y, {x.data, x.ld, s.height, s.width}, weight, s.channels, false});
  }
  /// Every chunk of dweight is added to; more chunks than the reference has fill a GPU better.
  template <class T>
  static void backward(const cuda& be, T* dx, chunk_buffers<T> dweight, const T* dy, matrix<const T> x, const T* weight,
                       const depthwise_sizes& s) {
    using sums = detail::depthwise_weight_body<T>;
    const index_t c = s.channels;
    launch(be, dweight.limit * blocks_for(c, warp_size), shared_bytes<T>(9 * sums::threads),
           sums{dweight, dy, {x.data, x.ld, s.height, s.width}, c, pixels(s)});
    launch_rows(be, pixels(s), c, detail::depthwise_each<T>{dx, {dy, c, s.height, s.width}, weight, c, true});
  }

 private:
  static index_t pixels(const depthwise_sizes& s) { return s.batch * s.height * s.width; }
};

}  // namespace unmask::inline UNMASK_ABI
