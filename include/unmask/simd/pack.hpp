#pragma once

/// One register of numbers: with part.hpp the only place that names xsimd's types. The instruction set is what the
/// translation unit is compiled for; where xsimd knows none (or for long double, or with UNMASK_NO_SIMD) a pack is one
/// number and the same code runs scalar.

#include <bit>
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "../core/view.hpp"

#if UNMASK_HAS_SIMD
#include "part.hpp"
#endif

namespace unmask::inline UNMASK_ABI::simd {

/// What the cpu kernels of this translation unit were compiled for.
constexpr const char* instruction_set() {
#if !UNMASK_HAS_SIMD
  return "scalar";
#elif defined(__AVX512F__)
  return "AVX-512";
#elif defined(__AVX2__) && defined(__FMA__)
  return "AVX2 + FMA";
#elif defined(__AVX2__)
  return "AVX2";
#elif defined(__AVX__)
  return "AVX";
#elif defined(__SSE2__)
  return "SSE2";
#else
  return "NEON";
#endif
}

template <class T>
struct scalar_pack {
  static constexpr index_t lanes = 1;
  using type = T;
  static type load(const T* p) { return *p; }
  static type all(T value) { return value; }
  static void store(T* p, type v) { *p = v; }
  static type load_part(const T*, index_t, T fill) { return fill; }  // fewer than one number is none
  static void store_part(T*, index_t, type) {}
  static type fma(type a, type b, type c) { return a * b + c; }
  static type fnma(type a, type b, type c) { return c - a * b; }
  static type min(type a, type b) { return a < b ? a : b; }  // of a NaN in b: NaN
  static type max(type a, type b) { return a > b ? a : b; }  // the same
  static type abs(type v) { return std::abs(v); }
  static type where_negative(type x, type yes, type no) { return x < 0 ? yes : no; }
  static T sum(type v) { return v; }
  static T maximum(type v) { return v; }
  static type sqrt(type v) { return std::sqrt(v); }
  static type held(type v) { return v; }
  static type exp(type v) { return std::exp(v); }
  static type exp2(type v) { return std::exp2(v); }
  static type erf(type v) { return std::erf(v); }

  /// float: the number whose bits are those of v, moved to the left.
  template <int Bits>
  static type shift_bits(type v) {
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(v) << Bits);
  }
};

#if UNMASK_HAS_SIMD
template <class T, class Batch = xsimd::batch<T>>
struct vector_pack {
  using type = Batch;
  static constexpr index_t lanes = static_cast<index_t>(type::size);
  static type load(const T* p) { return type::load_unaligned(p); }
  static type all(T value) { return type(value); }
  static void store(T* p, type v) { v.store_unaligned(p); }

  /// The first `count` < lanes numbers, the rest is `fill`; nothing past them is read.
  static type load_part(const T* p, index_t count, T fill) { return detail::load_part(p, count, all(fill)); }
  static void store_part(T* p, index_t count, type v) { detail::store_part(p, count, v); }
  static type fma(type a, type b, type c) { return xsimd::fma(a, b, c); }
  static type fnma(type a, type b, type c) { return xsimd::fnma(a, b, c); }
  static type min(type a, type b) { return xsimd::min(a, b); }
  static type max(type a, type b) { return xsimd::max(a, b); }
  static type abs(type v) { return xsimd::abs(v); }
  static type where_negative(type x, type yes, type no) { return xsimd::select(x < type(T(0)), yes, no); }
  static T sum(type v) { return xsimd::hadd(v); }

  /// v, in a register: where g++ unrolls a loop it reads what several multiply-adds share from memory for each of them
  /// again, and the loads take the time (scores of heads of 10: 7.6 instead of 5.2 us a window of 6 heads).
  static type held(type v) {
#if defined(__GNUC__) && !defined(__clang__) && defined(__SSE__)
    asm("" : "+x"(v.data));
#endif
    return v;
  }
  static T maximum(type v) {
    T lane[static_cast<std::size_t>(lanes)];
    store(lane, v);
    T m = lane[0];
    for (T l : lane) m = l > m ? l : m;
    return m;
  }
  static type sqrt(type v) { return xsimd::sqrt(v); }
  static type exp(type v) {
    return tamed(v, [](type x) { return xsimd::exp(x); });
  }
  static type exp2(type v) {
    return tamed(v, [](type x) { return xsimd::exp2(x); });
  }
  static type erf(type v) {
    return tamed(v, [](type x) { return xsimd::erf(x); });
  }

  /// f(v) for xsimd's exponentials, which convert to integers what no integer holds: NaN (as padded lanes may be) and
  /// numbers beyond 2^63. All of them are 0, 1 or infinite long before 2000.
  template <class F>
  static type tamed(type v, F f) {
    const auto ordered = v == v;
    const type x = xsimd::select(ordered, v, type(T(0)));
    return xsimd::select(ordered, f(xsimd::min(type(T(2000)), xsimd::max(type(T(-2000)), x))), v);
  }
  template <int Bits>
  static type shift_bits(type v) {
    return xsimd::bitwise_cast<type>(xsimd::bitwise_cast<xsimd::batch<std::int32_t>>(v) << Bits);
  }
};
/// Whether the instruction set has registers of T: NEON on 32 bits has none of doubles.
template <class T>
constexpr bool in_registers = false;
template <>
inline constexpr bool in_registers<float> = xsimd::has_simd_register<float>::value;
template <>
inline constexpr bool in_registers<double> = xsimd::has_simd_register<double>::value;

template <class T>
using pack = std::conditional_t<in_registers<T>, vector_pack<T>, scalar_pack<T>>;

namespace detail {
template <class T, bool Halves>
struct row_pack {
  using type = pack<T>;
};
template <class T>
struct row_pack<T, true> {
  using type = vector_pack<T, xsimd::make_sized_batch_t<T, 8>>;
};
}  // namespace detail

/// For what comes in rows of 8 floats, as a window does: half of a register of AVX-512, else a pack.
template <class T>
using row_pack = typename detail::row_pack<T, (pack<T>::lanes == 16)>::type;
#else
template <class T>
using pack = scalar_pack<T>;
template <class T>
using row_pack = scalar_pack<T>;
#endif

}  // namespace unmask::inline UNMASK_ABI::simd
