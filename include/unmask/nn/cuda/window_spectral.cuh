#pragma once

/// Spectral attention of a window in shared memory: q, k, v [64, ldx] in; v A' in u and the positional term in k out,
/// both as left factors. A thread is a channel of every second token, so that what belongs to a channel stays in
/// registers.

#include "../spectral_attention.hpp"
#include "gelu.cuh"
#include "window_memory.cuh"

namespace unmask::inline UNMASK_ABI::detail {

/// body(i, sum): the products k' q of every head [C, D], the squares of q and those of k, over the tokens of a window.
template <class Math, class Thread, class Body>
UNMASK_DEVICE void window_products(Thread& t, const window_memory<Math>& m, int tokens, int channels, int width,
                                   const Body& body) {
  using T = typename Math::number;
  constexpr int ldx = window_memory<Math>::ldx;
  const int products = channels * width;
  for (int i = t.thread(); i < products + 2 * channels; i += t.threads()) {
    const bool product = i < products, of_q = i < products + channels;
    const int row = product ? i / width : i - products - (of_q ? 0 : channels);
    const int col = product ? row / width * width + i % width : row;
    const T *a = product || !of_q ? m.k + row : m.q + row, *b = product || of_q ? m.q + col : m.k + col;
    T sum = 0;
    for (int token = 0; token < tokens; ++token) sum += a[token * ldx] * b[token * ldx];
    body(i, sum);
  }
}

/// u = factor * v A' as a left factor; attention [C, D] anywhere. A thread is a channel of every second token.
template <class Math, class Thread>
UNMASK_DEVICE void apply_window(Thread& t, const window_memory<Math>& m, int tokens, int channels, int width,
                                const typename Math::number* attention, typename Math::number factor) {
  using T = typename Math::number;
  constexpr int widest = 16, groups = window_memory<Math>::threads / tile_cols;
  const int c = t.thread() % tile_cols;
  T a[widest];
  for (int i = 0; i < widest; ++i) a[i] = i < width && c < channels ? attention[c * width + i] : T(0);
  const T* const head = m.v + c / width * width;
  for (int token = t.thread() / tile_cols; token < window_memory<Math>::tokens; token += groups) {
    T sum = 0;
    if (c < channels && token < tokens)
      for (int i = 0; i < widest; ++i)
        if (i < width) sum += head[token * window_memory<Math>::ldx + i] * a[i];
    m.u[token * window_memory<Math>::lda + c] = Math::store(sum * factor);
  }
}

template <class Math>
class window_spectral {
 public:
  using T = typename Math::number;
  using memory = window_memory<Math>;
  static constexpr int ldx = memory::ldx, lda = memory::lda, groups = memory::threads / tile_cols;

  /// Numbers of room that the matrices and lengths need.
  static constexpr index_t room(int channels, int width) { return channels * width + 2 * channels; }

  UNMASK_DEVICE window_spectral(const memory& m, int side, int channels, int width)
      : side_(side), channels_(channels), width_(width), matrix_(m.room), length_(m.room + channels * width) {}

  /// Barriers inside, none at the end. `factor` is that of the branch.
  template <class Thread>
  UNMASK_DEVICE void attend(Thread& t, const memory& m, const T* rescale, const T* first, const T* second,
                            T factor) const {
    const int products = channels_ * width_;
    window_products<Math>(t, m, tokens(), channels_, width_, [&](int i, T sum) {
      if (i < products)
        matrix_[i] = sum;
      else
        length_[i - products] = std::max(std::sqrt(sum), static_cast<T>(shortest_length));
    });
    t.sync();
    normalise_rows(t, rescale);
    convolve(t, m.v, first, [&](int token, int c, T z) { m.q[token * ldx + c] = gelu_value(z); });
    t.sync();
    typename Math::element* const pos = memory::elements(m.k);
    convolve(t, m.q, second, [&](int token, int c, T z) { pos[token * lda + c] = Math::store(z * factor); });
    clear_rest(t, pos);
    apply_window<Math>(t, m, tokens(), channels_, width_, matrix_, factor);
  }

 private:
  UNMASK_DEVICE int tokens() const { return side_ * side_; }

  template <class Thread>
  UNMASK_DEVICE void normalise_rows(Thread& t, const T* rescale) const {
    for (int j = t.thread(); j < channels_; j += memory::threads) {
      const int head = j / width_;
      T *row = matrix_ + j * width_, top = std::numeric_limits<T>::lowest(), sum = 0;
      for (int i = 0; i < width_; ++i) {
        row[i] = rescale[head] * (row[i] / (length_[channels_ + j] * length_[head * width_ + i]));
        top = row[i] > top ? row[i] : top;
      }
      for (int i = 0; i < width_; ++i) sum += row[i] = std::exp(row[i] - top);
      for (int i = 0; i < width_; ++i) row[i] /= sum;
    }
  }

  /// body(token, channel, convolution) of x [tokens, ldx] with zeros around the window.
  template <class Thread, class Body>
  UNMASK_DEVICE void convolve(Thread& t, const T* x, const T* weight, const Body& body) const {
    const int c = t.thread() % tile_cols;
    if (c >= channels_) return;
    T w[9];
    for (int tap = 0; tap < 9; ++tap) w[tap] = weight[tap * channels_ + c];
    for (int row = 0; row < side_; ++row)
      for (int col = t.thread() / tile_cols; col < side_; col += groups) {
        T sum = 0;
        for (int i = -1; i <= 1; ++i)
          for (int j = -1; j <= 1; ++j) {
            const bool inside = row + i >= 0 && row + i < side_ && col + j >= 0 && col + j < side_;
            if (inside) sum += x[((row + i) * side_ + col + j) * ldx + c] * w[3 * i + j + 4];
          }
        body(row * side_ + col, c, sum);
      }
  }

  /// Zeros behind the channels and the tokens of a left factor.
  template <class Thread>
  UNMASK_DEVICE void clear_rest(Thread& t, typename Math::element* a) const {
    const int c = t.thread() % tile_cols;
    for (int token = t.thread() / tile_cols; token < memory::tokens; token += groups)
      if (c >= channels_ || token >= tokens()) a[token * lda + c] = Math::store(T(0));
  }

  int side_, channels_, width_;
  T *matrix_, *length_;
};

}  // namespace unmask::inline UNMASK_ABI::detail
