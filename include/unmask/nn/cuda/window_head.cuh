#pragma once

/// One head of one window, as the kernels of windowed attention see it: tokens are read where they lie in the image,
/// rows of q, k and v through the cache (a warp reads the same key at a time), and what depends on the place of a token
/// only is in shared memory.

#include "../../cuda/thread.cuh"
#include "../position_bias.hpp"
#include "../token_sets.hpp"

namespace unmask::inline UNMASK_ABI::detail {

/// D numbers of a token: in registers where D is known at compile time, else where they lie (`Width` 0).
template <class T, int Width>
struct token_row {
  T value[Width];
  UNMASK_DEVICE token_row(const T* from, int) {
    for (int d = 0; d < Width; ++d) value[d] = from[d];
  }
  UNMASK_DEVICE T dot(const T* other, int) const {
    T sum = 0;
    for (int d = 0; d < Width; ++d) sum += value[d] * other[d];
    return sum;
  }
};

template <class T>
struct token_row<T, 0> {
  const T* value;
  UNMASK_DEVICE token_row(const T* from, int) : value(from) {}
  UNMASK_DEVICE T dot(const T* other, int width) const {
    T sum = 0;
    for (int d = 0; d < width; ++d) sum += value[d] * other[d];
    return sum;
  }
};

/// The arguments of both directions.
template <class T>
struct window_attention {
  const T* qkv;    ///< [B, H, W, 3C], with scale and mask
  const T* table;  ///< [(2M-1)^2, NH]
  token_sets sets;
  int channels, heads;

  UNMASK_DEVICE int span() const { return 2 * sets.rows - 1; }
  std::size_t shared() const {
    const index_t n = sets.rows * sets.cols, span = 2 * sets.rows - 1;
    return 2 * shared_bytes<int>(n) + shared_bytes<T>(span * span);
  }
};

template <class T, int Width>
class window_head {
 public:
  /// Numbers that a thread gathers at a time.
  static constexpr int step = Width > 0 ? Width : 16;

  /// All threads of a block come here together; block = window * NH + head.
  template <class Thread>
  UNMASK_DEVICE window_head(Thread& t, const window_attention<T>& a)
      : a_(a), window_(static_cast<int>(t.block() / a.heads)), head_(static_cast<int>(t.block() % a.heads)) {
    const int n = a.sets.tokens(), span = a.span();
    pixel_ = t.template shared<int>(n);
    code_ = t.template shared<int>(n);
    column_ = t.template shared<T>(span * span);
    for (int i = t.thread(); i < n; i += t.threads()) {
      pixel_[i] = a.sets.pixel(window_, i);
      code_[i] = 16 * (i / a.sets.cols * span + i % a.sets.cols) + a.sets.region(window_, i);
    }
    for (int i = t.thread(); i < span * span; i += t.threads()) column_[i] = a.table[i * a.heads + head_];
    t.sync();
  }

  UNMASK_DEVICE int width() const { return Width > 0 ? Width : a_.channels / a_.heads; }
  UNMASK_DEVICE int window() const { return window_; }
  UNMASK_DEVICE int head() const { return head_; }

  /// Where a token's numbers of this head lie in an image of C channels, and in q (0), k (1) or v (2).
  UNMASK_DEVICE index_t at(int token) const { return index_t(pixel_[token]) * a_.channels + head_ * width(); }
  UNMASK_DEVICE index_t at(int token, int part) const {
    return (index_t(pixel_[token]) * 3 + part) * a_.channels + head_ * width();
  }
  UNMASK_DEVICE const T* q(int token) const { return a_.qkv + at(token, 0); }
  UNMASK_DEVICE const T* k(int token) const { return a_.qkv + at(token, 1); }
  UNMASK_DEVICE const T* v(int token) const { return a_.qkv + at(token, 2); }

  /// Position bias and shift mask. A code is 16 times the token's place in a table row, plus its region.
  UNMASK_DEVICE T bias(int query, int key) const {
    const int p = code_[query], t = code_[key], side = a_.sets.rows;
    const T value = column_[(p >> 4) - (t >> 4) + (side - 1) * 2 * side];
    return ((p ^ t) & 15) == 0 ? value : value - T(100);
  }

  /// Largest score of a query, sum of the exponentials of the scores less that, and the sum of `step` numbers of v from
  /// `first` on weighted by them: one pass over the keys, eight at a time, so that the sums are rescaled seldom. With
  /// the gradient dy of the query's result also the sum of dA = dy v', weighted.
  struct query_result {
    T top, sum, dot, y[step];
  };
  UNMASK_DEVICE query_result attend(int query, int first, const token_row<T, Width>* dy = nullptr) const {
    constexpr int keys = 8;
    const int n = a_.sets.tokens(), d = width();
    constexpr T lowest = std::numeric_limits<T>::lowest();
    const token_row<T, Width> own(q(query), d);
    query_result r{lowest, 0, 0, {}};
    for (int from = 0; from < n; from += keys) {
      T score[keys], top = r.top;
      for (int i = 0; i < keys; ++i) {
        const int key = from + i;
        score[i] = key < n ? own.dot(k(key), d) + bias(query, key) : lowest;
        top = score[i] > top ? score[i] : top;
      }
      const T rescale = std::exp(r.top - top);
      r.top = top;
      r.sum *= rescale;
      r.dot *= rescale;
      for (int j = 0; j < step; ++j) r.y[j] *= rescale;
      for (int i = 0; i < keys && from + i < n; ++i) {
        const T weight = std::exp(score[i] - top);
        const T* value = v(from + i);
        r.sum += weight;
        if (dy) r.dot += weight * dy->dot(value, d);
        for (int j = 0; j < step; ++j)
          if (Width > 0 || first + j < d) r.y[j] += weight * value[first + j];
      }
    }
    return r;
  }

 private:
  window_attention<T> a_;
  int window_, head_;
  int *pixel_, *code_;
  T* column_;
};

}  // namespace unmask::inline UNMASK_ABI::detail
