#pragma once

/// Owning row-major array for the edges of the library (files, pictures, metrics, tools); kernels only ever see views.
/// A hyperspectral cube is `tensor<float, 3>` as [H, W, C], a coded mask or a measurement `tensor<float, 2>` as [H, W].

#include <array>
#include <cstddef>
#include <utility>
#include <vector>

#include "view.hpp"

namespace unmask::inline UNMASK_ABI {

template <class T, std::size_t Rank>
class tensor {
 public:
  tensor() = default;
  explicit tensor(const std::array<index_t, Rank>& extents, T value = T{}) : extents_(extents) {
    index_t n = 1;
    for (index_t e : extents) n *= e;
    values_.assign(static_cast<std::size_t>(n), value);
  }

  index_t extent(std::size_t i) const { return extents_[i]; }
  const std::array<index_t, Rank>& extents() const { return extents_; }
  index_t size() const { return static_cast<index_t>(values_.size()); }
  T* data() { return values_.data(); }
  const T* data() const { return values_.data(); }
  auto begin() { return values_.begin(); }
  auto end() { return values_.end(); }
  auto begin() const { return values_.begin(); }
  auto end() const { return values_.end(); }

  template <class... Index>
  T& operator()(Index... index) {
    return view()(index...);
  }
  template <class... Index>
  const T& operator()(Index... index) const {
    return view()(index...);
  }

  array_view<T, Rank> view() { return make<T>(values_.data()); }
  array_view<const T, Rank> view() const { return make<const T>(values_.data()); }

 private:
  template <class U>
  array_view<U, Rank> make(U* data) const {
    return [&]<std::size_t... I>(std::index_sequence<I...>) { return array_view<U, Rank>(data, extents_[I]...); }
    (std::make_index_sequence<Rank>{});
  }

  std::array<index_t, Rank> extents_{};
  std::vector<T> values_;
};

}  // namespace unmask::inline UNMASK_ABI
