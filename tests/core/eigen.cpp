#include <doctest/doctest.h>

#include <numeric>
#include <unmask/core/tensor.hpp>
#include <unmask/eigen.hpp>

using unmask::index_t;

namespace {

unmask::tensor<float, 3> counted_cube() {
  unmask::tensor<float, 3> cube({3, 4, 5});
  std::iota(cube.begin(), cube.end(), 0.f);
  return cube;
}

}  // namespace

TEST_CASE("a view and its map look at the same memory, both ways") {
  unmask::tensor<float, 2> image({3, 4});
  std::iota(image.begin(), image.end(), 0.f);
  auto map = unmask::as_eigen(image.view());
  CHECK(map.rows() == 3);
  CHECK(map.cols() == 4);
  CHECK(map.data() == image.data());
  CHECK(map(1, 2) == image(1, 2));
  map(2, 3) = 70;
  CHECK(image(2, 3) == 70);
  const auto back = unmask::as_view(map);
  CHECK(back.data() == image.data());
  CHECK(back.extents() == image.extents());
  back(0, 1) = 80;
  CHECK(image(0, 1) == 80);
}

TEST_CASE("static extents stay static, constants stay constant") {
  const std::array<float, 6> numbers{1, 2, 3, 4, 5, 6};
  const unmask::view<const float, unmask::shape<2, 3>> fixed(numbers.data());
  const auto map = unmask::as_eigen(fixed);
  static_assert(decltype(map)::RowsAtCompileTime == 2 && decltype(map)::ColsAtCompileTime == 3);
  static_assert(std::is_const_v<std::remove_pointer_t<decltype(unmask::as_view(map).data())>>);
  CHECK(map.sum() == 21);
  const unmask::view<const float, unmask::shape<unmask::dyn>> line(numbers.data(), 6);
  CHECK(unmask::as_eigen(line).tail(2).sum() == 11);
  const unmask::view<const float, unmask::shape<unmask::dyn, 1>> column(numbers.data(), 6);
  CHECK(unmask::as_eigen(column)(4, 0) == 5);
}

TEST_CASE("the pixels of a cube are rows of spectra") {
  auto cube = counted_cube();
  auto map = unmask::pixels(cube.view());
  CHECK(map.rows() == 12);
  CHECK(map.cols() == 5);
  CHECK(map(1 * 4 + 2, 3) == cube(1, 2, 3));
  map.row(11).setConstant(9);
  CHECK(cube(2, 3, 0) == 9);
  CHECK(cube(2, 3, 4) == 9);
}

TEST_CASE("a tensor map has the view's order of axes, both ways") {
  auto cube = counted_cube();
  auto map = unmask::as_tensor(cube.view());
  CHECK(map.dimension(0) == 3);
  CHECK(map.dimension(2) == 5);
  for (index_t h = 0; h < 3; ++h)
    for (index_t w = 0; w < 4; ++w)
      for (index_t c = 0; c < 5; ++c) CHECK(map(h, w, c) == cube(h, w, c));
  map(2, 1, 0) = 90;
  CHECK(cube(2, 1, 0) == 90);
  const auto back = unmask::as_view(map);
  CHECK(back.data() == cube.data());
  CHECK(back.extents() == cube.extents());
  const auto& constant = cube;
  static_assert(
      std::is_const_v<std::remove_pointer_t<decltype(unmask::as_view(unmask::as_tensor(constant.view())).data())>>);
}

TEST_CASE("a matrix of Eigen's own is a view, and a part of one with its own rows is not dense") {
  Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> matrix(2, 3);
  matrix << 1, 2, 3, 4, 5, 6;
  const auto x = unmask::as_view(matrix);
  CHECK(x(1, 0) == 4);
  x(1, 1) = 50;
  CHECK(matrix(1, 1) == 50);
  CHECK(x.data() == matrix.data());
}
