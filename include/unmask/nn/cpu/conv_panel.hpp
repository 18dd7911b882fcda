#pragma once

/// The products of a 3x3 convolution: register tiles on panels of two registers of outputs, padded with zeros, so that
/// 60 outputs cost 64 and no product has a narrow tail.

#include <algorithm>

#include "../../parallel/parallel_for.hpp"
#include "../../simd/pack.hpp"

namespace unmask::inline UNMASK_ABI::detail {

template <class T>
struct conv_panel {
  using P = simd::pack<T>;
  static constexpr index_t rows = 6;  ///< x 2 packs: 12 of AVX2's 16 registers, enough to hide a latency of 4
  static constexpr index_t width = 2 * P::lanes;

  /// What a product reads as its left operand, and whether it adds to what is there.
  enum class left {
    rows,    ///< sum = A b with A[r, p] = a[r * stride + p]
    columns  ///< sum += A b with A[r, p] = a[p * stride + r]
  };

  /// sum[R][width] = or += A[R, k] b[k][width].
  /// g++ 12 keeps the sums in registers only if every loop over them is unrolled; inlined into the switch below the
  /// tiles were 2 to 10 % slower.
  template <int R, left Left>
  [[gnu::noinline]] static void tile(T* sum, const T* a, index_t stride, const T* b, index_t k) {
    typename P::type s[static_cast<std::size_t>(R)][2];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
      for (int w = 0; w < 2; ++w) s[r][w] = Left == left::rows ? P::all(T(0)) : P::load(sum + r * width + w * P::lanes);
    for (index_t p = 0; p < k; ++p) {
      const auto b0 = P::load(b + p * width), b1 = P::load(b + p * width + P::lanes);
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) {
        const auto value = P::all(Left == left::rows ? a[r * stride + p] : a[p * stride + r]);
        s[r][0] = P::fma(value, b0, s[r][0]);
        s[r][1] = P::fma(value, b1, s[r][1]);
      }
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
      for (int w = 0; w < 2; ++w) P::store(sum + r * width + w * P::lanes, s[r][w]);
  }

  template <left Left>
  static void some_rows(index_t m, T* sum, const T* a, index_t stride, const T* b, index_t k) {
    switch (m) {
      case 1:
        return tile<1, Left>(sum, a, stride, b, k);
      case 2:
        return tile<2, Left>(sum, a, stride, b, k);
      case 3:
        return tile<3, Left>(sum, a, stride, b, k);
      case 4:
        return tile<4, Left>(sum, a, stride, b, k);
      case 5:
        return tile<5, Left>(sum, a, stride, b, k);
      default:
        return tile<6, Left>(sum, a, stride, b, k);
    }
  }

  /// The same for any number of rows, in parts nearly equal: 64 is nine of 6 and two of 5, never a 1.
  template <left Left>
  static void product(index_t m, T* sum, const T* a, index_t stride, const T* b, index_t k) {
    const index_t parts = (m + rows - 1) / rows;
    for (index_t i = 0; i < parts; ++i) {
      const index_t begin = chunk_begin(i, parts, m), count = chunk_begin(i + 1, parts, m) - begin;
      some_rows<Left>(count, sum + begin * width, a + begin * (Left == left::rows ? stride : 1), stride, b, k);
    }
  }
};

}  // namespace unmask::inline UNMASK_ABI::detail
