#pragma once

/// exp2, exp and GELU of packs<T, N>, an array of registers worked on in step. Each multiply-add of a chain waits four
/// cycles for the one before, so one register at a time leaves most of the machine idle; four at a time keep it busy.
///
///   float    polynomials with coefficients by bench/lab/fit_math.py: no table, no division, no branch
///   double   the vector library (or std): below 2 ulp; long double: std
///
///                          largest error of a float        cycles for 8 floats (Zen 3, AVX2, g++ 12)
///                                                          four packs   one    xsimd 8.1
///   exp2                   1.95 ulp on [-126, 127.5)         4.5        8.4
///   exp                    1.99 ulp on [-87, 88]             5.5                 9.1
///   gelu                   2.6e-7 on [-9, 9]                10.9       20.3     28.4 (erf alone)
///   gelu_with_derivative   the same; derivative 2.2e-7      17.9
///
/// NaN gives NaN. exp2 is 0 up to -127 and infinite from 127.5 on, subnormal or 0 between -127 and -126; exp the same,
/// times ln 2. Of floats, gelu(inf) = inf, gelu(-inf) = 0, and the derivatives there are 1 and 0.

#include <array>
#include <cfloat>
#include <numbers>

#include "pack.hpp"

namespace unmask::inline UNMASK_ABI::simd {

template <class T, std::size_t N>
using packs = std::array<typename pack<T>::type, N>;

/// y[i] = f(x[i], ...) for arrays of packs.
template <class V, std::size_t N, class F, class... X>
UNMASK_INLINE std::array<V, N> map(F f, const std::array<V, N>& x, const X&... more) {
  std::array<V, N> y;
#pragma GCC unroll 8
  for (std::size_t i = 0; i < N; ++i) y[i] = f(x[i], more[i]...);
  return y;
}

namespace detail {

/// Adding and subtracting a large number does not round where floats are computed as long doubles (x87).
template <class T>
inline constexpr bool rounds_as_float = std::is_same_v<T, float>&& FLT_EVAL_METHOD == 0;

template <class T, std::size_t N>
UNMASK_INLINE void horner_step(packs<T, N>& sum, const packs<T, N>& x, T c) {
#pragma GCC unroll 8
  for (std::size_t i = 0; i < N; ++i) sum[i] = pack<T>::fma(sum[i], x[i], pack<T>::all(c));
}

/// Highest power first.
template <class T, std::size_t N, class... C>
UNMASK_INLINE packs<T, N> polynomial(const packs<T, N>& x, T highest, C... rest) {
  packs<T, N> sum;
  sum.fill(pack<T>::all(highest));
  (horner_step<T>(sum, x, rest), ...);
  return sum;
}

/// Added to |x| < 2^22, rounds x to an integer n and leaves n + 127 in the lowest bits, where 23 places to the left it
/// is the exponent of 2^n: 0 for n = -127, infinity for n = 128.
inline constexpr float round_to_exponent = 3 << 22 | 127;

/// 2^x on [-127.5, 127.5) and at 128.
template <std::size_t N>
UNMASK_INLINE packs<float, N> exp2_in_range(const packs<float, N>& x) {
  using P = pack<float>;
  const auto magic = P::all(round_to_exponent);
  packs<float, N> rounded, f;
#pragma GCC unroll 8
  for (std::size_t i = 0; i < N; ++i) {
    rounded[i] = x[i] + magic;
    f[i] = x[i] - (rounded[i] - magic);
  }
  auto y = polynomial<float>(f, 0.00132695353f, 0.00967129227f, 0.0555071086f, 0.240222469f, 0.693147004f, 1.f);
#pragma GCC unroll 8
  for (std::size_t i = 0; i < N; ++i) y[i] = y[i] * P::template shift_bits<23>(rounded[i]);
  return y;
}

/// e^x on [-127.5, 127.5) ln 2 and at 128 ln 2.
template <std::size_t N>
UNMASK_INLINE packs<float, N> exp_in_range(const packs<float, N>& x) {
  using P = pack<float>;
  const auto magic = P::all(round_to_exponent), log2e = P::all(1.44269504f);
  // n ln 2 in two steps; the first is exact (9 bits times 8), so that it needs no fused multiply-add
  const auto ln2_high = P::all(355.f / 512), ln2_low = P::all(-2.12194440e-4f);
  packs<float, N> rounded, f;
#pragma GCC unroll 8
  for (std::size_t i = 0; i < N; ++i) {
    rounded[i] = P::fma(x[i], log2e, magic);
    const auto n = rounded[i] - magic;
    f[i] = P::fnma(n, ln2_low, P::fnma(n, ln2_high, x[i]));
  }
  auto y = polynomial<float>(f, 0.00828956626f, 0.0418978259f, 0.166676491f, 0.499991506f, 0.999999702f, 1.f);
#pragma GCC unroll 8
  for (std::size_t i = 0; i < N; ++i) y[i] = y[i] * P::template shift_bits<23>(rounded[i]);
  return y;
}

template <std::size_t N>
UNMASK_INLINE packs<float, N> clamp(const packs<float, N>& x, float low, float high) {
  using P = pack<float>;
  packs<float, N> y;
#pragma GCC unroll 8
  for (std::size_t i = 0; i < N; ++i) y[i] = P::min(P::all(high), P::max(P::all(low), x[i]));
  return y;
}

/// min(|x|, 11.02): from 11.017 on `upper_tail` is 0.
template <std::size_t N>
UNMASK_INLINE packs<float, N> tail_argument(const packs<float, N>& x) {
  using P = pack<float>;
  packs<float, N> a;
#pragma GCC unroll 8
  for (std::size_t i = 0; i < N; ++i) a[i] = P::min(P::all(11.02f), P::abs(x[i]));
  return a;
}

/// P(X > a) of the standard normal distribution on [0, 11.02], as 2^polynomial: falling, absolute error
/// 3e-8 / max(a, 1/2) before rounding, relative error up to 6 below 0.25 %.
template <std::size_t N>
UNMASK_INLINE packs<float, N> upper_tail(const packs<float, N>& a) {
  return exp2_in_range(polynomial<float>(a, -1.19229969e-06f, 1.97348509e-05f, -9.36352881e-05f, -0.000356631965f,
                                         0.00734185381f, -0.0526791923f, -0.459153146f, -1.15111053f, -1.f));
}

/// relu(x) - a Q(a) with a = |x|.
template <std::size_t N>
UNMASK_INLINE packs<float, N> gelu_from_tail(const packs<float, N>& x, const packs<float, N>& a,
                                             const packs<float, N>& tail) {
  using P = pack<float>;
  packs<float, N> y;
#pragma GCC unroll 8
  for (std::size_t i = 0; i < N; ++i) y[i] = P::fnma(a[i], tail[i], P::max(P::all(0.f), x[i]));
  return y;
}

/// Phi(x)
template <class T>
auto normal_cdf(typename pack<T>::type x) {
  using P = pack<T>;
  const auto half = P::all(T(0.5));
  return P::fma(half, P::erf(x * P::all(1 / std::numbers::sqrt2_v<T>)), half);
}

}  // namespace detail

/// 2^x.
template <class T, std::size_t N>
UNMASK_INLINE packs<T, N> exp2(const packs<T, N>& x) {
  if constexpr (detail::rounds_as_float<T>)
    return detail::exp2_in_range(detail::clamp(x, -127, 128));
  else
    return map([](auto v) { return pack<T>::exp2(v); }, x);
}

/// e^x.
template <class T, std::size_t N>
UNMASK_INLINE packs<T, N> exp(const packs<T, N>& x) {
  if constexpr (detail::rounds_as_float<T>)
    return detail::exp_in_range(detail::clamp(x, -88.0296919f, 88.7228391f));
  else
    return map([](auto v) { return pack<T>::exp(v); }, x);
}

/// x Phi(x), the exact GELU.
template <class T, std::size_t N>
UNMASK_INLINE packs<T, N> gelu(const packs<T, N>& x) {
  if constexpr (detail::rounds_as_float<T>) {
    const auto a = detail::tail_argument(x);
    return detail::gelu_from_tail(x, a, detail::upper_tail(a));
  } else {
    return map([](auto v) { return v * detail::normal_cdf<T>(v); }, x);
  }
}

template <class V>
struct value_and_derivative {
  V value, derivative;
};

/// GELU and Phi(x) + x phi(x).
template <class T, std::size_t N>
UNMASK_INLINE value_and_derivative<packs<T, N>> gelu_with_derivative(const packs<T, N>& x) {
  using P = pack<T>;
  value_and_derivative<packs<T, N>> y;
  if constexpr (detail::rounds_as_float<T>) {
    const auto a = detail::tail_argument(x);
    const auto tail = detail::upper_tail(a);
    y.value = detail::gelu_from_tail(x, a, tail);
    // the derivative at -a, Q - a phi, as Q times a second polynomial instead of with a second exponential
    const auto slope = detail::polynomial<T>(a, -1.01205414e-05f, 0.000132361864f, -0.000533729093f, -0.000966589781f,
                                             0.0201149099f, -0.109456018f, -0.636524498f, -0.7978912f, 1.f);
#pragma GCC unroll 8
    for (std::size_t i = 0; i < N; ++i)
      y.derivative[i] = P::where_negative(x[i], slope[i] * tail[i], P::fnma(slope[i], tail[i], P::all(1.f)));
  } else {
    const auto half = P::all(T(-0.5)), scale = P::all(std::numbers::inv_sqrtpi_v<T> / std::numbers::sqrt2_v<T>);
    for (std::size_t i = 0; i < N; ++i) {
      const auto v = x[i], cdf = detail::normal_cdf<T>(v);
      y.value[i] = v * cdf;
      y.derivative[i] = P::fma(v * scale, P::exp(half * v * v), cdf);
    }
  }
  return y;
}

/// The same of one pack.
template <class T>
auto exp2(typename pack<T>::type x) {
  return exp2<T>(packs<T, 1>{x})[0];
}
template <class T>
auto exp(typename pack<T>::type x) {
  return exp<T>(packs<T, 1>{x})[0];
}
template <class T>
auto gelu(typename pack<T>::type x) {
  return gelu<T>(packs<T, 1>{x})[0];
}
template <class T>
value_and_derivative<typename pack<T>::type> gelu_with_derivative(typename pack<T>::type x) {
  const auto both = gelu_with_derivative<T>(packs<T, 1>{x});
  return {both.value[0], both.derivative[0]};
}

}  // namespace unmask::inline UNMASK_ABI::simd
