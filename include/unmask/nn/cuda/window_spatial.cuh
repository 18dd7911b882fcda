#pragma once

/// Spatial attention of a window in shared memory: q, k [64, lda] and v (a right factor, Math::b_at) in, the result
/// over q out, as a left factor. On tensor cores a warp has 16 queries and keeps their scores in registers from the
/// first product to the second; else a thread has a query of every second head.

#include "../position_bias.hpp"
#include "window_memory.cuh"

namespace unmask::inline UNMASK_ABI::detail {

template <class Math>
class window_spatial {
 public:
  using T = typename Math::number;
  using element = typename Math::element;
  using memory = window_memory<Math>;
  static constexpr int tokens = memory::tokens, lda = memory::lda, widest = 16;

  /// Numbers of room that the table and the tokens' places need.
  static constexpr index_t room(const token_sets& s, int heads) {
    return index_t(2 * s.rows - 1) * (2 * s.rows - 1) * heads + tokens;
  }

  /// Reads the bias table; a barrier has to follow.
  template <class Thread>
  UNMASK_DEVICE window_spatial(Thread& t, const memory& m, const T* table, const token_sets& sets, int window,
                               int channels, int heads)
      : n_(sets.tokens()), heads_(heads), width_(channels / heads), side_(sets.rows) {
    const int span = 2 * side_ - 1;
    table_ = m.room;
    code_ = reinterpret_cast<int*>(m.room + span * span * heads);
    for (int i = t.thread(); i < tokens; i += t.threads())
      code_[i] = i < n_ ? 16 * (i / side_ * span + i % side_) + sets.region(window, i) : 0;
    for (int i = t.thread(); i < span * span * heads; i += t.threads()) table_[i] = table[i];
  }

  template <class Thread>
  UNMASK_DEVICE void attend(Thread& t, const memory& m, T factor) const {
    element *const q = memory::elements(m.q), *const k = memory::elements(m.k), *const v = memory::elements(m.v);
    if constexpr (std::is_same_v<Math, plain_math<T>>)
      attend_plain(t, q, k, v, factor);
    else
      for (int head = 0; head < heads_; ++head) attend_tensor(t, q + head * width_, k + head * width_, v, head, factor);
  }

 private:
  UNMASK_DEVICE T bias(int query_code, int key_code, int head) const {
    const T value = table_[((query_code >> 4) - (key_code >> 4) + (side_ - 1) * 2 * side_) * heads_ + head];
    return ((query_code ^ key_code) & 15) == 0 ? value : value - T(100);
  }

  /// Eight keys at a time, so that the sums are rescaled seldom.
  template <class Thread>
  UNMASK_DEVICE void attend_plain(Thread& t, T* q, const T* k, const T* v, T factor) const {
    constexpr int keys = 8;
    const int query = t.thread() % tokens;
    if (query >= n_) return;
    for (int head = t.thread() / tokens; head < heads_; head += memory::threads / tokens) {
      T own[widest], y[widest] = {}, top = std::numeric_limits<T>::lowest(), sum = 0;
      T* const at = q + query * lda + head * width_;
      for (int d = 0; d < widest; ++d) own[d] = d < width_ ? at[d] : T(0);
      for (int from = 0; from < n_; from += keys) {
        T score[keys], highest = top;
        for (int i = 0; i < keys; ++i) {
          if (from + i < n_) {
            score[i] = bias(code_[query], code_[from + i], head);
            const T* other = k + (from + i) * lda + head * width_;
            for (int d = 0; d < widest; ++d)
              if (d < width_) score[i] += own[d] * other[d];
          } else {
            score[i] = std::numeric_limits<T>::lowest();
          }
          highest = score[i] > highest ? score[i] : highest;
        }
        const T rescale = std::exp(top - highest);
        top = highest;
        sum *= rescale;
        for (int d = 0; d < widest; ++d) y[d] *= rescale;
        for (int i = 0; i < keys && from + i < n_; ++i) {
          const T weight = std::exp(score[i] - top);
          const T* value = v + Math::b_at(from + i, head * width_, tile_ldb);
          sum += weight;
          for (int d = 0; d < widest; ++d)
            if (d < width_) y[d] += weight * value[d];
        }
      }
      for (int d = 0; d < widest; ++d)
        if (d < width_) at[d] = y[d] * (factor / sum);
    }
  }

  /// The word of a fragment that holds channel d of a head (and d + 1 where elements are halves): zero behind the head.
  UNMASK_DEVICE std::uint32_t word(const element* row, int d) const {
    if constexpr (sizeof(element) == 4)
      return d < width_ ? bits_of(row[d]) : 0u;
    else
      return (d < width_ ? std::uint32_t(row[d]) : 0u) | (d + 1 < width_ ? std::uint32_t(row[d + 1]) << 16 : 0u);
  }
  static UNMASK_DEVICE std::uint32_t pack(float low, float high) {
    return std::uint32_t(Math::store(low)) | std::uint32_t(Math::store(high)) << 16;
  }

  /// Scores S of 16 queries and 64 keys: number i of tile j is query g or (i >= 2) g + 8, key 8 j + 2 place + i % 2.
  template <class Thread>
  UNMASK_DEVICE void attend_tensor(Thread& t, element* q, const element* k, const element* v, int head,
                                   float factor) const {
    constexpr int half = Math::step / 2, per_word = 4 / static_cast<int>(sizeof(element));
    const int g = t.lane() / 4, place = t.lane() % 4, upper = t.warp() * 16 + g;
    float s[8][4] = {};
    UNMASK_UNROLL
    for (int p = 0; p < widest; p += Math::step) {
      if (p >= width_) break;
      const int d = p + place * per_word;
      const element *first = q + upper * lda, *second = first + 8 * lda;
      const mma_a a{{word(first, d), word(second, d), word(first, d + half), word(second, d + half)}};
      UNMASK_UNROLL
      for (int j = 0; j < 8; ++j) {
        const element* row = k + (8 * j + g) * lda;
        mma(t, Math{}, s[j], a, mma_b{{word(row, d), word(row, d + half)}});
      }
    }
    float sum[2];
    softmax(t, s, sum, head, upper, place);
    float y[2][4] = {};
    UNMASK_UNROLL
    for (int j = 0; j < 2; ++j) {
      const int channel = 8 * j + g;
      if (8 * j >= width_) break;
      if constexpr (sizeof(element) == 4) {
        // the sum over keys may go in any order: key 2 place is number `place` of eight, and the next `place` + 4
        UNMASK_UNROLL
        for (int p = 0; p < 8; ++p)
          mma(t, Math{}, y[j],
              mma_a{{bits_of(Math::store(s[p][0])), bits_of(Math::store(s[p][2])), bits_of(Math::store(s[p][1])),
                     bits_of(Math::store(s[p][3]))}},
              mma_b{{value(v, 8 * p + 2 * place, head, channel), value(v, 8 * p + 2 * place + 1, head, channel)}});
      } else {
        UNMASK_UNROLL
        for (int p = 0; p < 4; ++p)
          mma(t, Math{}, y[j],
              mma_a{{pack(s[2 * p][0], s[2 * p][1]), pack(s[2 * p][2], s[2 * p][3]),
                     pack(s[2 * p + 1][0], s[2 * p + 1][1]), pack(s[2 * p + 1][2], s[2 * p + 1][3])}},
              mma_b{{value(v, 16 * p + 2 * place, head, channel), value(v, 16 * p + 2 * place + 8, head, channel)}});
      }
    }
    for (int j = 0; j < 2; ++j)
      for (int i = 0; i < 4; ++i) {
        const int d = 8 * j + 2 * place + i % 2;
        if (d < width_) q[(upper + i / 2 * 8) * lda + d] = Math::store(y[j][i] * (factor / sum[i / 2]));
      }
  }

  /// The word of v that holds a key (and the next where elements are halves).
  UNMASK_DEVICE std::uint32_t value(const element* v, int key, int head, int channel) const {
    if (channel >= width_) return 0u;
    return *reinterpret_cast<const std::uint32_t*>(v + Math::b_at(key, head * width_ + channel, tile_ldb));
  }

  /// s = exp(s + bias - largest of the row), sum of the row's numbers; a row is in four lanes.
  template <class Thread>
  UNMASK_DEVICE void softmax(Thread& t, float (&s)[8][4], float (&sum)[2], int head, int upper, int place) const {
    const int query[2] = {code_[upper], code_[upper + 8]};
    float top[2] = {std::numeric_limits<float>::lowest(), std::numeric_limits<float>::lowest()};
    UNMASK_UNROLL
    for (int j = 0; j < 8; ++j) UNMASK_UNROLL
    for (int i = 0; i < 4; ++i) {
      const int key = 8 * j + 2 * place + i % 2;
      s[j][i] = key < n_ ? s[j][i] + bias(query[i / 2], code_[key], head) : std::numeric_limits<float>::lowest();
      top[i / 2] = s[j][i] > top[i / 2] ? s[j][i] : top[i / 2];
    }
    for (int i = 0; i < 2; ++i)
      for (int mask = 1; mask <= 2; mask *= 2) {
        const float other = t.shuffle_xor(top[i], mask);
        top[i] = other > top[i] ? other : top[i];
        sum[i] = 0;
      }
    UNMASK_UNROLL
    for (int j = 0; j < 8; ++j) UNMASK_UNROLL
    for (int i = 0; i < 4; ++i) sum[i / 2] += s[j][i] = std::exp(s[j][i] - top[i / 2]);
    for (int i = 0; i < 2; ++i)
      for (int mask = 1; mask <= 2; mask *= 2) sum[i] += t.shuffle_xor(sum[i], mask);
  }

  int n_, heads_, width_, side_;
  int* code_;
  T* table_;
};

}  // namespace unmask::inline UNMASK_ABI::detail
