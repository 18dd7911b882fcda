#include <unmask/core/random.hpp>
#include <unmask/core/tensor.hpp>
#include <unmask/optics/cassi.hpp>
#include <unmask/optics/spectral.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

using namespace unmask;

namespace {

struct setting {
  index_t height, width, bands, step;
};

std::vector<setting> settings() {
  std::vector<setting> all;
  for (auto [h, w] : {std::pair<index_t, index_t>{1, 1}, {7, 5}, {33, 65}, {1, 9}, {8, 1}})
    for (index_t bands : {1, 5, 28})
      for (index_t step : {0, 1, 2, 3}) all.push_back({h, w, bands, step});
  return all;
}

template <std::size_t Rank>
tensor<double, Rank> noise(const std::array<index_t, Rank>& extents, std::uint64_t seed) {
  tensor<double, Rank> t(extents);
  unmask::random draw(seed);
  for (double& v : t) v = draw.uniform(-1, 1);
  return t;
}

double dot(const auto& a, const auto& b) {
  double sum = 0;
  for (index_t i = 0; i < a.size(); ++i) sum += a.data()[i] * b.data()[i];
  return sum;
}

double length(const auto& a) { return std::sqrt(dot(a, a)); }

template <class Backend>
void check_operators(const Backend& be) {
  for (const setting& s : settings()) {
    CAPTURE(s.height);
    CAPTURE(s.width);
    CAPTURE(s.bands);
    CAPTURE(s.step);
    const optics::cassi_geometry g{s.height, s.width, s.bands, s.step};
    const std::array<index_t, 2> sensor{s.height, g.measurement_width()};
    const auto x = noise<3>({s.height, s.width, s.bands}, 1);
    const auto y = noise<2>(sensor, 2);
    const auto m = noise<2>({s.height, s.width}, 3);

    // Outputs start as NaN: whatever is not written shows.
    const double nan = std::numeric_limits<double>::quiet_NaN();
    tensor<double, 2> ax(sensor, nan), diagonal(sensor, nan), back(sensor, nan);
    tensor<double, 3> aty(x.extents(), nan), input(x.extents(), nan), signal(x.extents(), nan);
    optics::cassi_forward(be, ax.view(), x.view(), m.view(), s.step);
    optics::cassi_adjoint(be, aty.view(), y.view(), m.view(), s.step);
    // Relative to the norms, which bound the products: the products themselves can cancel.
    CHECK(std::abs(dot(ax, y) - dot(x, aty)) <= 1e-12 * length(ax) * length(y));

    optics::cassi_diagonal(be, diagonal.view(), m.view(), s.bands, s.step);
    optics::cassi_forward(be, back.view(), aty.view(), m.view(), s.step);
    double worst = 0;
    for (index_t i = 0; i < y.size(); ++i)
      worst = std::fmax(worst, std::abs(back.data()[i] - diagonal.data()[i] * y.data()[i]));
    CHECK(worst <= 1e-13 * static_cast<double>(s.bands));

    optics::cassi_input(be, input.view(), y.view(), m.view(), s.step);
    optics::mask_signal(be, signal.view(), x.view(), m.view());
    double wrong = 0;
    for (index_t h = 0; h < s.height; ++h)
      for (index_t w = 0; w < s.width; ++w)
        for (index_t c = 0; c < s.bands; ++c) {
          const double expected = m(h, w) * y(h, w + s.step * c) * 2 / static_cast<double>(s.bands);
          wrong += std::abs(input(h, w, c) - expected) + std::abs(signal(h, w, c) - m(h, w) * x(h, w, c));
        }
    CHECK(wrong <= 1e-13 * static_cast<double>(x.size()));
  }
}

}  // namespace

TEST_CASE("cassi: adjoint, diagonal, input and mask signal on ref and cpu") {
  check_operators(ref{});
  check_operators(cpu{.threads = 1});
  check_operators(cpu{.threads = 3});
}

TEST_CASE("cassi: forward by hand") {
  tensor<float, 3> x({1, 2, 2});
  x(0, 0, 0) = 1, x(0, 0, 1) = 2, x(0, 1, 0) = 3, x(0, 1, 1) = 4;
  tensor<float, 2> m({1, 2}, .5f), y({1, 3});
  m(0, 1) = 1;
  optics::cassi_forward(ref{}, y.view(), x.view(), m.view(), 1);
  // .5 * 1 | 1 * 3 + .5 * 2 | 1 * 4
  CHECK(y(0, 0) == .5f);
  CHECK(y(0, 1) == 4.f);
  CHECK(y(0, 2) == 4.f);
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
