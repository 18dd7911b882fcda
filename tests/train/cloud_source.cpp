#include <doctest/doctest.h>

#include <unmask/nn/cpu/all.hpp>
#include <unmask/train/cloud_source.hpp>
#include <unmask/train/fit.hpp>

#include "../clouds/scenes.hpp"
#include "../clouds/tiny_network.hpp"

using namespace unmask;
using namespace unmask_test;

namespace {

/// Clear dates of the made place.
train::cloud_scene clear_scene(index_t width, index_t colours, index_t dates) {
  train::cloud_scene s{
      tensor<float, 4>({dates, width, width, colours}), tensor<std::uint8_t, 3>({dates, width, width}, 1), {}, {}};
  for (index_t c = 0; c < colours; ++c) s.wavelengths.push_back(480. + 90. * static_cast<double>(c));
  unmask::random noise(8);
  for (index_t t = 0; t < dates; ++t) {
    s.days.push_back(12. * static_cast<double>(t));
    for (index_t h = 0; h < width; ++h)
      for (index_t w = 0; w < width; ++w)
        for (index_t c = 0; c < colours; ++c)
          s.dates(t, h, w, c) = ground(h, w, c, s.days.back()) + static_cast<float>(.002 * noise.normal());
  }
  return s;
}

train::cloud_cases make_cases() {
  std::vector<train::cloud_scene> scenes;
  scenes.push_back(clear_scene(80, 3, 4));
  return train::cloud_cases::create(std::move(scenes), {}, {.side = 64}).value();
}

train::cloud_source make_source() {
  train::sample_options samples;
  samples.batch = 3, samples.height = samples.width = 32;
  return train::cloud_source::create(make_cases(), samples, {.cases = 4, .steps_per_case = 2}).value();
}

using trainer = train::trainer<s2_network<float, cpu>>;

trainer make_trainer() {
  train::trainer_options o;
  o.batch = 3, o.height = o.width = 32, o.last_zero = true, o.drop_path = 0;
  o.schedule = {.peak = 3e-3, .floor = 1e-3, .warm_up = 1, .steps = 60};
  return trainer::create(cpu{.threads = 2}, tiny_clouds_network, o).value();
}

/// Stops after so many steps.
struct stops_at : train::fit_observer {
  index_t last;
  explicit stops_at(index_t steps) : last(steps - 1) {}
  bool on_step(const train::step_report& r, train::stage) { return r.step < last; }
};

}  // namespace

TEST_CASE("a case is a stack's result under simulated cloud, the same whenever it is made") {
  const auto cases = make_cases();
  const auto a = cases.make(5, 3), b = cases.make(5, 3), other = cases.make(5, 4);
  REQUIRE(a.size.size() == 64 * 64);
  CHECK(a.base == b.base);
  CHECK(a.truth == b.truth);
  CHECK(a.asked == b.asked);
  CHECK_FALSE(a.y == other.y);
  double hidden = 0, error = 0, cloud = 0;
  for (std::size_t i = 0; i < a.truth.size(); ++i) {
    const std::size_t pixel = i / 3;
    REQUIRE(a.open[pixel] + a.asked[pixel] <= 1);
    if (a.open[pixel] != 0) CHECK(std::abs(a.y[i] - a.truth[i]) < .1f);
    if (a.asked[pixel] == 0) continue;
    ++hidden, error += std::pow(a.base[i] - a.truth[i], 2), cloud += std::pow(a.y[i] - a.truth[i], 2);
  }
  CHECK(hidden > .05 * 64 * 64 * 3);
  CHECK(error < .1 * cloud);
}

TEST_CASE("some cases show nothing of the ground, the others some of it") {
  const auto cases = make_cases();
  int nothing = 0;
  for (std::uint64_t k = 0; k < 24; ++k) {
    const auto c = cases.make(9, k);
    double seen = 0, count = 0;
    for (std::size_t i = 0; i < c.transmission.size(); ++i)
      if (c.asked[i / 3] != 0) seen += static_cast<double>(c.transmission[i]), ++count;
    REQUIRE(count > 0);
    nothing += seen / count < .02;
  }
  CHECK(nothing >= 4);
  CHECK(nothing <= 16);
}

TEST_CASE("a batch is a function of seed and step alone") {
  auto straight = make_source(), late = make_source();
  auto one = straight.make_batch<float>(), two = one, three = one;
  REQUIRE(one.input.extents() == std::array<index_t, 4>{3, 32, 32, clouds::network_channels});
  const cpu be{.threads = 2};
  for (index_t step = 0; step < 9; ++step) straight.fill(be, one, 2, step);
  late.fill(cpu{.threads = 1}, two, 2, 8);
  straight.fill(be, three, 2, 9);
  const auto same = [](const auto& x, const auto& y) { return std::equal(x.begin(), x.end(), y.begin()); };
  CHECK(same(one.input, two.input));
  CHECK(same(one.mask, two.mask));
  CHECK(same(one.truth, two.truth));
  CHECK_FALSE(same(one.input, three.input));
  for (index_t b = 0; b < 3; ++b)
    for (index_t h = 0; h < 32; ++h)
      for (index_t w = 0; w < 32; ++w) {
        CHECK(std::isfinite(one.truth(b, h, w, 0)));
        if (one.input(b, h, w, 1) == 1) CHECK(one.truth(b, h, w, 0) == one.input(b, h, w, 0));
      }
}

TEST_CASE("a small network learns a batch of cases") {
  auto source = make_source();
  auto net = make_trainer();
  const train::loss_spec loss{
      .kind = train::stage::mask_encoding, .rho = {train::penalty_kind::charbonnier, .5}, .encoding = .1};
  auto samples = source.make_batch<float>();
  source.fill(cpu{.threads = 2}, samples, 1, 0);
  const double before = net.differentiate(samples, loss).value;
  for (int step = 0; step < 60; ++step) REQUIRE(net.step(samples, loss).updated);
  CHECK(net.differentiate(samples, loss).value < .96 * before);
}

TEST_CASE("a training that is stopped and goes on with cases made anew has the bits of one that was not") {
  const train::fit_options options{.plan = train::parse_stages("me:3,ma:3").value()};
  auto straight = make_trainer(), halved = make_trainer();
  auto one = make_source(), before = make_source(), after = make_source();
  REQUIRE(train::fit(straight, one, options, train::fit_observer{}));
  REQUIRE(train::fit(halved, before, options, stops_at(3)).value() == train::fit_end::stopped);
  CHECK(halved.state().step == 3);
  REQUIRE(train::fit(halved, after, options, train::fit_observer{}));
  const auto a = straight.parameters(), b = halved.parameters();
  CHECK(std::equal(a.begin(), a.end(), b.begin(), b.end()));
}

TEST_CASE("scenes and numbers that do not fit are refused by name") {
  const auto refused = [](train::cloud_scene s, index_t most) {
    std::vector<train::cloud_scene> scenes;
    scenes.push_back(std::move(s));
    const auto made = train::cloud_cases::create(std::move(scenes), {}, {.side = most});
    return made ? std::string() : made.error().message();
  };
  CHECK(refused(clear_scene(80, 3, 1), 64) == "clouds: scene 0 has 1 dates, expected at least 2");
  CHECK(refused(clear_scene(40, 3, 2), 64) == "clouds: scene 0 is 40 x 40, expected at least 64 pixels a side");
  auto s = clear_scene(80, 3, 2);
  s.wavelengths.pop_back();
  CHECK(refused(std::move(s), 64) == "clouds: scene 0 has 3 bands and 2 wavelengths, expected one a band");
  auto dark = clear_scene(80, 3, 2);
  std::fill(dark.clear.begin(), dark.clear.end(), std::uint8_t{0});
  CHECK(refused(std::move(dark), 64) == "clouds: no crop of 64 pixels is clear enough on any date to serve as truth");
  train::sample_options samples;
  samples.height = samples.width = 96;
  CHECK_FALSE(train::cloud_source::create(make_cases(), samples, {}));
  samples.height = samples.width = 32;
  CHECK_FALSE(train::cloud_source::create(make_cases(), samples, {.cases = 0}));
}
