/// The whole network and sessions on the cuda backend against the reference.

#include "../nn/tested_backend.hpp"
// a kernel's emulator comes before what includes its launcher
#include <doctest/doctest.h>

#include <unmask/models/session.hpp>

#include "../model/network_case_definition.hpp"

using namespace unmask_test;

template struct unmask_test::network_case<double, ref>;
template struct unmask_test::network_case<double, cuda>;
template struct unmask_test::network_case<float, cuda>;

namespace {

template <class T>
void compare(const s2_config& c, s2_sizes sizes, const network_case<double, ref>& expected, double tolerance) {
  network_case<T, cuda> found(cuda{}, c, sizes, s2_mode::training, true);
  found.forward();
  found.backward();
  REQUIRE(bool(finish(cuda{})));
  CHECK(relative_error(found.y, expected.y) <= tolerance);
  CHECK(relative_error(found.dx, expected.dx) <= tolerance);
  if (c.layout != arrangement::spectral)  // which does not see the mask here
    CHECK(relative_error(found.dmask, expected.dmask) <= tolerance);
  CHECK(relative_error(found.gradients, expected.gradients) <= tolerance);
}

}  // namespace

TEST_CASE("cuda agrees with ref in all arrangements, forward and backward") {
  // the bounds of tests/model/test_network.cpp
  for (int layout = 0; layout < arrangements; ++layout) {
    INFO("arrangement ", layout);
    const s2_config c = tiny_config(layout);
    const s2_sizes sizes{2, 5, 7};
    network_case<double, ref> expected(ref{}, c, sizes, s2_mode::training, true);
    expected.forward();
    expected.backward();
    compare<double>(c, sizes, expected, 1e-11);
    compare<float>(c, sizes, expected, 1e-4);
  }
}

TEST_CASE("cuda session: the cube of the reference, again and again") {
  const s2_config c = tiny_config(0);
  const index_t height = 6, width = 7, size = height * width * c.bands;
  const auto parameters = lively_parameters<double>(c);
  auto mask = seeded<double>(height * width, 1, 0, 1);
  const array_view<const double, 2> mask_view(mask.data(), height, width);
  const auto cube_of = [&](auto be) {
    using Backend = decltype(be);
    auto s = session<s2_network<double, Backend>>::create(be, c, parameters, height, width, mask_view);
    REQUIRE(bool(s));
    std::vector<double> all;
    for (std::uint64_t i = 0; i < 4; ++i) {  // ordinary, recorded, played back twice
      auto image = seeded<double>(size, 10 + i, 0, 1);
      const array_view<double, 3> view(image.data(), height, width, index_t{c.bands});
      s->run(view, view);
      REQUIRE(bool(finish(be)));
      all.insert(all.end(), image.begin(), image.end());
    }
    return all;
  };
  CHECK(relative_error(cube_of(cuda{}), cube_of(ref{})) <= 1e-11);
}
