/// The positional term of an image in pieces, against its three operations one after the other.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <unmask/core/random.hpp>
#include <unmask/nn/cpu/all.hpp>
#include <unmask/nn/cpu/strip/image_position.hpp>
#include <utility>

#include "harness.hpp"

using namespace unmask;
using unmask_test::guarded;

TEST_CASE_TEMPLATE("the positional term of an image", T, float, double) {
  const index_t rows = strip::position_rows, columns = strip::position_columns;
  for (const index_t c : {1, 3, 10, 60})
    for (const auto& size : {std::pair{index_t{1}, index_t{1}},
                             {1, columns + 1},
                             {rows + 1, 1},
                             {rows, columns},
                             {rows + 1, columns + 1},
                             {2 * rows - 1, 2 * columns + 2}}) {
      const index_t height = size.first, width = size.second;
      CAPTURE(c);
      CAPTURE(height);
      CAPTURE(width);
      const index_t pixels = height * width;
      const depthwise_sizes image_size{height, width, c};
      const auto drawn = [&](index_t n, std::uint64_t stream) {
        guarded<T> v(n, 1);
        unmask::random draw(7, stream);
        for (T& x : v) x = static_cast<T>(draw.uniform(-1, 1));
        return v;
      };
      const auto image = drawn(pixels * c, 0), first = drawn(9 * c, 1), second = drawn(9 * c, 2);
      guarded<T> hidden(pixels * c, 0), want(pixels * c, 0);
      kernel<op::depthwise3x3, ref>::forward<T>(ref{}, hidden.data(), {image.data(), c}, first.data(), image_size);
      kernel<op::gelu, ref>::forward(ref{}, hidden.data(), hidden.data(), pixels * c);
      kernel<op::depthwise3x3, ref>::forward<T>(ref{}, want.data(), {hidden.data(), c}, second.data(), image_size);
      guarded<T> bordered((height + 2) * (width + 2) * c, 1);
      std::fill(bordered.begin(), bordered.end(), T(0));
      for (index_t h = 0; h < height; ++h)
        std::copy_n(image.data() + h * width * c, width * c, bordered.data() + ((h + 1) * (width + 2) + 1) * c);
      guarded<T> got(pixels * c, 1), again(pixels * c, 0);
      for (const int threads : {1, 3}) {
        guarded<T>& y = threads == 1 ? got : again;
        guarded<T> scratch(threads * strip::position_scratch(c), 1);
        strip::image_position(cpu{.threads = threads}, y.data(), bordered.data(), first.data(), second.data(),
                              scratch.data(), image_size);
        CHECK(scratch.intact());
        CHECK(y.intact());
      }
      CHECK(got.same_bits(again));
      // sums of nine numbers of size 4 at most; the GELU of doubles (xsimd's erf) is 7e-15 off there
      const T bound = sizeof(T) == 4 ? T(2e-6) : T(5e-14);
      CHECK(std::equal(got.begin(), got.end(), want.begin(), [&](T x, T y) { return std::abs(x - y) <= bound; }));
    }
}
