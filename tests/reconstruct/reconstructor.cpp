/// A reconstructor against its parts, and what it refuses.

#include <doctest/doctest.h>

#include <string>
#include <unmask/metrics/quality.hpp>
#include <unmask/optics/noise.hpp>
#include <unmask/optics/planned.hpp>

#include "camera_case.hpp"

using namespace unmask_test;

namespace {

/// The network on an estimate, as a session of its own.
void apply_network(const model& m, const optics::camera& camera, tensor<float, 3>& x) {
  const auto& g = camera.geometry();
  auto s =
      session<s2_network<float, cpu>>::create({}, m.config, m.parameters, g.height, g.width, camera.mask()).value();
  s.run(x.view(), x.view());
}

}  // namespace

TEST_CASE("HM, then the network") {
  const auto camera = camera_of();
  const auto m = model_of(initial_kind::hm);
  const auto y = snapshot_of(camera, scene(1));
  tensor<float, 3> expected({height, width, bands});
  camera.input(cpu{}, expected.view(), y.view());
  const auto start = expected;
  apply_network(m, camera, expected);
  auto r = reconstructor<cpu>::create({.threads = 2}, m, camera).value();
  CHECK(equal_bits(run(r, y), expected));
  CHECK_FALSE(equal_bits(start, expected));
  auto alone = reconstructor<cpu>::create({}, m, camera, {.network = false}).value();
  CHECK(equal_bits(run(alone, y), start));
  CHECK_FALSE(alone.has_network());
}

TEST_CASE("spectral TV, the network, a correction and passes with similar patches") {
  const auto camera = camera_of();
  const auto m = model_of(initial_kind::spectral_tv);
  const auto y = snapshot_of(camera, scene(1));
  const auto with = [&](index_t refinements, const tensor<float, 2>& measurement) {
    auto r =
        reconstructor<cpu>::create({.threads = 3}, m, camera, {.refinements = refinements, .check_rows = 0}).value();
    return run(r, measurement);
  };
  const auto basis = m.initial.spectral_basis.view();
  optics::planned<optics::spectral_tv> solver(camera, basis);
  tensor<float, 3> x({height, width, bands});
  solver->run(cpu{}, x.view(), y.view());
  apply_network(m, camera, x);
  CHECK(equal_bits(with(0, y), x));
  solver->correct(cpu{}, x.view(), y.view());
  optics::planned<optics::similar_patches> patches(height, basis.extent(0), width);
  for (int i = 0; i < 3; ++i) solver->refine(cpu{}, *patches, x.view(), y.view());
  CHECK(equal_bits(with(3, y), x));

  // noise is nothing to explain
  auto noisy = y;
  optics::noise_model noise{.shot = optics::shot_noise::poisson, .photons = 50};
  noise.full_scale = bands / 2.;
  optics::add_noise(ref{}, noisy.view(), noise, 1);
  CHECK(equal_bits(with(0, noisy), with(6, noisy)));
}

TEST_CASE("a model without parameters is its estimate alone") {
  model m;
  m.config.bands = bands;
  m.initial.kind = initial_kind::gap_tv;
  const auto camera = camera_of();
  const auto truth = scene(1);
  const auto y = snapshot_of(camera, truth);
  auto r = reconstructor<cpu>::create({}, m, camera).value();
  CHECK_FALSE(r.has_network());
  const auto x = run(r, y);
  tensor<float, 3> hm({height, width, bands});
  camera.input(cpu{}, hm.view(), y.view());
  CHECK(metrics::psnr(truth.view(), x.view()) > metrics::psnr(truth.view(), hm.view()) + 1);
}

TEST_CASE("progress tells every part, in order") {
  const auto camera = camera_of();
  auto r = reconstructor<cpu>::create({}, model_of(initial_kind::spectral_tv), camera, {.check_rows = 0}).value();
  const auto y = snapshot_of(camera, scene(1));
  tensor<float, 3> x({height, width, bands});
  std::vector<reconstruct_progress> told;
  told.reserve(100);
  r.run(x.view(), y.view(), [&](const reconstruct_progress& p) { told.push_back(p); });
  const auto stages = optics::spectral_tv_options().outer_iterations;
  REQUIRE(static_cast<index_t>(told.size()) > stages + 1);
  for (index_t i = 0; i < stages; ++i) {
    const auto& p = told[static_cast<std::size_t>(i)];
    CHECK(p.stage == reconstruct_stage::estimate);
    CHECK(p.done == i + 1);
    CHECK(p.of == stages);
    CHECK(p.residual >= 0);
  }
  CHECK(told[static_cast<std::size_t>(stages)].stage == reconstruct_stage::network);
  CHECK(told.back().stage == reconstruct_stage::refinement);
  CHECK(told.back().done == told.back().of);
}

TEST_CASE("a stream of snapshots has the bits of reconstructors made anew, on any number of threads") {
  for (const initial_kind kind : all_kinds) {
    CAPTURE(initial_name(kind));
    const auto camera = camera_of();
    const auto m = model_of(kind);
    auto stream = reconstructor<cpu>::create({.threads = 1}, m, camera).value();
    for (std::uint64_t i = 0; i < 20; ++i) {
      const auto y = snapshot_of(camera, scene(10 + i % 7));
      const auto x = run(stream, y);
      if (i % 5 != 4) continue;  // the others only pass through
      for (const int threads : {1, 2, 3}) {
        auto fresh = reconstructor<cpu>::create({.threads = threads}, m, camera).value();
        CHECK(equal_bits(run(fresh, y), x));
      }
    }
  }
}

TEST_CASE("a moved reconstructor goes on") {
  const auto camera = camera_of();
  const auto y = snapshot_of(camera, scene(1));
  auto first = reconstructor<cpu>::create({}, model_of(initial_kind::spectral_tv), camera).value();
  const auto expected = run(first, y);
  reconstructor<cpu> second = std::move(first);
  CHECK(equal_bits(run(second, y), expected));
}

TEST_CASE("dispersion in any direction gives the turned scene's cube") {
  for (const initial_kind kind : {initial_kind::hm, initial_kind::spectral_tv}) {
    auto m = model_of(kind);
    for (const auto d : {dispersion_direction::left, dispersion_direction::down, dispersion_direction::up}) {
      CAPTURE(dispersion_name(d));
      const auto camera = camera_of(d);
      const auto canonical = camera.canonical();
      const auto y = snapshot_of(camera, scene(1));
      tensor<float, 2> turned(canonical.geometry().measurement_extents());
      camera.to_canonical(cpu{}, turned.view(), y.view());
      auto straight = reconstructor<cpu>::create({}, m, canonical).value();
      tensor<float, 3> expected({height, width, bands});
      const auto cube = run(straight, turned);
      camera.from_canonical(cpu{}, expected.view(), cube.view());
      m.direction = d;
      auto r = reconstructor<cpu>::create({}, m, camera).value();
      CHECK(equal_bits(run(r, y), expected));
      m.direction = dispersion_direction::right;
    }
  }
}

TEST_CASE("what does not fit is refused by name") {
  const auto camera = camera_of();
  const auto message = [&](const model& m, const optics::camera& c, const reconstruct_options& o = {}) {
    const auto r = reconstructor<cpu>::create({}, m, c, o);
    return r ? std::string() : r.error().message();
  };
  const auto has = [](const std::string& text, const char* part) { return text.find(part) != std::string::npos; };
  auto m = model_of(initial_kind::spectral_tv);
  CHECK(message(m, camera).empty());

  m.dispersion_step = 1;
  CHECK(has(message(m, camera), "dispersion step 1, found 2"));
  m.dispersion_step = 2, m.direction = dispersion_direction::up;
  CHECK(has(message(m, camera), "dispersion direction up, found right"));
  m.direction = dispersion_direction::right;

  auto other = m;
  other.config.bands = 9;
  CHECK(has(message(other, camera), "9 bands, found 8 bands"));
  other = m;
  other.initial.spectral_basis = tensor<float, 2>({4, 7});
  CHECK(has(message(other, camera), "[4 x 7]"));
  other = m;
  other.config.inputs = 11;
  CHECK(has(message(other, camera), "the network takes 11 channels, expected the cube's 8"));
  other = m;
  other.parameters.pop_back();
  CHECK(has(message(other, camera), "parameters"));

  const auto placed = camera_of(dispersion_direction::right, height, width, {0, 2, 4, 6, 8.5f, 10, 12, 14});
  CHECK(message(m, placed).empty());
  CHECK(has(message(model_of(initial_kind::gap_tv), placed), "positions"));

  CHECK(has(message(m, camera, {.refinements = -1}), "refinements is -1"));
  CHECK(has(message(m, camera, {.noise_weight = -1}), "noise weight is -1"));
  CHECK(has(message(m, camera, {.halo = -8}), "halo is -8"));
  CHECK(has(message(m, camera, {.tile = 16}), "spectral-tv"));
}
