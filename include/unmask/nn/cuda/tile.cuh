#pragma once

/// A tile of a product, C [threads / 2, 64] += A B with both factors in shared memory and 32 numbers of C in the
/// registers of each thread: the inner loop of every fused kernel.
///   plain    a thread has 8 rows of 4 columns: 12 loads of 16 bytes for 128 multiply-adds
///   tensor   a warp has 16 rows of 64 columns: 8 instructions for one load of A
/// Rows of A are handed over as pointers, so that they may overlap or be pixels of an image.

#include "../../cuda/math.cuh"

namespace unmask::inline UNMASK_ABI::detail {

/// Elements from one row of B to the next: 64 columns, and 8 that spread rows over the banks.
inline constexpr int tile_cols = 64, tile_ldb = 72;

constexpr int rounded(index_t n, int step) { return static_cast<int>((n + step - 1) / step * step); }

template <class Math>
class tile {
 public:
  using T = typename Math::number;
  using element = typename Math::element;

  UNMASK_DEVICE void clear() {
    UNMASK_UNROLL
    for (int i = 0; i < 32; ++i) sum_[i] = 0;
  }

  /// a(row) points to the row's `depth` elements, aligned to 16 bytes; element (k, n) of B lies at Math::b_at.
  template <class Thread, class Row>
  UNMASK_DEVICE void multiply(Thread& t, const Row& a, const element* b, int depth) {
    if constexpr (plain)
      multiply_plain(t, a, b, depth);
    else
      multiply_tensor(t, a, b, depth);
  }

  /// body(row, column, number) for the numbers of this thread.
  template <class Thread, class Body>
  UNMASK_DEVICE void each(Thread& t, const Body& body) const {
    UNMASK_UNROLL
    for (int i = 0; i < 32; ++i) body(row_of(t, i), column_of(t, i), sum_[i]);
  }

  /// number = body(row, column, number).
  template <class Thread, class Body>
  UNMASK_DEVICE void map(Thread& t, const Body& body) {
    UNMASK_UNROLL
    for (int i = 0; i < 32; ++i) sum_[i] = body(row_of(t, i), column_of(t, i), sum_[i]);
  }

  /// Number by number.
  UNMASK_DEVICE void times(const tile& other) {
    UNMASK_UNROLL
    for (int i = 0; i < 32; ++i) sum_[i] *= other.sum_[i];
  }

 private:
  static constexpr bool plain = std::is_same_v<Math, plain_math<T>>;

  template <class Thread>
  static UNMASK_DEVICE int row_of(Thread& t, int i) {
    return plain ? t.thread() / 16 * 8 + i / 4 : t.warp() * 16 + t.lane() / 4 + i % 4 / 2 * 8;
  }
  template <class Thread>
  static UNMASK_DEVICE int column_of(Thread& t, int i) {
    return plain ? t.thread() % 16 * 4 + i % 4 : i / 4 * 8 + t.lane() % 4 * 2 + i % 2;
  }

  template <class Thread, class Row>
  UNMASK_DEVICE void multiply_plain(Thread& t, const Row& a, const T* b, int depth) {
    const int row = t.thread() / 16 * 8, col = t.thread() % 16 * 4;
    for (int p = 0; p < depth; p += 4) {
      quad<T> w[4];
      UNMASK_UNROLL
      for (int i = 0; i < 4; ++i) w[i] = load_quad(b + (p + i) * tile_ldb + col);
      UNMASK_UNROLL
      for (int i = 0; i < 8; ++i) {
        const quad<T> x = load_quad(a(row + i) + p);
        UNMASK_UNROLL
        for (int q = 0; q < 4; ++q) UNMASK_UNROLL
        for (int j = 0; j < 4; ++j) sum_[4 * i + j] += x.v[q] * w[q].v[j];
      }
    }
  }

  template <class Thread, class Row>
  UNMASK_DEVICE void multiply_tensor(Thread& t, const Row& a, const element* b, int depth) {
    constexpr int half = Math::step / 2, per_word = 4 / static_cast<int>(sizeof(element));
    const auto word = [](const element* at) { return *reinterpret_cast<const std::uint32_t*>(at); };
    const int row = t.warp() * 16 + t.lane() / 4, place = t.lane() % 4 * per_word, col = t.lane() / 4;
    UNMASK_UNROLL_BY(2)  // further loads would be waited for anyway, and the fused gradient would spill
    for (int p = 0; p < depth; p += Math::step) {
      const element *upper = a(row) + p + place, *lower = a(row + 8) + p + place;
      const mma_a x{{word(upper), word(lower), word(upper + half), word(lower + half)}};
      UNMASK_UNROLL
      for (int j = 0; j < 8; ++j) {
        const mma_b w{{word(b + Math::b_at(p + place, 8 * j + col, tile_ldb)),
                       word(b + Math::b_at(p + place + half, 8 * j + col, tile_ldb))}};
        mma(t, Math{}, sum_ + 4 * j, x, w);
      }
    }
  }

  T sum_[32];
};

/// Stores rows [0, depth) of B, columns [first, first + 64), from row-major memory; zeros outside `rows` x `cols`.
/// A warp a row.
template <class Math, class Thread>
UNMASK_DEVICE void load_b(Thread& t, typename Math::element* to, const typename Math::number* from, index_t ldb,
                          index_t rows, index_t first, index_t cols, int depth) {
  using T = typename Math::number;
  for (int k = t.warp(); k < depth; k += t.threads() / warp_size) {
    const T* const row = from + k * ldb + first;
    for (int n = t.lane(); n < tile_cols; n += warp_size)
      to[Math::b_at(k, n, tile_ldb)] = Math::store(k < rows && first + n < cols ? row[n] : T(0));
  }
}

}  // namespace unmask::inline UNMASK_ABI::detail
