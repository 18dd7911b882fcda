/// Numbers that stop being finite are told as a value, with stage and part, and without heap.

#include <doctest/doctest.h>

#include <limits>
#include <string>

#include "../model/heap_count.hpp"
#include "camera_case.hpp"

using namespace unmask_test;

namespace {

constexpr float nan_value = std::numeric_limits<float>::quiet_NaN();

struct watched {
  run_outcome outcome;
  std::string text;
  std::size_t heap = 0;
};

watched run_watched(const model& m, const tensor<float, 2>& y, const reconstruct_options& options = {}) {
  const auto camera = camera_of();
  auto r = reconstructor<cpu>::create({.threads = 2}, m, camera, options).value();
  tensor<float, 3> x({height, width, bands});
  r.run(x.view(), snapshot_of(camera, scene(1)).view());  // threads of their own are made once
  watched w;
#if UNMASK_TEST_HEAP_COUNTED
  const std::size_t before = heap_calls();
#endif
  w.outcome = r.run(x.view(), y.view());
#if UNMASK_TEST_HEAP_COUNTED
  w.heap = heap_calls() - before;
#endif
  if (const auto status = r.status(); !status) {
    CHECK(status.error().code() == errc::not_finite);
    w.text = status.error().message();
  }
  CHECK(w.outcome.finite == w.text.empty());
  return w;
}

tensor<float, 2> times(tensor<float, 2> y, float factor) {
  for (float& v : y) v *= factor;
  return y;
}

}  // namespace

TEST_CASE("a run of finite numbers says so") {
  const auto y = snapshot_of(camera_of(), scene(1));
  for (const initial_kind kind : all_kinds) CHECK(run_watched(model_of(kind), y).outcome);
  CHECK(run_watched(model_of(initial_kind::hm), y, {.tile = 8, .halo = 8}).outcome);
}

TEST_CASE("NaN in a measurement is not computed with") {
  auto y = snapshot_of(camera_of(), scene(1));
  y(3, 4) = nan_value;
  for (const initial_kind kind : all_kinds) {
    const auto w = run_watched(model_of(kind), y);
    CHECK(w.outcome.stage == reconstruct_stage::measurement);
    CHECK(w.text == "measurement: a value is NaN or infinite");
    CHECK(w.heap == 0);
  }
}

TEST_CASE("an estimate, a network or a tile that overflows is named, with the part") {
  const auto y = snapshot_of(camera_of(), scene(1));
  auto w = run_watched(model_of(initial_kind::gap_tv), times(y, 3e37f), {.network = false});
  CHECK(w.outcome.stage == reconstruct_stage::estimate);
  CHECK(w.outcome.part >= 1);
  CHECK(w.text.starts_with("GAP-TV, iteration "));
  CHECK(w.heap == 0);

  auto broken = model_of(initial_kind::hm);
  broken.parameters[10] = nan_value;
  w = run_watched(broken, y);
  CHECK(w.outcome.stage == reconstruct_stage::network);
  CHECK(w.text == "network: a value is NaN or infinite");
  CHECK(w.heap == 0);
  w = run_watched(broken, y, {.tile = 8, .halo = 8});
  CHECK(w.outcome.stage == reconstruct_stage::tiles);
  CHECK(w.outcome.part == 1);
  CHECK(w.outcome.of > 1);
  CHECK(w.text.starts_with("network, tile 1 of "));
  CHECK(w.heap == 0);
}

TEST_CASE("what a network makes too large for the correction is named") {
  auto m = model_of(initial_kind::spectral_tv);
  for (const parameter& p : make_manifest(m.config).entries)
    if (p.name.starts_with(s2_network<float, cpu>::last_layer))
      for (index_t i = 0; i < p.size; ++i) m.parameters[static_cast<std::size_t>(p.offset + i)] *= 1e25f;
  // without the hold-out check, which leaves such a network out where its own strip is still finite
  const auto w = run_watched(m, snapshot_of(camera_of(), scene(1)), {.check_rows = 0});
  CHECK_FALSE(w.outcome);
  CHECK(w.outcome.stage == reconstruct_stage::refinement);
  CHECK(w.text.starts_with("refinement"));
}

TEST_CASE("after a run that failed the next is as good as any") {
  const auto camera = camera_of();
  const auto y = snapshot_of(camera, scene(1));
  auto bad = y;
  bad(0, 0) = nan_value;
  for (const initial_kind kind : all_kinds) {
    auto r = reconstructor<cpu>::create({}, model_of(kind), camera).value();
    tensor<float, 3> x({height, width, bands}), again(x.extents());
    r.run(x.view(), y.view());
    const auto overflow = r.run(again.view(), times(y, 3e37f).view());
    CHECK(overflow.finite == static_cast<bool>(r.status()));
    CHECK_FALSE(r.run(again.view(), bad.view()));
    CHECK(r.run(again.view(), y.view()));
    CHECK(r.status());
    CHECK(equal_bits(x, again));
  }
}

TEST_CASE("progress that returns false ends a run in any stage") {
  const auto y = snapshot_of(camera_of(), scene(1));
  const auto calls = [&](const model& m, const reconstruct_options& options, int last) {
    auto r = reconstructor<cpu>::create({}, m, camera_of(), options).value();
    tensor<float, 3> x({height, width, bands});
    int called = 0;
    const auto outcome = r.run(x.view(), y.view(), [&](const reconstruct_progress&) { return ++called != last; });
    CHECK(outcome.stopped == (called == last));
    if (outcome.stopped) {
      CHECK_FALSE(outcome);
      REQUIRE_FALSE(r.status());
      CHECK(r.status().error().code() == errc::stopped);
    }
    CHECK(r.run(x.view(), y.view()));  // as if nothing had been
    CHECK(r.status());
    return called;
  };
  for (const initial_kind kind : all_kinds) {
    const int all = calls(model_of(kind), {}, -1);
    for (const int last : {1, all - 1, all})
      if (last > 0) CHECK(calls(model_of(kind), {}, last) == last);
  }
  CHECK(calls(model_of(initial_kind::hm), {.tile = 8, .halo = 8}, 2) == 2);
}
