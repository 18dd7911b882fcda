#pragma once

/// Transposition of small blocks in registers. Shuffles inside a 128-bit group are one instruction on every instruction
/// set, across groups they are not: so the groups of a register are loaded from (and stored to) different rows, and
/// only group x group blocks are ever turned.

#include <array>
#include <utility>

#include "pack.hpp"

namespace unmask::inline UNMASK_ABI::simd {

/// One number a group: long double, or no instruction set.
template <class T>
struct scalar_groups {
  static constexpr index_t size = 1, count = 1;
  using type = T;
  static type load(const std::array<const T*, 1>& p) { return *p[0]; }
  static void store(const std::array<T*, 1>& p, type v) { *p[0] = v; }
  static void turn(type*) {}
};

#if UNMASK_HAS_SIMD
template <class T>
struct vector_groups {
  static constexpr index_t size = static_cast<index_t>(16 / sizeof(T));  ///< numbers of a group
  static constexpr index_t count = vector_pack<T>::lanes / size;         ///< groups of a register
  static constexpr std::size_t lanes = static_cast<std::size_t>(size * count);
  typedef T type __attribute__((vector_size(sizeof(T) * lanes)));
  typedef T group __attribute__((vector_size(16)));
  typedef T unaligned_group __attribute__((vector_size(16), aligned(alignof(T)), may_alias));

  /// Group g of the register from p[g].
  static type load(const std::array<const T*, static_cast<std::size_t>(count)>& p) {
    if constexpr (count == 1)
      return at(p[0]);
    else if constexpr (count == 2)
      return join(at(p[0]), at(p[1]), indices<lanes>{});
    else
      return join(join(at(p[0]), at(p[1]), indices<lanes / 2>{}), join(at(p[2]), at(p[3]), indices<lanes / 2>{}),
                  indices<lanes>{});
  }
  static void store(const std::array<T*, static_cast<std::size_t>(count)>& p, type v) {
    [&]<std::size_t... G>(std::index_sequence<G...>) {
      ((*reinterpret_cast<unaligned_group*>(p[G]) = part<G>(v, indices<std::size_t(size)>{})), ...);
    }
    (indices<std::size_t(count)>{});
  }
  /// Transposes `size` registers group by group: log2(size) perfect shuffles.
  static void turn(type* v) {
#pragma GCC unroll 2
    for (index_t stage = 1; stage < size; stage *= 2) {
      type next[static_cast<std::size_t>(size)];
#pragma GCC unroll 2
      for (index_t i = 0; i < size / 2; ++i) {
        next[2 * i] = zip<0>(v[i], v[i + size / 2], indices<lanes>{});
        next[2 * i + 1] = zip<size / 2>(v[i], v[i + size / 2], indices<lanes>{});
      }
#pragma GCC unroll 4
      for (index_t i = 0; i < size; ++i) v[i] = next[i];
    }
  }

 private:
  template <std::size_t N>
  using indices = std::make_index_sequence<N>;
  static group at(const T* p) { return *reinterpret_cast<const unaligned_group*>(p); }
#if defined(__CUDACC__)  // nvcc 13 loses the packs below; it compiles what stays on the host beside a device
  template <class Half, std::size_t... I>
  static auto join(Half a, Half b, std::index_sequence<I...>) {
    typedef T whole __attribute__((vector_size(2 * sizeof(Half))));
    whole v;
    std::memcpy(&v, &a, sizeof(a));
    std::memcpy(reinterpret_cast<char*>(&v) + sizeof(a), &b, sizeof(b));
    return v;
  }
  template <std::size_t G, std::size_t... I>
  static group part(type v, std::index_sequence<I...>) {
    group g;
    std::memcpy(&g, reinterpret_cast<const char*>(&v) + G * sizeof(g), sizeof(g));
    return g;
  }
  template <std::size_t From, std::size_t... I>
  static type zip(type a, type b, std::index_sequence<I...>) {
    type v;
    for (std::size_t i = 0; i < lanes; ++i) {
      constexpr auto side = static_cast<std::size_t>(size);
      const std::size_t at = i / side * side + From + i % side / 2;
      v[i] = i % 2 == 1 ? b[at] : a[at];
    }
    return v;
  }
#else
  template <class Half, std::size_t... I>
  static auto join(Half a, Half b, std::index_sequence<I...>) {
    return __builtin_shufflevector(a, b, static_cast<int>(I)...);
  }
  template <std::size_t G, std::size_t... I>
  static group part(type v, std::index_sequence<I...>) {
    return __builtin_shufflevector(v, v, static_cast<int>(G * std::size_t(size) + I)...);
  }
  /// Interleaves halves of groups: a0 b0 a1 b1 of each group, counted from `From`.
  template <std::size_t From, std::size_t... I>
  static type zip(type a, type b, std::index_sequence<I...>) {
    return __builtin_shufflevector(
        a, b, static_cast<int>(I / size * size + From + I % size / 2 + (I % 2 == 1 ? lanes : 0))...);
  }
#endif
};

template <class T>
using groups = std::conditional_t<std::is_same_v<pack<T>, scalar_pack<T>>, scalar_groups<T>, vector_groups<T>>;
#else
template <class T>
using groups = scalar_groups<T>;
#endif

/// to(j)[i] = from(i)[j] for i < pack<T>::lanes, j < groups<T>::size.
template <class T, class To, class From>
void turn_rows_to_columns(To to, From from) {
  using G = groups<T>;
  typename G::type v[G::size];
#pragma GCC unroll 4
  for (index_t i = 0; i < G::size; ++i) {
    std::array<const T*, static_cast<std::size_t>(G::count)> p;
#pragma GCC unroll 4
    for (index_t g = 0; g < G::count; ++g) p[static_cast<std::size_t>(g)] = from(g * G::size + i);
    v[i] = G::load(p);
  }
  G::turn(v);
#pragma GCC unroll 4
  for (index_t j = 0; j < G::size; ++j) std::memcpy(to(j), &v[j], sizeof(v[0]));
}

/// to(i)[j] = from(j)[i] for i < pack<T>::lanes, j < groups<T>::size.
template <class T, class To, class From>
void turn_columns_to_rows(To to, From from) {
  using G = groups<T>;
  typename G::type v[G::size];
#pragma GCC unroll 4
  for (index_t j = 0; j < G::size; ++j) std::memcpy(&v[j], from(j), sizeof(v[0]));
  G::turn(v);
#pragma GCC unroll 4
  for (index_t i = 0; i < G::size; ++i) {
    std::array<T*, static_cast<std::size_t>(G::count)> p;
#pragma GCC unroll 4
    for (index_t g = 0; g < G::count; ++g) p[static_cast<std::size_t>(g)] = to(g * G::size + i);
    G::store(p, v[i]);
  }
}

}  // namespace unmask::inline UNMASK_ABI::simd
