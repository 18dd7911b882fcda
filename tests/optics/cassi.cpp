#include <unmask/core/random.hpp>
#include <unmask/core/tensor.hpp>
#include <unmask/optics/cassi.hpp>
#include <unmask/optics/spectral.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "noise.hpp"

using namespace unmask;

namespace {

template <class Backend>
void check_signal(const Backend& be) {
  for (auto [h, w] : {std::pair<index_t, index_t>{1, 1}, {7, 5}, {33, 65}, {1, 9}, {8, 1}})
    for (index_t bands : {1, 5, 28}) {
      const auto x = noise<3>({h, w, bands}, 1);
      const auto m = noise<2>({h, w}, 3);
      // The output starts as NaN: whatever is not written shows.
      tensor<double, 3> signal(x.extents(), std::numeric_limits<double>::quiet_NaN());
      optics::mask_signal(be, signal.view(), x.view(), m.view());
      double wrong = 0;
      for (index_t i = 0; i < h; ++i)
        for (index_t j = 0; j < w; ++j)
          for (index_t c = 0; c < bands; ++c) wrong += std::abs(signal(i, j, c) - m(i, j) * x(i, j, c));
      CHECK(wrong <= 1e-13 * static_cast<double>(x.size()));
    }
}

}  // namespace

TEST_CASE("cassi: mask signal on ref and cpu") {
  check_signal(ref{});
  check_signal(cpu{.threads = 1});
  check_signal(cpu{.threads = 3});
}

TEST_CASE("cassi: contradicting sizes are refused by name") {
  using optics::check_cassi;
  const std::array<index_t, 3> cube{256, 256, 28};
  CHECK(check_cassi(cube, {256, 256}, 2)->measurement_width() == 310);
  CHECK(check_cassi(cube, {256, 256}, {256, 310}, 2));
  CHECK(check_cassi(cube, {200, 256}, 2).error().message() ==
        "mask: found [200 x 256], expected [256 x 256] as the scene");
  CHECK(check_cassi(cube, {660, 660}, 2).error().code() == errc::wrong_shape);
  CHECK(check_cassi({660, 713}, {660, 660}, 28, 2).error().message() ==
        "measurement: found [660 x 713], expected [660 x 714] = mask width 660 + step 2 * (28 bands - 1)");
  CHECK(check_cassi(cube, {256, 256}, {255, 310}, 2).error().code() == errc::wrong_shape);
  CHECK(check_cassi({0, 256, 28}, {0, 256}, 2).error().message() == "scene: height is 0, expected 1..1048576");
  CHECK(!check_cassi({256, 256, 0}, {256, 256}, 2));
  CHECK(!check_cassi({256, std::numeric_limits<index_t>::max(), 28}, {256, 256}, 2));
  CHECK(check_cassi(cube, {256, 256}, -1).error().code() == errc::bad_argument);
  CHECK(*optics::infer_bands(714, 660, 2) == 28);
  CHECK(!optics::infer_bands(713, 660, 2));
  CHECK(!optics::infer_bands(660, 660, 0));
  CHECK(!optics::infer_bands(600, 660, 2));
}

TEST_CASE("spectral: linear interpolation between wavelengths") {
  tensor<float, 3> cube({2, 1, 3});
  for (index_t h = 0; h < 2; ++h)
    for (index_t c = 0; c < 3; ++c) cube(h, 0, c) = static_cast<float>(10 * h + c * c);
  const auto moved = optics::resample_bands(cube, {400, 410, 430}, {400, 405, 410, 415, 430});
  REQUIRE(moved);
  CHECK(moved->extents() == std::array<index_t, 3>{2, 1, 5});
  const std::array<float, 5> expected{0, .5f, 1, 1.75f, 4};
  for (index_t c = 0; c < 5; ++c) {
    CHECK((*moved)(0, 0, c) == expected[static_cast<std::size_t>(c)]);
    CHECK((*moved)(1, 0, c) == 10 + expected[static_cast<std::size_t>(c)]);
  }
  CHECK(optics::resample_bands(cube, {400, 410, 430}, {431}).error().message() ==
        "target wavelength 431 nm is outside the cube's 400..430 nm");
  CHECK(!optics::resample_bands(cube, {400, 410, 430}, {399}));
  CHECK(!optics::resample_bands(cube, {400, 410, 430}, {}));
  CHECK(!optics::resample_bands(cube, {400, 410}, {405}));
  CHECK(!optics::resample_bands(cube, {400, 400, 430}, {405}));
  CHECK(!optics::resample_bands(cube, {400, 410, 430}, {std::nan("")}));
  CHECK((*optics::resample_bands(tensor<float, 3>({1, 1, 1}, 3.f), {500}, {500}))(0, 0, 0) == 3.f);
  CHECK(optics::benchmark_wavelengths.front() == 453.3);
  CHECK(optics::benchmark_wavelengths.back() == 648.1);
}
