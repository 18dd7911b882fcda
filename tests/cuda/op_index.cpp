/// Index arithmetic and rounding of the operations' kernels against their definitions.

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <set>

#include "../nn/tested_backend.hpp"
#include "unmask/train/cuda/loss_sums.cuh"

using namespace unmask;
using unmask::index_t;

TEST_CASE("cuda: a pixel's mirror images are all positions that show it") {
  for (const index_t size : {1, 2, 3, 5, 8})
    for (index_t p = 0; p < size; ++p) {
      index_t next = p;
      for (index_t i = 0; i < 40; ++i) {
        CHECK((reflect(i, size) == p) == (i == next));
        if (i == next) next = detail::next_mirror(i, p, size);
      }
    }
}

TEST_CASE("cuda: taps see their neighbours of the same image, or nothing") {
  for (const mask_sizes s : {mask_sizes{2, 3, 4, 1}, {3, 1, 1, 1}, {2, 1, 5, 1}, {2, 5, 1, 1}})
    for (index_t pixel = 0; pixel < s.pixels(); ++pixel)
      for (int tap = 0; tap < 9; ++tap) {
        const index_t b = pixel / (s.height * s.width), h = pixel / s.width % s.height + tap / 3 - 1,
                      w = pixel % s.width + tap % 3 - 1;
        const bool inside = h >= 0 && h < s.height && w >= 0 && w < s.width;
        CHECK(detail::through_tap(pixel, tap, s) == (inside ? (b * s.height + h) * s.width + w : -1));
      }
}

TEST_CASE("cuda: padded and unpadded rows are each other's inverse") {
  const train::detail::row_walk walk{3, 10, 5, 14};
  index_t inside = 0;
  for (index_t i = 0; i < 2 * 5 * 14; ++i) {
    const index_t b = i / 70, h = i / 14 % 5, k = i % 14, at = walk.unpadded(i);
    CHECK(at == (h < 3 && k < 10 ? (b * 3 + h) * 10 + k : -1));
    if (at < 0) continue;
    CHECK(walk.padded(at) == i);
    ++inside;
  }
  CHECK(inside == 2 * 3 * 10);
}

TEST_CASE_TEMPLATE("cuda: elements of a right factor have a place each", Math, detail::plain_math<double>,
                   detail::tf32_math, detail::bf16_math) {
  std::set<int> places;
  for (int k = 0; k < 64; ++k)
    for (int n = 0; n < detail::tile_cols; ++n) places.insert(Math::b_at(k, n, detail::tile_ldb));
  CHECK(places.size() == 64 * detail::tile_cols);
  CHECK(*places.begin() == 0);
  CHECK(*places.rbegin() < 64 * detail::tile_ldb);
}

TEST_CASE("cuda: factors are rounded to the nearest") {
  const auto tf32 = [](float x) { return detail::tf32_math::load(detail::tf32_math::store(x)); };
  const auto bf16 = [](float x) { return detail::bf16_math::load(detail::bf16_math::store(x)); };
  const float inf = std::numeric_limits<float>::infinity();
  for (const float sign : {1.f, -1.f}) {
    CHECK(tf32(sign * (1 + 0x1p-11f)) == sign * (1 + 0x1p-10f));  // ties away from zero
    CHECK(tf32(sign * (1 + 0x1.8p-12f)) == sign);
    CHECK(bf16(sign * (1 + 0x1p-8f)) == sign);  // ties to even
    CHECK(bf16(sign * (1 + 0x1.8p-7f)) == sign * (1 + 0x1p-6f));
    CHECK(bf16(sign * (1 + 0x1.2p-8f)) == sign * (1 + 0x1p-7f));
    CHECK(tf32(sign * inf) == sign * inf);
    CHECK(bf16(sign * inf) == sign * inf);
    CHECK(bf16(sign * 0x1.fffffep127f) == sign * inf);
  }
  CHECK(std::isnan(tf32(NAN)));
  CHECK(std::isnan(bf16(NAN)));
}
