/// Solvers in memory that is not theirs: what is there before does not matter, scratch is dead between calls, and
/// nothing is taken from the heap while they run.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <unmask/optics/camera_alignment.hpp>
#include <unmask/optics/adaptive_spectral_tv.hpp>
#include <unmask/optics/gap_tv.hpp>
#include <unmask/optics/learn_spectra.hpp>
#include <unmask/optics/planned.hpp>
#include <unmask/optics/spectral_tv_refine.hpp>

#include "../model/heap_count.hpp"
#include "snapshot.hpp"

namespace {

/// A block whose every number is a NaN.
memory_block spoilt(std::size_t bytes) {
  memory_block block(bytes);
  std::memset(block.data(), 0xff, block.bytes());
  return block;
}

/// A solver that keeps one block and shares another with whoever comes between.
template <class Solver>
struct borrowed {
  Solver solver;
  memory_block own, scratch;

  explicit borrowed(Solver s) : solver(s) {
    arena measure, measure_scratch;
    if constexpr (requires { s.carve(measure); }) s.carve(measure);
    s.carve_scratch(measure_scratch);
    own = spoilt(measure.peak());
    scratch = spoilt(measure_scratch.peak());
    arena memory(own.data(), own.bytes()), there(scratch.data(), scratch.bytes());
    if constexpr (requires { s.carve(memory); }) solver.carve(memory);
    solver.carve_scratch(there);
    if constexpr (requires { s.prepare(ref{}); }) solver.prepare(ref{});
  }
  void spoil() { std::memset(scratch.data(), 0xff, scratch.bytes()); }
};

template <class Work>
void without_heap(Work&& work) {
  const auto before = unmask_test::heap_calls();
  Eigen::internal::set_is_malloc_allowed(false);
  work();
  Eigen::internal::set_is_malloc_allowed(true);
#if UNMASK_TEST_HEAP_COUNTED
  CHECK(unmask_test::heap_calls() == before);
#endif
}

bool same(const tensor<float, 3>& a, const tensor<float, 3>& b) { return std::equal(a.begin(), a.end(), b.begin()); }

}  // namespace

TEST_CASE("solver memory: GAP-TV") {
  const snapshot s = take(17, 23, 4);
  const auto camera = s.camera();
  const optics::gap_tv_options options{.iterations = 4};
  tensor<float, 3> expected(s.truth.extents()), x(s.truth.extents());
  optics::planned<optics::gap_tv> planned(camera, options);
  CHECK(planned.bytes() == optics::gap_tv::bytes(s.g));
  planned->run(ref{}, expected.view(), s.y.view());
  borrowed<optics::gap_tv> plan(optics::gap_tv(camera, options));
  for (int i = 0; i < 2; ++i, plan.spoil()) {
    without_heap([&] { plan.solver.run(ref{}, x.view(), s.y.view()); });
    CHECK(same(x, expected));
  }
}

TEST_CASE("solver memory: spectral TV, its correction and refinement") {
  const snapshot s = take(25, 22, 4);
  std::vector<tensor<float, 3>> scenes{s.truth};
  const auto basis = optics::learn_spectral_basis(scenes, 5).value();
  const optics::spectral_tv_options options{.outer_iterations = 3, .iterations = 5, .correction_iterations = 4};
  for (const bool placed : {false, true}) {
    const auto camera =
        s.camera(placed ? optics::band_positions(s.g, {.stretch = -1.5f, .bend = 1}) : std::vector<float>{});
    tensor<float, 3> first(s.truth.extents()), second(s.truth.extents()), third(s.truth.extents());
    optics::planned<optics::spectral_tv> planned(camera, basis.view(), options);
    CHECK(planned.bytes() == optics::spectral_tv::bytes(s.g, 5, placed));
    optics::planned<optics::similar_patches> patches(25, 5, 22);
    CHECK(patches.bytes() == optics::similar_patches::bytes(25, 5, 22));
    planned->run(ref{}, first.view(), s.y.view());
    second = first;
    planned->correct(ref{}, second.view(), s.y.view());
    third = second;
    planned->refine(ref{}, *patches, third.view(), s.y.view());
    CHECK_FALSE(same(first, second));
    CHECK_FALSE(same(second, third));

    borrowed<optics::spectral_tv> plan(optics::spectral_tv(camera, basis.view(), options));
    borrowed<optics::similar_patches> groups(optics::similar_patches(25, 5, 22));
    tensor<float, 3> x(s.truth.extents());
    for (int i = 0; i < 2; ++i) {
      without_heap([&] { plan.solver.run(ref{}, x.view(), s.y.view()); });
      CHECK(same(x, first));
      plan.spoil();
      without_heap([&] { plan.solver.correct(ref{}, x.view(), s.y.view()); });
      CHECK(same(x, second));
      plan.spoil();
      groups.spoil();
      without_heap([&] { plan.solver.refine(ref{}, groups.solver, x.view(), s.y.view()); });
      CHECK(same(x, third));
      plan.spoil();
    }
  }
}

TEST_CASE("solver memory: spectral TV with the scene's own spectra") {
  const snapshot s = take(25, 22, 14);
  std::vector<tensor<float, 3>> scenes{s.truth};
  const auto basis = optics::learn_spectral_basis(scenes, 13).value();
  const optics::spectral_tv_options options{.outer_iterations = 3, .iterations = 5, .correction_iterations = 4};
  const auto camera = s.camera({});
  tensor<float, 3> expected(s.truth.extents()), x(s.truth.extents());
  optics::planned<optics::adaptive_spectral_tv> planned(camera, basis.view(), options);
  REQUIRE(planned->adapts());
  planned->run(ref{}, expected.view(), s.y.view());
  borrowed<optics::adaptive_spectral_tv> plan(optics::adaptive_spectral_tv(camera, basis.view(), options));
  for (int i = 0; i < 2; ++i, plan.spoil()) {
    without_heap([&] { plan.solver.run(ref{}, x.view(), s.y.view()); });
    CHECK(same(x, expected));
  }
}

TEST_CASE("solver memory: runs cannot throw") {
  const auto quiet = [](index_t, float) {};
  using cube = out<float, 3>;
  using plane = in<float, 2>;
  using optics::spectral_tv;
  CHECK(noexcept(std::declval<optics::gap_tv&>().run(cpu{}, cube(), plane(), quiet)));
  CHECK(noexcept(std::declval<spectral_tv&>().run(cpu{}, cube(), plane(), quiet)));
  CHECK(noexcept(std::declval<optics::adaptive_spectral_tv&>().run(cpu{}, cube(), plane(), quiet)));
  CHECK(noexcept(std::declval<spectral_tv&>().correct(cpu{}, cube(), plane())));
  CHECK(
      noexcept(std::declval<spectral_tv&>().refine(cpu{}, std::declval<optics::similar_patches&>(), cube(), plane())));
}

TEST_CASE("spectral-tv: what does not fit the camera is refused by name") {
  const snapshot s = take(6, 7, 4);
  const auto message = [](const optics::camera& c, const tensor<float, 2>& basis) {
    const auto r = optics::spectral_tv::check(c, basis.view());
    return r ? std::string() : r.error().message();
  };
  const tensor<float, 2> basis({3, 28}, .5f);
  CHECK(message(s.camera(), basis).empty());
  CHECK(message(s.camera(), tensor<float, 2>({3, 27}, .5f)) ==
        "spectral-tv: spectral basis is [3 x 27], expected 1 to 28 rows of 28");
  CHECK(message(s.camera(), tensor<float, 2>({29, 28}, .5f)).find("[29 x 28]") != std::string::npos);
  CHECK(message(s.camera(), tensor<float, 2>()).find("[0 x 0]") != std::string::npos);
  CHECK(message(s.camera(), tensor<float, 2>({3, 28}, std::nanf(""))).find("not finite") != std::string::npos);
  const auto left = optics::camera::create(s.mask.view(), 28, 2, dispersion_direction::left).value();
  CHECK(message(left, basis) == "spectral-tv: the camera disperses left, expected right (camera::canonical)");
  CHECK(message(left.canonical(), basis).empty());
}
