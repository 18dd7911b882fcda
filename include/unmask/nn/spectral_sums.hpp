#pragma once

/// Sums over the tokens of a set, from which spectral attention is made.
///   forward   products[h D + j, i] = sum_n left[n, h D + j] right[n, h D + i] for every head h,
///             and, where asked for, the sums of squares of right's and of left's channels
///   shapes    left, right: rows of C numbers; sums [C D + 2 C] of each set and chunk of tokens
/// A host adds the tokens it is given to the sums of one chunk of one set; a device writes those of the whole part.
/// Serial. Its gradient is in spectral_apply (products of the same kind).

#include "matmul.hpp"
#include "spectral_msa_parts.hpp"

namespace unmask::inline UNMASK_ABI {

namespace op {
struct spectral_sums {};
}  // namespace op

template <>
struct kernel<op::spectral_sums, ref> : no_scratch {
  /// Numbers of one chunk, and of all that a part needs.
  static constexpr index_t size(const spectral_msa& l) { return l.channels * l.width + 2 * l.channels; }
  static index_t room(const spectral_msa& l, const batch_grid&) {
    return (l.scope == spectral_scope::window ? 1 : max_chunks) * size(l);
  }

  template <class Backend, class T>
  static void forward(const Backend& be, T* sums, matrix<const T> left, matrix<const T> right, const spectral_rows& s,
                      bool squares) {
    const index_t c = s.l.channels, d = s.l.width;
    for (index_t h = 0; h < c; h += d)
      multiply_add(be, {sums + h * d, d}, transposed(left.data + h, left.ld), {right.data + h, right.ld},
                   {d, d, s.rows});
    if (!squares) return;
    T *const of_right = sums + c * d, *const of_left = of_right + c;
    for (index_t i = 0; i < s.rows; ++i) {
      const T *const r = right.data + i * right.ld, *const l = left.data + i * left.ld;
      for (index_t k = 0; k < c; ++k) of_right[k] += r[k] * r[k];
      for (index_t k = 0; k < c; ++k) of_left[k] += l[k] * l[k];
    }
  }
};

}  // namespace unmask::inline UNMASK_ABI
