#pragma once

/// The first `count` numbers of a register, 0 <= count < lanes: masked loads and stores where the machine has them (a
/// third less time for a training step with E 30), else pieces of half a register, a quarter, ..., one number. A loop
/// of variable length would become a call of memcpy. Nothing past the part is touched.

#include <xsimd/xsimd.hpp>

#include <cstdint>
#include <cstring>

#include "../core/view.hpp"

namespace unmask::inline UNMASK_ABI::simd::detail {

#if defined(__AVX512F__)
inline unsigned first(index_t count) { return (1u << count) - 1; }
inline __m512 load_part(const float* p, index_t count, __m512 fill) {
  return _mm512_mask_loadu_ps(fill, static_cast<__mmask16>(first(count)), p);
}
inline __m512d load_part(const double* p, index_t count, __m512d fill) {
  return _mm512_mask_loadu_pd(fill, static_cast<__mmask8>(first(count)), p);
}
inline void store_part(float* p, index_t count, __m512 v) {
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>(first(count)), v);
}
inline void store_part(double* p, index_t count, __m512d v) {
  _mm512_mask_storeu_pd(p, static_cast<__mmask8>(first(count)), v);
}
#elif defined(__AVX__)
template <class T>
__m256i first(index_t count) {
  static constexpr std::int32_t ones_then_zeros[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
  const index_t ones = count * static_cast<index_t>(sizeof(T) / sizeof(std::int32_t));
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(ones_then_zeros + 8 - ones));
}
inline __m256 load_part(const float* p, index_t count, __m256 fill) {
  const auto mask = first<float>(count);
  return _mm256_blendv_ps(fill, _mm256_maskload_ps(p, mask), _mm256_castsi256_ps(mask));
}
inline __m256d load_part(const double* p, index_t count, __m256d fill) {
  const auto mask = first<double>(count);
  return _mm256_blendv_pd(fill, _mm256_maskload_pd(p, mask), _mm256_castsi256_pd(mask));
}
inline void store_part(float* p, index_t count, __m256 v) { _mm256_maskstore_ps(p, first<float>(count), v); }
inline void store_part(double* p, index_t count, __m256d v) { _mm256_maskstore_pd(p, first<double>(count), v); }
#else
template <index_t Piece, class T>
void copy_part(T* to, const T* from, index_t count) {
  if (count & Piece) {
    std::memcpy(to, from, sizeof(T) * static_cast<std::size_t>(Piece));
    to += Piece;
    from += Piece;
  }
  if constexpr (Piece > 1) copy_part<Piece / 2>(to, from, count);
}
template <class T>
xsimd::batch<T> load_part(const T* p, index_t count, xsimd::batch<T> fill) {
  using V = xsimd::batch<T>;
  alignas(alignof(V)) T lane[V::size];
  fill.store_aligned(lane);
  copy_part<static_cast<index_t>(V::size) / 2>(lane, p, count);
  return V::load_aligned(lane);
}
template <class T>
void store_part(T* p, index_t count, xsimd::batch<T> v) {
  using V = xsimd::batch<T>;
  alignas(alignof(V)) T lane[V::size];
  v.store_aligned(lane);
  copy_part<static_cast<index_t>(V::size) / 2>(p, lane, count);
}
#endif

}  // namespace unmask::inline UNMASK_ABI::simd::detail
