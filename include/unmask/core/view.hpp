#pragma once

/// Non-owning, row-major views whose shape is part of the type where it is known (the words are std::mdspan's).
///
///   view<float, shape<dyn, dyn, 28>> x(data, height, width);   // x(h, w, c), x.extent(2) == 28 at compile time
///
/// Sizes that are architecture (bands, channels, heads, window) may be static, sizes that the scene decides are `dyn`.
/// A mutable view converts to a const one and a static extent to a dynamic one; contradicting static extents do not
/// compile. Dimension letters: B batch, H height, W width, C channels or bands, N rows (tokens), M window side,
/// NH heads, D head width.

#include <array>
#include <cassert>
#include <cstddef>
#include <type_traits>

#include "config.hpp"

namespace unmask::inline UNMASK_ABI {

using index_t = std::ptrdiff_t;

/// An extent that is known only at run time.
inline constexpr index_t dyn = -1;

template <index_t... Extents>
struct shape {
  static constexpr std::size_t rank = sizeof...(Extents);
  static constexpr std::array<index_t, rank> extents{Extents...};
  static constexpr std::size_t dynamic = (std::size_t{0} + ... + (Extents == dyn ? 1 : 0));
};

namespace detail {

template <class From, class To>
constexpr bool converts() {
  if constexpr (From::rank != To::rank) {
    return false;
  } else {
    for (std::size_t i = 0; i < From::rank; ++i)
      if (To::extents[i] != dyn && To::extents[i] != From::extents[i]) return false;
    return true;
  }
}

template <std::size_t Rank, index_t... Extents>
struct dynamic_shape : dynamic_shape<Rank - 1, dyn, Extents...> {};
template <index_t... Extents>
struct dynamic_shape<0, Extents...> {
  using type = shape<Extents...>;
};

}  // namespace detail

template <class T, class Shape>
class view {
 public:
  using value_type = std::remove_const_t<T>;
  using shape_type = Shape;
  static constexpr std::size_t rank = Shape::rank;

  constexpr view() = default;

  /// One argument for each dynamic extent, in order.
  template <class... Sizes>
  requires(sizeof...(Sizes) == Shape::dynamic) constexpr explicit view(T* data, Sizes... sizes)
      : data_(data), extents_(Shape::extents) {
    const std::array<index_t, sizeof...(Sizes) + 1> given{static_cast<index_t>(sizes)..., 0};
    for (std::size_t i = 0, next = 0; i < rank; ++i)
      if (Shape::extents[i] == dyn) extents_[i] = given[next++];
  }

  template <class U, class From>
  requires(std::is_convertible_v<U (*)[], T (*)[]>&& detail::converts<From, Shape>()) constexpr view(
      const view<U, From>& other)
      : data_(other.data()), extents_(other.extents()) {}

  constexpr T* data() const { return data_; }
  constexpr index_t extent(std::size_t i) const { return Shape::extents[i] != dyn ? Shape::extents[i] : extents_[i]; }
  constexpr const std::array<index_t, rank>& extents() const { return extents_; }

  constexpr index_t size() const {
    index_t n = 1;
    for (std::size_t i = 0; i < rank; ++i) n *= extent(i);
    return n;
  }

  template <class... Index>
  requires(sizeof...(Index) == Shape::rank) constexpr T& operator()(Index... index) const {
    const std::array<index_t, rank> at{static_cast<index_t>(index)...};
    index_t offset = 0;
    for (std::size_t i = 0; i < rank; ++i) {
      assert(at[i] >= 0 && at[i] < extent(i));
      offset = offset * extent(i) + at[i];
    }
    return data_[offset];
  }

  constexpr T* begin() const { return data_; }
  constexpr T* end() const { return data_ + size(); }

 private:
  T* data_ = nullptr;
  std::array<index_t, rank> extents_{};
};

/// Fully dynamic view of a given rank.
template <class T, std::size_t Rank>
using array_view = view<T, typename detail::dynamic_shape<Rank>::type>;

/// A read-only argument: deduces nothing, so mutable and static views convert to it.
template <class T, std::size_t Rank>
using in = std::type_identity_t<array_view<const T, Rank>>;

/// An output argument.
template <class T, std::size_t Rank>
using out = std::type_identity_t<array_view<T, Rank>>;

}  // namespace unmask::inline UNMASK_ABI
