/// A reconstructor with a memory limit.

#include <doctest/doctest.h>

#include "../model/heap_count.hpp"
#include "camera_case.hpp"

using namespace unmask_test;

namespace {

constexpr index_t tall = 104, wide = 88;

}  // namespace

TEST_CASE("tiles with a halo of the network's reach give the untiled bits") {
  const auto camera = camera_of(dispersion_direction::right, tall, wide);
  auto m = model_of(initial_kind::hm);
  m.config.layout = arrangement::spatial;  // spectral attention sees beyond the image's edge, in shifted windows
  const manifest list = make_manifest(m.config);
  m.parameters.resize(static_cast<std::size_t>(list.size));
  initialise(m.parameters.data(), list, 3);
  const auto y = snapshot_of(camera, scene(1, tall, wide));
  auto whole = reconstructor<cpu>::create({}, m, camera).value();
  const auto expected = run(whole, y);
  CHECK(whole.tiles().count() == 1);
  for (const int threads : {1, 2}) {
    auto tiled =
        reconstructor<cpu>::create({.threads = threads}, m, camera, {.tile = 24, .halo = reach(m.config)}).value();
    CHECK(tiled.tiles().count() > 4);
    CHECK(equal_bits(run(tiled, y), expected));
    // written as it goes, from the top, each row of tiles from the left
    tensor<float, 3> x({tall, wide, bands}, -1);
    const auto done = tiled.run_tiles(y.view(), [&](index_t row, index_t column, auto part) -> result<> {
      for (index_t i = 0; i < part.extent(0); ++i)
        std::copy_n(&part(i, 0, 0), part.extent(1) * bands, &x(row + i, column, 0));
      return {};
    });
    CHECK(done);
    CHECK(equal_bits(x, expected));
  }
}

TEST_CASE("a limit chooses the largest tiles that keep it, and is refused where none do") {
  const auto camera = camera_of(dispersion_direction::right, tall, wide);
  const auto m = model_of(initial_kind::hm);
  const cpu be{.threads = 2};
  const std::size_t cube = static_cast<std::size_t>(tall * wide * bands) * sizeof(float);
  const std::size_t whole = reconstructor<cpu>::bytes(be, m, camera).value() + cube;
  const auto free = reconstructor<cpu>::create(be, m, camera, {.memory_limit = whole}).value();
  CHECK(free.tiles().count() == 1);
  const std::size_t limit = whole * 6 / 10;
  auto r = reconstructor<cpu>::create(be, m, camera, {.memory_limit = limit, .halo = 8}).value();
  CHECK(r.tiles().count() > 1);
  CHECK(r.bytes() <= limit);
  const auto none = reconstructor<cpu>::create(be, m, camera, {.memory_limit = 1000});
  REQUIRE_FALSE(none);
  CHECK(none.error().message().find("smallest tiles") != std::string::npos);
#if UNMASK_TEST_HEAP_COUNTED
  const auto y = snapshot_of(camera, scene(1, tall, wide));
  tensor<float, 3> x({tall, wide, bands});
  r.run(x.view(), y.view());
  const std::size_t before = heap_calls();
  r.run(x.view(), y.view());
  CHECK(heap_calls() == before);
#endif
}

TEST_CASE("an error of what takes the tiles ends the run") {
  const auto camera = camera_of(dispersion_direction::right, tall, wide);
  auto r = reconstructor<cpu>::create({}, model_of(initial_kind::hm), camera, {.tile = 24, .halo = 8}).value();
  const auto y = snapshot_of(camera, scene(1, tall, wide));
  int calls = 0;
  const auto done = r.run_tiles(y.view(), [&](index_t, index_t, auto) -> result<> {
    return ++calls == 2 ? result<>(error(errc::not_writable, "full")) : result<>();
  });
  CHECK_FALSE(done);
  CHECK(calls == 2);
}
