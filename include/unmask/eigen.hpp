#pragma once

/// Views as Eigen's objects and Eigen's as views, opt-in and without a copy: both sides look at the same memory.
///
///   unmask::as_eigen(image)   [H, W]     a row-major Map; static extents stay static
///   unmask::pixels(cube)      [H, W, C]  a row-major Map [H W, C]: a pixel's spectrum is a row
///   unmask::as_tensor(cube)   any rank   a row-major TensorMap
///   unmask::as_view(map)                 of a row-major Map, Matrix or TensorMap
///
/// A map is unaligned, because a view promises no alignment. What Eigen stores by columns or with strides has no view
/// and does not compile: views are row-major and dense. The memory has to outlive both.

#include <Eigen/Core>
#include <cassert>
#include <type_traits>
#include <unsupported/Eigen/CXX11/Tensor>

#include "core/view.hpp"

namespace unmask::inline UNMASK_ABI {

namespace detail {

constexpr int eigen_extent(index_t extent) { return extent == dyn ? Eigen::Dynamic : static_cast<int>(extent); }

/// Eigen allows a column vector to be column-major only, a row vector row-major only; dense vectors are both.
template <class T, int Rows, int Columns>
using row_major =
    Eigen::Matrix<std::remove_const_t<T>, Rows, Columns, Columns == 1 && Rows != 1 ? Eigen::ColMajor : Eigen::RowMajor>;

template <class T, int Rows, int Columns>
using matrix_map =
    Eigen::Map<std::conditional_t<std::is_const_v<T>, const row_major<T, Rows, Columns>, row_major<T, Rows, Columns>>>;

template <class T, std::size_t Rank>
using row_major_tensor =
    Eigen::Tensor<std::remove_const_t<T>, static_cast<int>(Rank), Eigen::RowMajor, Eigen::DenseIndex>;

template <class T, std::size_t Rank>
using tensor_map = Eigen::TensorMap<
    std::conditional_t<std::is_const_v<T>, const row_major_tensor<T, Rank>, row_major_tensor<T, Rank>>>;

/// The element of a dense object, const where it cannot be written through.
template <class Dense>
using element_of = std::remove_pointer_t<decltype(std::declval<Dense&>().data())>;

}  // namespace detail

/// [R, C] as a row-major Map.
template <class T, index_t R, index_t C>
auto as_eigen(const view<T, shape<R, C>>& x) {
  return detail::matrix_map<T, detail::eigen_extent(R), detail::eigen_extent(C)>(x.data(), x.extent(0), x.extent(1));
}

/// [N] as a column vector.
template <class T, index_t N>
auto as_eigen(const view<T, shape<N>>& x) {
  return detail::matrix_map<T, detail::eigen_extent(N), 1>(x.data(), x.extent(0), 1);
}

/// A cube [H, W, C] as a row-major Map [H W, C].
template <class T, index_t H, index_t W, index_t C>
auto pixels(const view<T, shape<H, W, C>>& cube) {
  constexpr index_t rows = H == dyn || W == dyn ? dyn : H * W;
  return detail::matrix_map<T, detail::eigen_extent(rows), detail::eigen_extent(C)>(
      cube.data(), cube.extent(0) * cube.extent(1), cube.extent(2));
}

/// A view of any rank as a row-major TensorMap.
template <class T, class Shape>
auto as_tensor(const view<T, Shape>& x) {
  Eigen::array<Eigen::DenseIndex, Shape::rank> sizes{};
  for (std::size_t i = 0; i < Shape::rank; ++i) sizes[i] = x.extent(i);
  return detail::tensor_map<T, Shape::rank>(x.data(), sizes);
}

/// A row-major Matrix or Map [R, C] as a view; writable where the object is.
template <class Dense>
requires(std::is_base_of_v<Eigen::DenseBase<std::remove_cvref_t<Dense>>, std::remove_cvref_t<Dense>>) auto as_view(
    Dense&& x) {
  using type = std::remove_cvref_t<Dense>;
  static_assert(std::is_lvalue_reference_v<Dense> || !std::is_base_of_v<Eigen::PlainObjectBase<type>, type>,
                "a temporary matrix is gone before its view");
  static_assert(type::IsRowMajor || type::IsVectorAtCompileTime, "a view is row-major: declare the matrix RowMajor");
  static_assert(type::InnerStrideAtCompileTime == 1, "a view is dense: no inner stride");
  assert(x.outerStride() == x.innerSize());
  return array_view<detail::element_of<std::remove_reference_t<Dense>>, 2>(x.data(), x.rows(), x.cols());
}

/// A row-major TensorMap as a view of its rank.
template <class Plain, int Options, template <class> class MakePointer>
auto as_view(const Eigen::TensorMap<Plain, Options, MakePointer>& x) {
  static_assert(int(Plain::Layout) == int(Eigen::RowMajor), "a view is row-major: declare the tensor RowMajor");
  using T = std::conditional_t<std::is_const_v<Plain>, const typename Plain::Scalar, typename Plain::Scalar>;
  return [&]<std::size_t... I>(std::index_sequence<I...>) {
    // a map of constants gives out what can be written: the type says what may be
    return array_view<T, sizeof...(I)>(const_cast<T*>(x.data()), x.dimension(I)...);
  }
  (std::make_index_sequence<static_cast<std::size_t>(Plain::NumDimensions)>{});
}

}  // namespace unmask::inline UNMASK_ABI
