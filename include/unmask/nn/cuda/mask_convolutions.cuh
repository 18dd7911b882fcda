#pragma once

/// The embedding's two convolutions folded into one 3x3 convolution of the planes [m, 1]: with folded weights
/// A[tap, o] = sum_c w1[c] W3[tap, c, o] and B[tap, o] = sum_c b1[c] W3[tap, c, o], 18 multiply-adds make a number
/// instead of 9 E. The gradient sums dA and dB over the pixels first and unfolds them once.

#include "../../cuda/memory.cuh"
#include "../mask_convolutions.hpp"
#include "rows.cuh"

namespace unmask::inline UNMASK_ABI {

namespace detail {

/// folded [2, 9, E]: A, then B.
template <class T>
struct fold_each {
  T* folded;
  embedding_params<const T> p;
  index_t e;
  UNMASK_DEVICE void operator()(index_t i) const {
    const index_t o = i % e, tap = i / e % 9;
    const T* factor = i < 9 * e ? p.conv1_weight : p.conv1_bias;
    T sum = 0;
    for (index_t c = 0; c < e; ++c) sum += factor[c] * p.conv3.weight[(tap * e + c) * e + o];
    folded[i] = sum;
  }
};

/// The pixel that `pixel` sees through a tap, or -1 outside the image. Pixels of a batch are counted in 32 bits: their
/// channels would not fit into any memory otherwise.
constexpr index_t through_tap(index_t pixel, int tap, const mask_sizes& s) {
  const auto width = static_cast<unsigned>(s.width), height = static_cast<unsigned>(s.height),
             line = static_cast<unsigned>(pixel) / width;
  const int w = static_cast<int>(static_cast<unsigned>(pixel) - line * width) + tap % 3 - 1,
            h = static_cast<int>(line % height) + tap / 3 - 1;
  const bool inside = h >= 0 && h < static_cast<int>(height) && w >= 0 && w < static_cast<int>(width);
  return inside ? pixel + (tap / 3 - 1) * s.width + tap % 3 - 1 : -1;
}

template <class T>
struct mask_convolutions_each {
  T* z;
  const T *mask, *folded, *bias;
  mask_sizes s;
  UNMASK_DEVICE void operator()(index_t pixel, int o) const {
    const index_t e = s.channels;
    T sum = bias[o];
    UNMASK_UNROLL
    for (int tap = 0; tap < 9; ++tap) {
      const index_t from = through_tap(pixel, tap, s);
      if (from >= 0) sum += mask[from] * folded[tap * e + o] + folded[(9 + tap) * e + o];
    }
    z[pixel * e + o] = sum;
  }
};

/// partials [chunks, 18, E]: dA and dB; lanes are channels, warps take turns on the pixels of a chunk.
template <class T>
struct folded_gradient_body {
  static constexpr int threads = 256, warps = threads / warp_size;
  T* partials;
  const T *dz, *mask;
  mask_sizes s;
  index_t chunks;

  template <class Thread>
  UNMASK_DEVICE void operator()(Thread& t) const {
    T* sums = t.template shared<T>(18 * threads);
    const index_t chunk = t.block() % chunks, o = t.block() / chunks * warp_size + t.lane(), e = s.channels;
    T sum[18] = {};
    if (o < e)
      for (index_t p = chunk * s.pixels() / chunks + t.warp(); p < (chunk + 1) * s.pixels() / chunks; p += warps) {
        const T g = dz[p * e + o];
        UNMASK_UNROLL
        for (int tap = 0; tap < 9; ++tap) {
          const index_t from = through_tap(p, tap, s);
          if (from < 0) continue;
          sum[tap] += g * mask[from];
          sum[9 + tap] += g;
        }
      }
    UNMASK_UNROLL
    for (int i = 0; i < 18; ++i) sums[i * threads + t.thread()] = sum[i];
    t.sync();
    if (o >= e) return;
    for (int i = t.warp(); i < 18; i += warps) {
      T all = 0;
      for (int w = 0; w < warps; ++w) all += sums[i * threads + w * warp_size + t.lane()];
      partials[(chunk * 18 + i) * e + o] = all;
    }
  }
};

/// Gradients of the parameters from `d` [2, 9, E], a warp for each input channel c of conv3.
template <class T>
struct unfold_body {
  static constexpr int threads = 128;
  embedding_params<T> g;
  const T* d;
  embedding_params<const T> p;
  index_t e;

  template <class Thread>
  UNMASK_DEVICE void operator()(Thread& t) const {
    const index_t c = t.block() * (threads / warp_size) + t.warp();
    if (c >= e) return;
    T weight = 0, bias = 0;
    for (index_t i = t.lane(); i < 9 * e; i += warp_size) {
      const index_t at = (i / e * e + c) * e + i % e;
      g.conv3.weight[at] += p.conv1_weight[c] * d[i] + p.conv1_bias[c] * d[9 * e + i];
      weight += d[i] * p.conv3.weight[at];
      bias += d[9 * e + i] * p.conv3.weight[at];
    }
    weight = warp_sum(t, weight);
    bias = warp_sum(t, bias);
    if (t.lane() > 0) return;
    g.conv1_weight[c] += weight;
    g.conv1_bias[c] += bias;
    g.conv3.bias[c] += d[(9 + 4) * e + c];  // every pixel sees itself
  }
};

/// dmask[q] += sum over taps and channels of dz[the pixel that sees q, o] A[tap, o]; a warp a pixel.
template <class T>
struct mask_gradient_body {
  static constexpr int threads = 128;
  T* dmask;
  const T *dz, *folded;
  mask_sizes s;

  template <class Thread>
  UNMASK_DEVICE void operator()(Thread& t) const {
    const index_t q = t.block() * (threads / warp_size) + t.warp(), e = s.channels;
    if (q >= s.pixels()) return;
    T sum = 0;
    for (int tap = 0; tap < 9; ++tap) {
      const index_t seen_by = through_tap(q, 8 - tap, s);
      if (seen_by < 0) continue;
      for (index_t o = t.lane(); o < e; o += warp_size) sum += dz[seen_by * e + o] * folded[tap * e + o];
    }
    sum = warp_sum(t, sum);
    if (t.lane() == 0) dmask[q] += sum;
  }
};

}  // namespace detail

template <>
struct kernel<op::mask_convolutions, cuda> {
  /// Folded weights, their gradients, and partial sums of those.
  static index_t scratch(const cuda& be, mask_sizes s) { return (2 + gradient_chunks(be)) * 18 * s.channels; }

  template <class T>
  static void forward(const cuda& be, T* z, const T* mask, embedding_params<const T> p, mask_sizes s, T* scratch) {
    launch_each(be, 18 * s.channels, detail::fold_each<T>{scratch, p, s.channels});
    launch_rows(be, s.pixels(), s.channels, detail::mask_convolutions_each<T>{z, mask, scratch, p.conv3.bias, s});
  }

  /// dmask accumulates; it may be null.
  template <class T>
  static void backward(const cuda& be, T* dmask, embedding_params<T> d, const T* dz, const T* mask,
                       embedding_params<const T> p, mask_sizes s, T* scratch) {
    using sums = detail::folded_gradient_body<T>;
    using unfold = detail::unfold_body<T>;
    using pixels = detail::mask_gradient_body<T>;
    const index_t size = 18 * s.channels, chunks = gradient_chunks(be);
    T *folded = scratch, *gradient = scratch + size, *partials = scratch + 2 * size;
    fill(be, gradient, size, T(0));
    launch(be, chunks * blocks_for(s.channels, warp_size), shared_bytes<T>(18 * sums::threads),
           sums{partials, dz, mask, s, chunks});
    reduce_partials(be, gradient, {partials, size, chunks}, size);
    launch(be, blocks_for(s.channels, unfold::threads / warp_size), 0, unfold{d, gradient, p, s.channels});
    if (!dmask) return;
    launch_each(be, size, detail::fold_each<T>{folded, p, s.channels});
    launch(be, blocks_for(s.pixels(), pixels::threads / warp_size), 0, pixels{dmask, dz, folded, s});
  }
};

}  // namespace unmask::inline UNMASK_ABI
