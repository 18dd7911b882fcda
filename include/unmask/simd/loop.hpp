#pragma once

/// Loops over contiguous numbers, body and tail written once: `f` sees packs only. A tail is loaded into a padded
/// register image (filled with `fill`) instead of a second, scalar version of `f`.

#include <array>

#include "pack.hpp"

namespace unmask::inline UNMASK_ABI::simd {

namespace detail {
template <class T>
typename pack<T>::type load_tail(const T* p, index_t count, T fill) {
  std::array<T, static_cast<std::size_t>(pack<T>::lanes)> lane;
  lane.fill(fill);
  for (index_t i = 0; i < count; ++i) lane[static_cast<std::size_t>(i)] = p[i];
  return pack<T>::load(lane.data());
}

template <class T>
void store_tail(T* p, index_t count, typename pack<T>::type v) {
  std::array<T, static_cast<std::size_t>(pack<T>::lanes)> lane;
  pack<T>::store(lane.data(), v);
  for (index_t i = 0; i < count; ++i) p[i] = lane[static_cast<std::size_t>(i)];
}
}  // namespace detail

/// y[i] = f(x0[i], x1[i], ...); y may be one of the inputs.
template <class T, class F, class... In>
void transform(index_t n, T* y, F&& f, const In*... x) {
  constexpr index_t lanes = pack<T>::lanes;
  index_t i = 0;
  for (; i + lanes <= n; i += lanes) pack<T>::store(y + i, f(pack<T>::load(x + i)...));
  if (i < n) detail::store_tail<T>(y + i, n - i, f(detail::load_tail<T>(x + i, n - i, T(0))...));
}

/// Sum of f(x0[i], ...) in a fixed order; f must map zeros to zero, which is what a tail is filled with.
template <class T, class F, class... In>
T sum(index_t n, F&& f, const T* first, const In*... x) {
  using P = pack<T>;
  auto total = P::all(T(0));
  index_t i = 0;
  for (; i + P::lanes <= n; i += P::lanes) total = total + f(P::load(first + i), P::load(x + i)...);
  if (i < n) total = total + f(detail::load_tail<T>(first + i, n - i, T(0)), detail::load_tail<T>(x + i, n - i, T(0))...);
  return P::sum(total);
}

/// Largest of n >= 1 numbers.
template <class T>
T maximum(index_t n, const T* x) {
  using P = pack<T>;
  auto m = P::all(x[0]);
  index_t i = 0;
  for (; i + P::lanes <= n; i += P::lanes) m = P::max(m, P::load(x + i));
  if (i < n) m = P::max(m, detail::load_tail<T>(x + i, n - i, x[0]));
  return P::maximum(m);
}

}  // namespace unmask::inline UNMASK_ABI::simd
