/// The gradient of the whole small network (reflect padding, pins, two images, stochastic depth) against central
/// differences in double, norm-wise to 1e-6.

#include <doctest/doctest.h>

#include <algorithm>
#include <unmask/train/gradient_check.hpp>

#include "network_case.hpp"

using namespace unmask_test;

namespace {

using reference = network_case<double, ref>;

/// The scalar is a sum of some 3,000 terms near 1, so differences carry 1e-16 * 1e2 / 1e-5 = 1e-9 of rounding: what the
/// bound leaves to a gradient that is zero in exact arithmetic.
constexpr double rounding = 2e-8;

void check(reference& c, const std::string& name, std::span<double> x, std::span<const double> g, int projections,
           std::size_t elements) {
  const auto f = [&] {
    c.forward();
    return c.value();
  };
  std::vector<double> numeric, analytic;
  const auto add = [&](const train::gradient_check_report& r) {
    numeric.push_back(r.numeric);
    analytic.push_back(r.analytic);
  };
  for (int seed = 0; seed < projections; ++seed)
    add(train::check_gradient_along(f, x, g, {.projections = 1, .seed = static_cast<std::uint64_t>(seed)}));
  elements = std::min(elements, x.size());
  for (std::size_t k = 0; k < elements; ++k) {
    const std::size_t at = (2 * k + 1) * x.size() / (2 * elements);
    add(train::check_gradient(f, x.subspan(at, 1), g.subspan(at, 1)));
  }
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < numeric.size(); ++i) {
    difference += (numeric[i] - analytic[i]) * (numeric[i] - analytic[i]);
    size += analytic[i] * analytic[i];
  }
  INFO("gradient of ", name, ", size ", std::sqrt(size));
  CHECK(std::sqrt(difference) <= std::max(1e-6 * std::sqrt(size), rounding));
}

void check_all(reference& c, int projections, std::size_t elements) {
  c.forward();
  c.backward();
  REQUIRE(finite(c.gradients));
  check(c, "x", c.x, c.dx, 2 * projections, 2 * elements);
  check(c, "mask", c.mask, c.dmask, 2 * projections, 2 * elements);
  check(c, "all parameters", c.parameters, c.gradients, 2 * projections, 0);
  for (const parameter& p : make_manifest(c.config).entries) {
    const auto at = static_cast<std::size_t>(p.offset), n = static_cast<std::size_t>(p.size);
    check(c, p.name, std::span(c.parameters).subspan(at, n), std::span<const double>(c.gradients).subspan(at, n),
          projections, elements);
  }
}

}  // namespace

TEST_CASE("gradient of the whole network: every parameter") {
  reference c(ref{}, tiny_config(), {2, 6, 7}, s2_mode::training);
  check_all(c, 2, 3);
}

TEST_CASE("gradient of the whole network: an input with channels of its own") {
  s2_config config = tiny_config();
  config.inputs = 7;
  reference c(ref{}, config, {2, 6, 7}, s2_mode::training);
  check_all(c, 1, 2);
}

TEST_CASE("gradient of the whole network: all arrangements, with dropped branches") {
  for (int layout = 0; layout < arrangements; ++layout) {
    INFO("arrangement ", layout);
    reference c(ref{}, tiny_config(layout), {2, 5, 3}, s2_mode::training, true);
    check_all(c, 1, 1);
  }
}
