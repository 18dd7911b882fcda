/// A product can plan with `bytes()`, and after `create` nothing allocates.

#include <doctest/doctest.h>

#include "../model/heap_count.hpp"
#include "camera_case.hpp"

using namespace unmask_test;

#if UNMASK_TEST_HEAP_COUNTED

TEST_CASE("run takes no heap, whatever the method") {
  for (const initial_kind kind : all_kinds)
    for (const bool network : {false, true})
      for (const auto direction : {dispersion_direction::right, dispersion_direction::up}) {
        CAPTURE(initial_name(kind));
        CAPTURE(network);
        const auto camera = camera_of(direction);
        auto m = model_of(kind);
        m.direction = direction;
        auto r = reconstructor<cpu>::create({.threads = 2}, m, camera, {.network = network}).value();
        const auto y = snapshot_of(camera, scene(1));
        tensor<float, 3> x({height, width, bands});
        r.run(x.view(), y.view());  // threads of their own are made once
        const std::size_t before = heap_calls();
        r.run(x.view(), y.view());
        CHECK(heap_calls() == before);
      }
}

TEST_CASE("what is taken is what was planned, within 5 %") {
  constexpr index_t h = 96, w = 128;  // beside a large image small things weigh little
  for (const initial_kind kind : all_kinds)
    for (const auto direction : {dispersion_direction::right, dispersion_direction::down}) {
      CAPTURE(initial_name(kind));
      const auto camera = camera_of(direction, h, w);
      auto m = model_of(kind);
      m.direction = direction;
      const auto y = snapshot_of(camera, scene(1, h, w));
      const auto planned = static_cast<double>(reconstructor<cpu>::bytes({.threads = 2}, m, camera).value());
      tensor<float, 3> x({h, w, bands});
      const std::size_t before = heap_alive();
      forget_heap_peak();
      auto r = reconstructor<cpu>::create({.threads = 2}, m, camera).value();
      r.run(x.view(), y.view());
      const auto taken = static_cast<double>(heap_peak() - before);
      CHECK(static_cast<double>(r.bytes()) == planned);
      CHECK(taken <= 1.05 * planned);
      CHECK(taken >= .95 * planned);
    }
}

#endif
