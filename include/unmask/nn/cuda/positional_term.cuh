#pragma once

/// The positional term of spectral attention, depthwise 3x3 convolutions that see one set of tokens with zeros around
/// it (depthwise3x3.hpp has the formulas), with the GELU between them (gelu.hpp) in the same kernels.
///   shapes    x [N, C] with pixels `ldx` apart, y [N, C], W [3, 3, C]; N pixels of all images, sets cut from them

#include "../positional_term.hpp"
#include "reduce_partials.cuh"
#include "rows.cuh"

namespace unmask::inline UNMASK_ABI {

namespace detail {

/// Pixel of the token (down, right) of a place, or -1 outside its set.
constexpr int set_neighbour(const token_sets& sets, const token_sets::place& at, int down, int right) {
  const int row = at.row + down, col = at.col + right;
  const bool inside = row >= 0 && row < sets.rows && col >= 0 && col < sets.cols;
  return inside ? sets.pixel(at.set, row, col) : -1;
}

/// Sum over the taps of channel k around a pixel. `way` is 1 for the convolution and -1 for the gradient of its input.
template <class T>
UNMASK_DEVICE T set_convolution(const token_sets& sets, const T* x, index_t ldx, const T* weight, int pixel, int k,
                                int channels, int way) {
  const auto at = sets.find(pixel);
  T sum = 0;
  for (int tap = 0; tap < 9; ++tap) {
    const int from = set_neighbour(sets, at, way * (tap / 3 - 1), way * (tap % 3 - 1));
    if (from >= 0) sum += x[from * ldx + k] * weight[tap * channels + k];
  }
  return sum;
}

template <class T>
struct set_depthwise_each {
  T *conv, *active;  ///< the convolution and its GELU; either may be null
  const T* x;
  index_t ldx;
  const T* weight;
  token_sets sets;
  int channels;

  UNMASK_DEVICE void operator()(index_t pixel, int k) const {
    const index_t i = pixel * channels + k;
    const T z = set_convolution(sets, x, ldx, weight, static_cast<int>(pixel), k, channels, 1);
    if (conv) conv[i] = z;
    if (active) active[i] = z / 2 * (1 + std::erf(z * static_cast<T>(inv_sqrt_2)));
  }
};

template <class T>
struct set_depthwise_input_each {
  T* dx;
  const T *dy, *weight;
  const T* conv;  ///< where x = GELU(conv), dx is the gradient of conv; null: of x
  token_sets sets;
  int channels;

  UNMASK_DEVICE void operator()(index_t pixel, int k) const {
    const index_t i = pixel * channels + k;
    const T g = set_convolution(sets, dy, channels, weight, static_cast<int>(pixel), k, channels, -1);
    if (!conv) {
      dx[i] = g;
      return;
    }
    const T z = conv[i], cdf = (1 + std::erf(z * static_cast<T>(inv_sqrt_2))) / 2;
    dx[i] = g * (cdf + z * std::exp(-z * z / 2) * static_cast<T>(inv_sqrt_2pi));
  }
};

/// A block sums over its chunk of the pixels, a thread a tap and channel; what a pixel sees through the taps is found
/// once, 32 pixels at a time.
template <class T>
struct set_depthwise_weight_body {
  static constexpr int threads = 256, step = 32;
  T* partials;  ///< [chunks, 9 C]
  const T *dy, *x;
  index_t ldx;
  token_sets sets;
  int channels, pixels, chunk;  ///< of all images, of a chunk

  static constexpr std::size_t shared() { return shared_bytes<int>(9 * step); }

  template <class Thread>
  UNMASK_DEVICE void operator()(Thread& t) const {
    const int begin = static_cast<int>(t.block()) * chunk, end = begin + chunk < pixels ? begin + chunk : pixels;
    int* const seen = t.template shared<int>(9 * step);
    T* const to = partials + t.block() * 9 * channels;
    for (int first = begin; first < end; first += step) {
      const int count = end - first < step ? end - first : step;
      t.sync();
      for (int i = t.thread(); i < 9 * count; i += threads)
        seen[i] = set_neighbour(sets, sets.find(first + i / 9), i % 9 / 3 - 1, i % 3 - 1);
      t.sync();
      for (int i = t.thread(); i < 9 * channels; i += threads) {
        const int tap = i / channels, k = i % channels;
        T sum = 0;
        for (int p = 0; p < count; ++p) {
          const int from = seen[9 * p + tap];
          if (from >= 0) sum += x[from * ldx + k] * dy[index_t(first + p) * channels + k];
        }
        to[i] = first == begin ? sum : to[i] + sum;
      }
    }
  }
};

}  // namespace detail

template <>
struct kernel<op::positional_term, cuda> {
  static index_t scratch(const cuda& be, index_t c) { return gradient_chunks(be) * 9 * c; }

  template <class T>
  static void hidden(const cuda& be, const positional_rows<T>& to, matrix<const T> v, positional_weights<T> w,
                     const token_part& part, index_t c) {
    convolve<T>(be, to, v, w.first, part, c);
  }
  template <class T>
  static void forward(const cuda& be, T* y, const positional_rows<T>& to, matrix<const T> v, positional_weights<T> w,
                      const token_part& part, index_t c) {
    hidden(be, to, v, w, part, c);
    convolve<T>(be, {y, nullptr}, {to.active, c}, w.second, part, c);
  }

  template <class T>
  static void backward(const cuda& be, const positional_outputs<T>& to, const positional_gradients<T>& d, const T* dy,
                       const positional_saved<T>& s, const token_part& part, index_t c, T* scratch) {
    const token_sets sets = part.sets();
    const int channels = static_cast<int>(c);
    using input = detail::set_depthwise_input_each<T>;
    add_weights<T>(be, d.second, dy, {s.active, c}, part, c, scratch);
    launch_rows(be, part.tokens(), c, input{to.dconv, dy, s.weights.second, s.conv, sets, channels});
    add_weights<T>(be, d.first, to.dconv, s.v, part, c, scratch);
    launch_rows(be, part.tokens(), c, input{to.dv, to.dconv, s.weights.first, nullptr, sets, channels});
  }

 private:
  template <class T>
  static void convolve(const cuda& be, const positional_rows<T>& to, matrix<const T> x, const T* weight,
                       const token_part& part, index_t c) {
    launch_rows(
        be, part.tokens(), c,
        detail::set_depthwise_each<T>{to.conv, to.active, x.data, x.ld, weight, part.sets(), static_cast<int>(c)});
  }

  /// dweight += the sum over all pixels.
  template <class T>
  static void add_weights(const cuda& be, T* dweight, const T* dy, matrix<const T> x, const token_part& part, index_t c,
                          T* partials) {
    using body = detail::set_depthwise_weight_body<T>;
    const int pixels = static_cast<int>(part.tokens()),
              chunk = std::max(body::step, static_cast<int>(blocks_for(pixels, gradient_chunks(be))));
    const index_t chunks = blocks_for(pixels, chunk);
    launch(be, chunks, body::shared(),
           body{partials, dy, x.data, x.ld, part.sets(), static_cast<int>(c), pixels, chunk});
    reduce_partials(be, dweight, {partials, 9 * c, chunks}, 9 * c);
  }
};

}  // namespace unmask::inline UNMASK_ABI
