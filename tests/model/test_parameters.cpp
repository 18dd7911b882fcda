/// Configurations, the list of parameters, and fresh values of them.

#include <doctest/doctest.h>

#include <unmask/models/initialise.hpp>

#include "network_case.hpp"

using namespace unmask_test;

TEST_CASE("every field of a configuration is checked") {
  struct wrong {
    const char* words;
    void (*spoil)(s2_config&);
  };
  const wrong cases[] = {
      {"bands is 0", [](s2_config& c) { c.bands = 0; }},
      {"bands is 4097", [](s2_config& c) { c.bands = 4097; }},
      {"channels is 0", [](s2_config& c) { c.channels = 0; }},
      {"channels is 5000", [](s2_config& c) { c.channels = 5000; }},
      {"stages is 0", [](s2_config& c) { c.stages = 0; }},
      {"stages is 9", [](s2_config& c) { c.stages = 9; }},
      {"window is 0", [](s2_config& c) { c.window = 0; }},
      {"window is 65", [](s2_config& c) { c.window = 65; }},
      {"pad_multiple is 0", [](s2_config& c) { c.pad_multiple = 0; }},
      {"pad_multiple is 6", [](s2_config& c) { c.pad_multiple = 6; }},
      {"pad_multiple is 2048", [](s2_config& c) { c.pad_multiple = 2048; }},
      {"hidden is 0", [](s2_config& c) { c.hidden = 0; }},
      {"hidden is 65537", [](s2_config& c) { c.hidden = 65537; }},
      {"spectral_head_width is 0", [](s2_config& c) { c.spectral_head_width = 0; }},
      {"spectral_head_width is 5", [](s2_config& c) { c.spectral_head_width = 5; }},
      {"depth is 0", [](s2_config& c) { c.depths[1] = 0; }},
      {"depth is 65", [](s2_config& c) { c.depths[0] = 65; }},
      {"heads is 0", [](s2_config& c) { c.heads[0] = 0; }},
      {"heads is 5", [](s2_config& c) { c.heads[1] = 5; }},
      {"heads is -1", [](s2_config& c) { c.heads[1] = -1; }},
      {"inputs is -1", [](s2_config& c) { c.inputs = -1; }},
      {"inputs is 3", [](s2_config& c) { c.inputs = 3; }},
  };
  CHECK(check(tiny_config()));
  CHECK(check(small_config()));
  CHECK(check(s2_config{}));
  for (const wrong& w : cases) {
    s2_config c = tiny_config();
    w.spoil(c);
    const auto r = check(c);
    INFO(w.words);
    REQUIRE_FALSE(r);
    INFO(r.error().message());
    CHECK(r.error().message().find(w.words) != std::string::npos);
    CHECK(r.error().message().find("expected") != std::string::npos);
  }
  s2_config unused = tiny_config();
  unused.depths[5] = -7;  // beyond `stages`
  CHECK(check(unused));
}

TEST_CASE("the full configuration has the parameters of the paper") {
  CHECK(make_manifest(s2_config{}).size == doctest::Approx(2.61e6).epsilon(0.005));
  index_t at = 0;
  const manifest m = make_manifest(tiny_config());
  for (const parameter& p : m.entries) {
    CHECK(p.offset == at);
    at += p.size;
    for (const parameter& q : m.entries) CHECK((&p == &q || p.name != q.name));
  }
  CHECK(at == m.size);
}

TEST_CASE("fresh parameters: bounds, moments, seed") {
  const manifest m = make_manifest(s2_config{});
  std::vector<double> a(static_cast<std::size_t>(m.size)), b(a.size());
  std::vector<float> f(a.size());
  initialise(a.data(), m, 5);
  initialise(b.data(), m, 5);
  initialise(f.data(), m, 5);
  CHECK(a == b);
  CHECK(relative_error(f, a) <= 1e-7);  // the same numbers, rounded
  initialise(b.data(), m, 6);
  CHECK(relative_error(b, a) >= 0.1);
  double sum = 0, square = 0, count = 0, uniform_sum = 0, uniform_square = 0, uniform_count = 0;
  bool inside = true;
  for (const parameter& p : m.entries)
    for (index_t i = 0; i < p.size; ++i) {
      const double x = a[static_cast<std::size_t>(p.offset + i)], bound = 1 / std::sqrt(static_cast<double>(p.fan_in));
      switch (p.init) {
        case initial::zero:
          inside = inside && x == 0;
          break;
        case initial::one:
          inside = inside && x == 1;
          break;
        case initial::uniform:
          inside = inside && std::abs(x) <= bound;
          uniform_sum += x / bound, uniform_square += x * x / (bound * bound), uniform_count += 1;
          break;
        case initial::normal:
          inside = inside && std::abs(x) <= 0.04;
          sum += x / 0.02, square += x * x / 0.0004, count += 1;
          break;
      }
    }
  CHECK(inside);
  // moments over n numbers are off by 1/sqrt(n): five deviations; the variance of a normal cut at 2 is 0.7737
  CHECK(count >= 1e6);
  CHECK(uniform_count >= 1e5);
  CHECK(std::abs(sum / count) <= 5 / std::sqrt(count));
  CHECK(std::abs(square / count - 0.7737) <= 5 / std::sqrt(count));
  CHECK(std::abs(uniform_sum / uniform_count) <= 5 / std::sqrt(uniform_count));
  CHECK(std::abs(uniform_square / uniform_count - 1. / 3) <= 5 / std::sqrt(uniform_count));
}
