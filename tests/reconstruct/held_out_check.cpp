/// Hold-out validation: steps that would harm a scene are left out, the others are taken, and nothing else changes.

#include <doctest/doctest.h>

#include <cmath>
#include <unmask/io/weights.hpp>
#include <unmask/metrics/quality.hpp>

#include "camera_case.hpp"

using namespace unmask_test;

namespace {

/// Smooth in space and along the spectrum: similar patches and a network that knows photographs have nothing to add.
tensor<float, 3> smooth_scene(std::uint64_t seed, index_t side) {
  unmask::random draw(seed, 9);
  double waves[3][6];
  for (auto& wave : waves)
    for (double& v : wave) v = draw.uniform();
  tensor<float, 3> x({side, side, 28});
  for (index_t h = 0; h < side; ++h)
    for (index_t w = 0; w < side; ++w)
      for (index_t c = 0; c < 28; ++c) {
        double v = .3;
        for (const auto& p : waves) {
          const double at = (p[0] * double(h) + p[1] * double(w)) / double(side) + p[2];
          v += .2 * std::cos(6.28 * at) * std::exp(-std::pow((double(c) - 28 * p[3]) / (4 + 8 * p[4]), 2));
        }
        x(h, w, c) = static_cast<float>(std::max(0., v));
      }
  return x;
}

struct shipped_case {
  model m = io::read_weights(UNMASK_MODELS_DIR "/general.safetensors").value();
  optics::camera camera;
  tensor<float, 2> y;

  /// `few`: with the first 8 rows of the spectral basis, from whose estimates the network learnt.
  explicit shipped_case(const tensor<float, 3>& truth, bool few = false)
      : camera(optics::camera::create(scenes::grey_mask(truth.extent(0), truth.extent(1), 2).view(), 28).value()),
        y(camera.geometry().measurement_extents()) {
    camera.forward(ref{}, y.view(), truth.view());
    if (!few) return;
    tensor<float, 2> first({8, 28});
    std::copy_n(m.initial.spectral_basis.data(), first.size(), first.data());
    m.initial.spectral_basis = std::move(first);
  }
  reconstructor<cpu> with(const reconstruct_options& options, int threads = 2) const {
    return reconstructor<cpu>::create({.threads = threads}, m, camera, options).value();
  }
};

}  // namespace

TEST_CASE("what does not help a smooth scene is left out") {
  const auto truth = smooth_scene(2, 64);
  const shipped_case c(truth);
  auto estimate = c.with({.network = false}), all = c.with({.check_rows = 0}), checked = c.with({});
  const auto quality = [&](reconstructor<cpu>& r) { return metrics::psnr(truth.view(), run(r, c.y).view()); };
  const double alone = quality(estimate), without = quality(all), with = quality(checked);
  CHECK(without < alone - .5);
  CHECK(with > alone - .3);
  CHECK_FALSE(checked.taken().network);
  CHECK(all.taken().network);
  CHECK(all.taken().passes == usual_refinements);
}

TEST_CASE("what helps is taken, and then the cube is that of all steps") {
  std::vector<double> nm;
  for (int band = 0; band < 28; ++band) nm.push_back(450 + 7. * band);
  const shipped_case c(scenes::generate(64, 64, nm, 1), true);
  auto all = c.with({.check_rows = 0}), checked = c.with({});
  const auto expected = run(all, c.y);
  CHECK(equal_bits(run(checked, c.y), expected));
  CHECK(checked.taken().network);
  CHECK(checked.taken().passes == usual_refinements);
  CHECK(checked.bytes() > all.bytes());
}

TEST_CASE("the choice and the cube are the same on any number of threads, and for a strip") {
  const auto truth = smooth_scene(2, 80);
  const shipped_case c(truth);
  auto one = c.with({.check_rows = 48}, 1), three = c.with({.check_rows = 48}, 3);
  CHECK(equal_bits(run(one, c.y), run(three, c.y)));
  CHECK(one.taken().network == three.taken().network);
  CHECK(one.taken().passes == three.taken().passes);
  CHECK_FALSE(reconstructor<cpu>::create({}, c.m, c.camera, {.check_rows = -1}));
}

TEST_CASE("the check is told after the scene's spectra and before all else, and can be ended") {
  const shipped_case c(smooth_scene(2, 64));
  auto r = c.with({});
  tensor<float, 3> x({64, 64, 28});
  std::vector<reconstruct_progress> told;
  r.run(x.view(), c.y.view(), [&](const reconstruct_progress& p) { told.push_back(p); });
  std::size_t first = 0;
  while (told.at(first).stage == reconstruct_stage::estimate) ++first;
  CHECK(first == optics::scene_spectra_options().look_outer);
  std::size_t checks = first;
  while (told.at(checks).stage == reconstruct_stage::check) ++checks;
  REQUIRE(checks >= first + 3);
  for (std::size_t i = first; i < checks; ++i) {
    CHECK(told[i].done == static_cast<index_t>(i - first) + 1);
    CHECK(told[i].of >= told[i].done);
  }
  for (std::size_t i = checks; i < told.size(); ++i) CHECK(told[i].stage != reconstruct_stage::check);
  for (std::size_t last = 1; last <= checks; ++last) {
    std::size_t called = 0;
    CHECK(r.run(x.view(), c.y.view(), [&](const reconstruct_progress&) { return ++called != last; }).stopped);
    CHECK(called == last);
  }
}

TEST_CASE("fast: fewer iterations and passes, nearly the cube, the same on any number of threads") {
  std::vector<double> nm;
  for (int band = 0; band < 28; ++band) nm.push_back(450 + 7. * band);
  const auto truth = scenes::generate(64, 64, nm, 1);
  const shipped_case c(truth);
  auto best = c.with({}), fast = c.with(fast_reconstruction(), 1), threads = c.with(fast_reconstruction(), 3);
  index_t iterations = 0;
  tensor<float, 3> x({64, 64, 28});
  fast.run(x.view(), c.y.view(), [&](const reconstruct_progress& p) {
    if (p.stage == reconstruct_stage::estimate) iterations = p.of;
    return true;
  });
  const auto work = scene_spectra_of(fast_reconstruction());
  CHECK(iterations == work.look_outer + work.outer);
  CHECK(fast.taken().passes <= 2);
  CHECK(equal_bits(x, run(threads, c.y)));
  CHECK(metrics::psnr(truth.view(), x.view()) > metrics::psnr(truth.view(), run(best, c.y).view()) - 1.5);
  auto options = fast_reconstruction();
  options.refinements = 4, options.check_rows = 0;
  auto more = c.with(options);
  run(more, c.y);
  CHECK(more.taken().passes == 4);  // what is asked for is obeyed
}
