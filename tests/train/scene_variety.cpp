#include "unmask/train/scene_variety.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tiny_training.hpp"
#include "unmask/train/estimated_source.hpp"

using namespace unmask;
using unmask::index_t;
namespace ut = unmask::train;
using tiny_training::uniform;

namespace {

constexpr index_t band_count = 5;

tensor<float, 3> varied(const tensor<float, 3>& scene, const ut::scene_variety& v, std::uint64_t seed,
                        index_t height = 12, index_t width = 10) {
  tensor<float, 3> to({height, width, band_count});
  ut::vary_scene(to.view(), scene.view(), v, unmask::random(seed));
  return to;
}

bool same_values(const tensor<float, 3>& a, const tensor<float, 3>& b) {
  return std::equal(a.begin(), a.end(), b.begin());
}

double largest_value(const tensor<float, 3>& x) { return *std::max_element(x.begin(), x.end()); }

}  // namespace

TEST_CASE("scene variety: the size of the scene and no shift give the very scene") {
  const auto x = uniform(1, 12, 10, band_count);
  tensor<float, 3> to(x.extents());
  ut::resample(to.view(), x.view(), 1, 0, 0);
  CHECK(same_values(to, x));
  CHECK(same_values(varied(x, {}, 3), x));
  CHECK(same_values(varied(x, {.exposures = {{1, 1}}}, 3), x));
  // another window of whole pixels, mirrored beyond the end
  ut::resample(to.view(), x.view(), 1, 3, -2);
  CHECK(to(1, 3, 4) == x(4, 1, 4));
  CHECK(to(2, 1, 0) == x(5, 0, 0));
  CHECK(to(2, 0, 0) == x(5, 1, 0));
  CHECK(to(9, 2, 0) == x(11, 0, 0));
  CHECK(to(11, 2, 0) == x(9, 0, 0));
}

TEST_CASE("scene variety: smaller is a mean over areas, larger and between pixels is linear") {
  const auto x = uniform(2, 8, 8, band_count);
  tensor<float, 3> half({4, 4, band_count}), twice({16, 16, band_count}), between({8, 7, band_count}),
      third({3, 3, band_count});
  ut::resample(half.view(), x.view(), .5, 0, 0);
  ut::resample(twice.view(), x.view(), 2, 0, 0);
  ut::resample(between.view(), x.view(), 1, 0, .25);
  const auto near = [](double a, double b) { return std::abs(a - b) <= 1e-6; };
  for (index_t c = 0; c < band_count; ++c) {
    CHECK(near(half(1, 2, c), (x(2, 4, c) + x(2, 5, c) + x(3, 4, c) + x(3, 5, c)) / 4.));
    CHECK(near(between(3, 5, c), .75 * x(3, 5, c) + .25 * x(3, 6, c)));
    const double upper = .75 * x(3, 4, c) + .25 * x(3, 3, c), lower = .75 * x(4, 4, c) + .25 * x(4, 3, c);
    CHECK(near(twice(7, 8, c), .75 * upper + .25 * lower));
  }
  // 8 pixels in 3: 2 2/3 each, so the first is two whole ones and two thirds of the next
  ut::resample(third.view(), x.view(), 3. / 8, 0, 0);
  const double weight[] = {1, 1, 2. / 3};
  double mean = 0;
  for (index_t h = 0; h < 3; ++h)
    for (index_t w = 0; w < 3; ++w) mean += weight[h] * weight[w] * static_cast<double>(x(h, w, 2)) * 9 / 64;
  CHECK(near(third(0, 0, 2), mean));
}

TEST_CASE("scene variety: light is smooth and positive, its largest value is one") {
  unmask::random draw(4);
  double least = 1;
  for (int i = 0; i < 50; ++i) {
    const auto light = ut::draw_illuminant(draw, .8, 28);
    CHECK(*std::max_element(light.begin(), light.end()) == 1.f);
    for (std::size_t c = 1; c < light.size(); ++c) {
      CHECK(light[c] > 0);
      CHECK(std::abs(std::log(light[c] / light[c - 1])) <= 3 * .8 * 3.2 / 28);
      least = std::min<double>(least, light[c]);
    }
  }
  CHECK(least < .5);
  for (float v : ut::draw_illuminant(draw, 0, 28)) CHECK(v == 1.f);
}

TEST_CASE("scene variety: what is drawn depends on the random numbers only and stays within [0, 1]") {
  const auto x = uniform(5, 30, 40, band_count);
  const ut::scene_variety all{.scales = {{.2, 3}}, .illuminants = 1, .exposures = {{.25, 8}}};
  double darkest = 1, brightest = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const auto a = varied(x, all, seed), b = varied(x, all, seed), other = varied(x, all, seed + 100);
    CHECK(same_values(a, b));
    CHECK_FALSE(same_values(a, other));
    for (float v : a) CHECK((v >= 0 && v <= 1.000001f));
    darkest = std::min(darkest, largest_value(a));
    brightest = std::max(brightest, largest_value(a));
  }
  CHECK(darkest < .5);
  CHECK(brightest > .99);
  // exposure alone: one factor for all values
  const auto plain = varied(x, {}, 7), exposed = varied(x, {.exposures = {{.25, .5}}}, 7);
  const double factor = largest_value(exposed) / largest_value(plain);
  CHECK((factor >= .25 && factor <= .5));
  for (index_t i = 0; i < plain.size(); ++i) CHECK(std::abs(exposed.data()[i] - factor * plain.data()[i]) <= 1e-6);
  // a black scene stays black
  for (float v : varied(tensor<float, 3>({12, 10, band_count}), all, 1)) CHECK(v == 0.f);
}

namespace {

result<ut::estimated_source> varied_source(const ut::sample_options& given, initial_kind kind = initial_kind::gap_tv) {
  ut::sample_options options = given;
  options.batch = 3;
  options.height = options.width = 8;
  std::vector<tensor<float, 3>> scenes;
  scenes.push_back(uniform(1, 24, 26, band_count));
  scenes.push_back(uniform(2, 40, 24, band_count));
  std::vector<tensor<float, 2>> masks;
  masks.push_back(uniform(3, 24, 29));
  return ut::estimated_source::create(std::move(scenes), std::move(masks), options,
                                      {.initial = {kind, {}}, .fields = 3, .steps_per_field = 2});
}

}  // namespace

TEST_CASE("scene variety: a batch of varied fields depends on seed and step only") {
  const ut::sample_options options{
      .mosaics = .5,
      .random_masks = .5,
      .cells = 3,
      .variety = {.scales = {{.4, 1.5}}, .illuminants = .5, .exposures = {{.5, 2}}},
  };
  auto forwards = varied_source(options).value(), backwards = varied_source(options).value();
  auto a = forwards.make_batch<float>(), b = a;
  std::vector<ut::batch<float>> kept;
  for (index_t step = 0; step < 8; ++step) {
    forwards.fill(cpu{.threads = 2}, a, 7, step);
    kept.push_back(a);
    for (float v : a.truth) CHECK((v >= 0 && v <= 1.000001f));
  }
  for (index_t step = 7; step >= 0; --step) {
    backwards.fill(cpu{.threads = 1}, b, 7, step);
    const auto& k = kept[static_cast<std::size_t>(step)];
    CHECK(std::equal(b.input.begin(), b.input.end(), k.input.begin()));
    CHECK(std::equal(b.truth.begin(), b.truth.end(), k.truth.begin()));
    CHECK(std::equal(b.mask.begin(), b.mask.end(), k.mask.begin()));
  }
}

TEST_CASE("scene variety: what cannot be is refused by name") {
  const auto message = [](const ut::sample_options& o) {
    const auto s = varied_source(o);
    return s ? std::string() : s.error().message();
  };
  const double nan = std::numeric_limits<double>::quiet_NaN(), infinite = std::numeric_limits<double>::infinity();
  for (const auto& r : {std::array<double, 2>{2, 1}, {0, 1}, {-1, 1}, {1, 65}, {nan, 1}, {1, nan}, {1, infinite}}) {
    CHECK(message({.variety = {.scales = r}}).find("samples: scales are ") == 0);
    CHECK(message({.variety = {.exposures = r}}).find("samples: exposures are ") == 0);
  }
  for (double strength : {-1., 5., nan, infinite})
    CHECK(message({.variety = {.illuminants = strength}}).find("samples: illuminants is ") == 0);
  CHECK(message({.cells = 0}) == "samples: cells is 0, expected 1..64");
  CHECK(message({.cells = 65}) == "samples: cells is 65, expected 1..64");
  // samples that are cut from the stored scenes themselves
  const auto plain = ut::sample_source::create({uniform(1, 16, 16, band_count)}, {uniform(2, 16, 16)},
                                               {.height = 8, .width = 8, .variety = {.illuminants = .5}});
  REQUIRE_FALSE(bool(plain));
  CHECK(plain.error().message().find("illuminants") != std::string::npos);
}

TEST_CASE("scene variety: cells of a fresh mask are squares of one value, and half of them are open") {
  const auto s = ut::sample_source::create({uniform(1, 64, 64, band_count)}, {},
                                           {.batch = 32, .height = 32, .width = 32, .random_masks = 1, .cells = 4})
                     .value();
  auto b = s.make_batch<float>();
  s.fill(ref{}, b, 1, 0);
  std::array<int, 5> found{};
  double open = 0;
  for (index_t i = 0; i < 32; ++i) {
    const index_t cell = s.choose(1, 0, i).cell;
    REQUIRE((cell >= 1 && cell <= 4));
    ++found[static_cast<std::size_t>(cell)];
    // every change of value along rows and columns lies on one grid
    std::array<index_t, 2> grid{-1, -1};
    bool on_grid = true;
    const auto change = [&](std::size_t axis, index_t at) {
      if (grid[axis] < 0) grid[axis] = at % cell;
      on_grid = on_grid && at % cell == grid[axis];
    };
    for (index_t h = 0; h < 32; ++h)
      for (index_t w = 0; w < 32; ++w) {
        const float m = b.mask(i, h, w);
        CHECK((m == 0.f || m == 1.f));
        open += m;
        if (h > 0 && m != b.mask(i, h - 1, w)) change(0, h);
        if (w > 0 && m != b.mask(i, h, w - 1)) change(1, w);
      }
    CHECK(on_grid);
    CHECK((grid[0] >= 0 && grid[1] >= 0));
  }
  for (std::size_t cell = 1; cell <= 4; ++cell) CHECK(found[cell] > 0);
  CHECK(std::abs(open / (32 * 32 * 32) - .5) <= .04);
}
