/// Finer textures from the same scenes: every pixel is the mean of 2 x 2 of the scene's, wherever the mirrors put it.

#include "../../app/halved.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using unmask::index_t;

TEST_CASE("halved: means of 2 x 2 pixels, mirrored at the middle") {
  unmask::tensor<float, 3> x({6, 4, 2});
  for (index_t h = 0; h < 6; ++h)
    for (index_t w = 0; w < 4; ++w)
      for (index_t c = 0; c < 2; ++c) x(h, w, c) = static_cast<float>(100 * h + 10 * w + c);
  const auto small = program::halved(x);
  REQUIRE(small.extents() == x.extents());
  CHECK(small(0, 0, 0) == 55.f);
  CHECK(small(1, 1, 1) == 276.f);
  CHECK(small(5, 3, 0) == 55.f);
  CHECK(small(3, 2, 1) == small(2, 1, 1));
}

TEST_CASE("halved: odd sizes and a single pixel stay within the scene") {
  const unmask::tensor<float, 3> odd({5, 3, 1}, .25f), one({1, 1, 3}, .5f);
  for (const float v : program::halved(odd)) CHECK(v == .25f);
  for (const float v : program::halved(one)) CHECK(v == .5f);
}
