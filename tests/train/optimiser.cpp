#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "unmask/core/progress.hpp"
#include "unmask/core/random.hpp"
#include "unmask/train/adamw.hpp"
#include "unmask/train/schedule.hpp"
#include "unmask/train/stages.hpp"

using namespace unmask;
using unmask::index_t;
namespace ut = unmask::train;

TEST_CASE("adamw: follows the textbook formula") {
  const ut::adamw_options o{.beta1 = .8, .beta2 = .95, .epsilon = 1e-6, .weight_decay = .1, .average = .9};
  constexpr index_t n = 101;
  std::vector<double> p(n), g(n), m(n), v(n), average(n), q, qm(n), qv(n), qa(n);
  unmask::random draw(1);
  for (double& x : p) x = draw.normal();
  q = average = qa = p;
  for (index_t t = 1; t <= 20; ++t) {
    for (double& x : g) x = draw.normal();
    const double rate = .01 * static_cast<double>(t), factor = ut::clip_factor(ut::norm(ref{}, g.data(), n), 2.);
    ut::adamw_step<double>(cpu{2}, o, {rate, t, factor}, p.data(), g.data(), {m.data(), v.data(), average.data()}, n);
    double square = 0;
    for (double x : g) square += x * x;
    const auto steps = static_cast<double>(t);
    for (std::size_t i = 0; i < g.size(); ++i) {
      const double clipped = g[i] * std::min(1., 2 / (std::sqrt(square) + 1e-6));
      q[i] -= rate * .1 * q[i];
      qm[i] = .8 * qm[i] + .2 * clipped;
      qv[i] = .95 * qv[i] + .05 * clipped * clipped;
      const double m_hat = qm[i] / (1 - std::pow(.8, steps)), v_hat = qv[i] / (1 - std::pow(.95, steps));
      q[i] -= rate * m_hat / (std::sqrt(v_hat) + 1e-6);
      const double d = std::min(.9, (1 + steps) / (10 + steps));
      qa[i] = d * qa[i] + (1 - d) * q[i];
    }
  }
  // 20 updates of a few roundings each on values about 1.
  for (std::size_t i = 0; i < p.size(); ++i) {
    CHECK(std::abs(p[i] - q[i]) <= 1e-12);
    CHECK(std::abs(average[i] - qa[i]) <= 1e-12);
  }
}

TEST_CASE("adamw: norm, clipping and thread count") {
  const std::vector<double> g{3, 4};
  CHECK(ut::norm(ref{}, g.data(), 2) == 5);
  CHECK(ut::clip_factor(5, 0) == 1);
  CHECK(ut::clip_factor(5, 10) == 1);
  CHECK(ut::clip_factor(5, 1) == doctest::Approx(.2).epsilon(1e-6));
  CHECK(ut::clip_factor(0, 1) == 1);
  constexpr index_t n = 5003;
  std::vector<float> gradient(n);
  unmask::random draw(2);
  for (float& x : gradient) x = static_cast<float>(draw.normal());
  const auto run = [&](int threads) {
    std::vector<float> p(n, 1.f), m(n), v(n);
    const double norm = ut::norm(cpu{threads}, gradient.data(), n);
    for (index_t t = 1; t < 4; ++t)
      ut::adamw_step<float>(cpu{threads}, {}, {1e-3, t, ut::clip_factor(norm, 1)}, p.data(), gradient.data(),
                            {m.data(), v.data()}, n);
    p.push_back(static_cast<float>(norm));
    return p;
  };
  CHECK(run(1) == run(2));
  CHECK(run(1) == run(3));
}

TEST_CASE("adamw and schedule: contradictions are refused by name") {
  CHECK(bool(ut::check(ut::adamw_options{})));
  CHECK(ut::check(ut::adamw_options{.beta1 = 1}).error().message() ==
        "adamw: beta1 is 1.000000, expected 0 <= beta1 < 1");
  CHECK_FALSE(ut::check(ut::adamw_options{.clip = std::nan("")}));
  CHECK(bool(ut::check(ut::cosine_schedule{})));
  CHECK_FALSE(ut::check(ut::cosine_schedule{.peak = 0}));
  CHECK_FALSE(ut::check(ut::cosine_schedule{.floor = 1}));
  CHECK_FALSE(ut::check(ut::cosine_schedule{.warm_up = 7, .steps = 5}));
}

TEST_CASE("schedule: warm-up, half a cosine, floor") {
  const ut::cosine_schedule s{.peak = 1, .floor = .1, .warm_up = 4, .steps = 24};
  CHECK(s(0) == .25);
  CHECK(s(3) == 1);
  CHECK(s(4) == 1);
  CHECK(s(14) == doctest::Approx(.55).epsilon(1e-12));
  CHECK(s(24) == doctest::Approx(.1).epsilon(1e-12));
  CHECK(s(1000) == doctest::Approx(.1).epsilon(1e-12));
  for (index_t i = 4; i < 24; ++i) CHECK(s(i + 1) < s(i));
  const ut::cosine_schedule flat{.peak = 2, .floor = 2, .warm_up = 1, .steps = 1};
  CHECK(flat(0) == 2);
  CHECK(flat(9) == 2);
}

TEST_CASE("stages: parsed, looked up, refused") {
  const auto plan = ut::parse_stages("me:3,ma:5").value();
  CHECK(plan.steps() == 8);
  CHECK(plan.at(0) == ut::stage::mask_encoding);
  CHECK(plan.at(2) == ut::stage::mask_encoding);
  CHECK(plan.at(3) == ut::stage::mask_aware);
  CHECK(plan.at(99) == ut::stage::mask_aware);
  CHECK(ut::parse_stages("plain:10").value().at(4) == ut::stage::plain);
  for (const char* wrong :
       {"", "me", "me:", "me:0", "me:-3", "me:3x", "mee:3", "me:3,", ",me:3", "ma:99999999999999999999"})
    CHECK_FALSE(ut::parse_stages(wrong));
  CHECK(ut::parse_stages("me:3,am:5").error().message() ==
        "stages: 'am:5' is not one of plain:N, me:N, ma:N with N in 1..1000000000");
}

TEST_CASE("progress: plain lines with an estimate") {
  CHECK(format_duration(7.4) == "0:07");
  CHECK(format_duration(754) == "12:34");
  CHECK(format_duration(11045) == "3:04:05");
  CHECK(format_duration(-1) == "-:--");
  CHECK(format_duration(std::nan("")) == "-:--");
  std::FILE* file = std::tmpfile();
  REQUIRE(file);
  progress_line bar(100, 40, {.label = "fit", .every = 1e9, .stream = file});
  // 10 steps in 5 s are 2 a second; 50 are left.
  CHECK(bar.line(50, 5, "loss 0.5") == "fit [==========          ] 50/100  loss 0.5  2 steps/s  ETA 0:25");
  CHECK(bar.line(40, 0, "") == "fit [========            ] 40/100    0 steps/s  ETA -:--");
  for (index_t i = 41; i <= 100; ++i) bar.update(i, "loss 0.25");
  // From the first step on: 8 s for the 4 steps after it.
  CHECK(bar.line(45, bar.preparation() + 8, "") == "fit [=========           ] 45/100    0.5 steps/s  ETA 1:50");
  bar.update(100, "again");
  bar.pause();
  std::rewind(file);
  char text[512] = {};
  const std::size_t n = std::fread(text, 1, sizeof text - 1, file);
  std::fclose(file);
  const std::string printed(text, n);
  CHECK(printed.find("fit [====================] 100/100  loss 0.25") == 0);
  CHECK(printed.find('\n') == printed.size() - 1);  // the interval passed only at the end
  CHECK(printed.find('\r') == std::string::npos);
  progress_line silent(10, 0, {.stream = nullptr});
  silent.update(10, "");
}
