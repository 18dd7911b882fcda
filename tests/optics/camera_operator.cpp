#include <unmask/core/random.hpp>
#include <unmask/optics/camera.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "noise.hpp"

using namespace unmask;
using dispersion = dispersion_direction;

namespace {

constexpr std::array directions{dispersion::right, dispersion::left, dispersion::down, dispersion::up};

double dot(const auto& a, const auto& b) {
  double sum = 0;
  for (index_t i = 0; i < a.size(); ++i) sum += a.data()[i] * b.data()[i];
  return sum;
}

/// Uneven places, the last of them at the sensor's edge.
std::vector<float> uneven(index_t bands, index_t step) {
  std::vector<float> positions;
  const auto last = static_cast<float>(step * (bands - 1));
  for (index_t c = 0; c < bands; ++c) {
    const float t = bands > 1 ? static_cast<float>(c) / static_cast<float>(bands - 1) : 0.f;
    positions.push_back(last * t * (.8f + .2f * t));
  }
  return positions;
}

/// The value that pixel (h, w) sees band c at, moved by k values: for any direction, from its definition.
std::array<index_t, 2> place(const optics::cassi_geometry& g, index_t h, index_t w, index_t k) {
  const index_t last = g.step * (g.bands - 1);
  switch (g.direction) {
    case dispersion::right:
      return {h, w + k};
    case dispersion::left:
      return {h, w + last - k};
    case dispersion::down:
      return {h + k, w};
    case dispersion::up:
      return {h + last - k, w};
  }
  return {};
}

/// A x, and the squares of A's rows, from the definition.
struct definition {
  tensor<double, 2> forward, diagonal;

  definition(const optics::basic_camera<double>& camera, const tensor<double, 3>& x)
      : forward(camera.geometry().measurement_extents()), diagonal(camera.geometry().measurement_extents()) {
    const auto& g = camera.geometry();
    for (index_t h = 0; h < g.height; ++h)
      for (index_t w = 0; w < g.width; ++w)
        for (index_t c = 0; c < g.bands; ++c) {
          const double at = camera.placed() ? static_cast<double>(camera.positions()[static_cast<std::size_t>(c)])
                                            : static_cast<double>(g.step * c);
          const double m = camera.mask()(h, w), part = at - std::floor(at);
          for (const auto& [k, share] : {std::pair{std::floor(at), 1 - part}, std::pair{std::floor(at) + 1, part}}) {
            if (share == 0) continue;
            const auto [i, v] = place(g, h, w, static_cast<index_t>(k));
            forward(i, v) += share * m * x(h, w, c);
            diagonal(i, v) += share * m * share * m;
          }
        }
  }
};

double worst(const auto& a, const auto& b) {
  double most = 0;
  for (index_t i = 0; i < a.size(); ++i) {
    const double d = std::abs(a.data()[i] - b.data()[i]);
    if (!(d <= most)) most = d;  // of a NaN: NaN
  }
  return most;
}

template <class Backend>
void check_operator(const Backend& be, const optics::basic_camera<double>& camera) {
  const auto& g = camera.geometry();
  CAPTURE(g.height);
  CAPTURE(g.width);
  CAPTURE(g.bands);
  CAPTURE(g.step);
  CAPTURE(std::string(dispersion_name(g.direction)));
  CAPTURE(camera.placed());
  const auto x = noise<3>(g.cube_extents(), 1);
  const auto y = noise<2>(g.measurement_extents(), 2);
  // outputs start as NaN: whatever is not written shows
  const double nan = std::numeric_limits<double>::quiet_NaN();
  tensor<double, 2> ax(y.extents(), nan), diagonal(y.extents(), nan);
  tensor<double, 3> aty(x.extents(), nan), input(x.extents(), nan);
  camera.forward(be, ax.view(), x.view());
  camera.adjoint(be, aty.view(), y.view());
  camera.input(be, input.view(), y.view());
  camera.diagonal(be, diagonal.view());

  const definition expected(camera, x);
  CHECK(worst(ax, expected.forward) <= 1e-14 * static_cast<double>(g.bands));
  CHECK(worst(diagonal, expected.diagonal) <= 1e-14 * static_cast<double>(g.bands));
  // relative to the norms, which bound the products: the products themselves can cancel
  CHECK(std::abs(dot(ax, y) - dot(x, aty)) <= 1e-12 * std::sqrt(dot(ax, ax) * dot(y, y)));
  for (double& v : aty) v *= 2 / static_cast<double>(g.bands);
  CHECK(worst(input, aty) <= 1e-15);

  // the canonical camera sees the same, turned, to the last bit
  const auto canonical = camera.canonical();
  const auto& turned = canonical.geometry();
  REQUIRE(canonical.is_canonical());
  tensor<double, 3> turned_x(turned.cube_extents(), nan), back(x.extents(), nan),
      turned_aty(turned.cube_extents(), nan);
  tensor<double, 2> turned_ax(turned.measurement_extents(), nan), expected_ax(turned.measurement_extents(), nan);
  camera.to_canonical(be, turned_x.view(), x.view());
  camera.from_canonical(be, back.view(), turned_x.view());
  CHECK(worst(back, x) == 0);
  canonical.forward(be, turned_ax.view(), turned_x.view());
  camera.to_canonical(be, expected_ax.view(), ax.view());
  CHECK(worst(turned_ax, expected_ax) == 0);
  camera.to_canonical(be, expected_ax.view(), y.view());
  canonical.input(be, turned_aty.view(), expected_ax.view());
  camera.from_canonical(be, back.view(), turned_aty.view());
  CHECK(worst(back, input) == 0);
}

}  // namespace

TEST_CASE("camera: forward, adjoint, diagonal and input in every direction, placed or not") {
  for (auto [h, w] : {std::pair<index_t, index_t>{1, 1}, {7, 5}, {17, 33}, {1, 9}, {8, 1}})
    for (index_t bands : {1, 5, 28})
      for (index_t step : {0, 1, 2, 3})
        for (const auto direction : directions)
          for (const bool placed : {false, true}) {
            const auto m = noise<2>({h, w}, 3);
            const auto camera = optics::basic_camera<double>::create(
                m.view(), bands, step, direction, placed ? uneven(bands, step) : std::vector<float>{});
            REQUIRE(camera);
            check_operator(ref{}, *camera);
            check_operator(cpu{.threads = 3}, *camera);
          }
}

TEST_CASE("camera: by hand, to the right and upwards") {
  tensor<float, 3> x({1, 2, 2});
  x(0, 0, 0) = 1, x(0, 0, 1) = 2, x(0, 1, 0) = 3, x(0, 1, 1) = 4;
  tensor<float, 2> m({1, 2}, .5f), y({1, 3});
  m(0, 1) = 1;
  optics::camera::create(m.view(), 2, 1).value().forward(ref{}, y.view(), x.view());
  // .5 * 1 | 1 * 3 + .5 * 2 | 1 * 4
  CHECK(y(0, 0) == .5f);
  CHECK(y(0, 1) == 4.f);
  CHECK(y(0, 2) == 4.f);

  tensor<float, 2> column({2, 2});
  optics::camera::create(m.view(), 2, 1, dispersion::up).value().forward(ref{}, column.view(), x.view());
  CHECK(column(0, 0) == 1.f);  // band 1, a row above band 0
  CHECK(column(0, 1) == 4.f);
  CHECK(column(1, 0) == .5f);
  CHECK(column(1, 1) == 3.f);
}

TEST_CASE("camera: a crop sees what the camera sees of it") {
  const auto m = noise<2>({9, 8}, 4);
  const auto x = noise<3>({9, 8, 3}, 5);
  const auto whole = optics::basic_camera<double>::create(m.view(), 3, 1, dispersion::left, {0, .25f, 2}).value();
  const auto part = whole.crop(2, 3, 4, 5), rows = whole.rows(6, 3);
  CHECK(part.geometry().cube_extents() == std::array<index_t, 3>{4, 5, 3});
  CHECK(rows.geometry().cube_extents() == std::array<index_t, 3>{3, 8, 3});
  CHECK(part.placed());
  for (index_t h = 0; h < 4; ++h)
    for (index_t w = 0; w < 5; ++w) CHECK(part.mask()(h, w) == m(2 + h, 3 + w));
  tensor<double, 2> all({9, 10}), some({3, 10});
  whole.forward(ref{}, all.view(), x.view());
  rows.forward(ref{}, some.view(), in<double, 3>(&x(6, 0, 0), 3, 8, 3));
  for (index_t h = 0; h < 3; ++h)
    for (index_t v = 0; v < 10; ++v) CHECK(some(h, v) == all(6 + h, v));
}

TEST_CASE("camera: what is refused, and how") {
  const tensor<float, 2> m({4, 6}, .5f);
  const auto refused = [&](const auto& r) {
    REQUIRE_FALSE(bool(r));
    return r.error().message();
  };
  using optics::camera;
  CHECK(refused(camera::create(m.view(), 0)) == "scene: bands is 0, expected 1..1048576");
  CHECK(refused(camera::create(m.view(), 3, -1)) == "dispersion step is -1, expected 0..1048576");
  CHECK(refused(camera::create(m.view(), 3, 2, dispersion::down, {0, 1})) ==
        "camera: found 2 positions, expected one for each of 3 bands");
  for (const float wrong : {-.5f, 4.5f, std::nanf("")})
    CHECK_FALSE(bool(camera::create(m.view(), 3, 2, dispersion::right, {0, wrong, 4})));
  CHECK(refused(camera::create(m.view(), 3, 2, dispersion::right, {0, 5, 4})) ==
        "camera: position 5.000000 is not in [0, 4.000000] = step * (bands - 1)");
  for (const float wrong : {0.f, -1.f, std::nanf("")})
    CHECK_FALSE(bool(camera::create(m.view(), 3, 2, dispersion::right, {}, {.floor = wrong})));
  tensor<float, 2> broken = m;
  broken(3, 5) = std::nanf("");
  CHECK(refused(camera::create(broken.view(), 3)) == "mask: found a value that is not finite, expected 0..1");

  const auto down = camera::create(m.view(), 3, 2, dispersion::down).value();
  CHECK(down.check(std::array<index_t, 2>{8, 6}));
  CHECK(refused(down.check(std::array<index_t, 2>{4, 10})) ==
        "measurement: found [4 x 10], expected [8 x 6] = mask height 4 + step 2 * (3 bands - 1)");
  CHECK(down.check(std::array<index_t, 3>{4, 6, 3}));
  CHECK(refused(down.check(std::array<index_t, 3>{4, 6, 4})) ==
        "cube: found [4 x 6 x 4], expected [4 x 6 x 3] as the camera's scene");

  for (const auto d : directions) CHECK(dispersion_by_name(dispersion_name(d)).value() == d);
  CHECK(refused(dispersion_by_name("east")) == "dispersion: 'east' is not one of right, left, down, up");
}
