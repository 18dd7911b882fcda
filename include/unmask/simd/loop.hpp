#pragma once

/// Loops over contiguous numbers, body and tail written once: `f` sees packs only. What is left over at the end is
/// loaded into a register padded with zeros instead of going through a second, scalar version of `f`.

#include "math.hpp"

namespace unmask::inline UNMASK_ABI::simd {

/// How a loop body reads and writes its numbers: a whole pack, or the first `count` of one.
template <class T>
struct whole_pack {
  auto load(const T* p) const { return pack<T>::load(p); }
  void store(T* p, typename pack<T>::type v) const { pack<T>::store(p, v); }
};
template <class T>
struct part_pack {
  index_t count;
  auto load(const T* p) const { return pack<T>::load_part(p, count, T(0)); }
  void store(T* p, typename pack<T>::type v) const { pack<T>::store_part(p, count, v); }
};

/// body(i, access) for i = 0, lanes, 2 lanes, ...: `access` loads and stores what is left of n at i.
template <class T, class Body>
void each_pack(index_t n, Body&& body) {
  constexpr index_t lanes = pack<T>::lanes;
  index_t i = 0;
  for (; i + lanes <= n; i += lanes) body(i, whole_pack<T>{});
  if (i < n) body(i, part_pack<T>{n - i});
}

/// y[i] = f(x0[i], x1[i], ...); y may be one of the inputs.
template <class T, class F, class... In>
void transform(index_t n, T* y, F&& f, const In*... x) {
  each_pack<T>(n, [&](index_t i, auto access) { access.store(y + i, f(access.load(x + i)...)); });
}

/// The same for the functions of math.hpp: `f` sees packs<T, 4>, and packs<T, 1> at the end.
template <class T, class F, class... In>
void transform4(index_t n, T* y, F&& f, const In*... x) {
  using P = pack<T>;
  constexpr index_t lanes = P::lanes;
  const auto load = [](const T* p) {
    return packs<T, 4>{P::load(p), P::load(p + lanes), P::load(p + 2 * lanes), P::load(p + 3 * lanes)};
  };
  index_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    const packs<T, 4> v = f(load(x + i)...);
    for (index_t k = 0; k < 4; ++k) P::store(y + i + k * lanes, v[static_cast<std::size_t>(k)]);
  }
  if (i < n)
    transform<T>(
        n - i, y + i, [&](auto... v) { return f(packs<T, 1>{v}...)[0]; }, (x + i)...);
}

/// Sum of f(x0[i], ...) in a fixed order; f must map zeros to zero, which is what a tail is filled with.
template <class T, class F, class... In>
T sum(index_t n, F&& f, const T* first, const In*... x) {
  using P = pack<T>;
  auto total = P::all(T(0));
  each_pack<T>(n, [&](index_t i, auto access) { total = total + f(access.load(first + i), access.load(x + i)...); });
  return P::sum(total);
}

/// Largest of n >= 1 numbers.
template <class T>
T maximum(index_t n, const T* x) {
  using P = pack<T>;
  auto m = P::all(x[0]);
  index_t i = 0;
  for (; i + P::lanes <= n; i += P::lanes) m = P::max(m, P::load(x + i));
  if (i < n) m = P::max(m, P::load_part(x + i, n - i, x[0]));
  return P::maximum(m);
}

}  // namespace unmask::inline UNMASK_ABI::simd
