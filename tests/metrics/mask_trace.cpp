#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <unmask/metrics/mask_trace.hpp>
#include <unmask/optics/spectral.hpp>
#include <unmask/scenes/generate.hpp>

using namespace unmask;

namespace {

tensor<float, 3> smooth(index_t size) {
  tensor<float, 3> x({size, size, 3});
  for (index_t h = 0; h < size; ++h)
    for (index_t w = 0; w < size; ++w)
      for (index_t c = 0; c < 3; ++c)
        x(h, w, c) = .5f + .004f * static_cast<float>(h) - .003f * static_cast<float>(w) + .1f * static_cast<float>(c);
  return x;
}

double trace(const tensor<float, 3>& x, const tensor<float, 2>& mask) {
  return metrics::mask_trace(ref{}, in<float, 3>(x.view()), mask.view());
}

}  // namespace

TEST_CASE("mask trace: what was put in, also a pixel beside; nothing in a ramp") {
  const index_t size = 64;
  const auto mask = scenes::grey_mask(size, size, 3);
  const auto plain = smooth(size);
  CHECK(trace(plain, mask) <= 1e-4);
  for (const auto& [down, right] : {std::pair<index_t, index_t>{0, 0}, {1, -2}, {-1, 1}})
    for (const float share : {.1f, -.04f}) {
      auto x = plain;
      for (index_t h = 1; h < size - 1; ++h)
        for (index_t w = 2; w < size - 2; ++w)
          for (index_t c = 0; c < 3; ++c) x(h, w, c) *= 1 + share * (mask(h - down, w - right) - .5f);
      CHECK(std::abs(trace(x, mask) - std::abs(static_cast<double>(share))) <= .01);
    }
}

TEST_CASE("mask trace: little in a scene, much in the mask itself; equal bits for any threads; NaN and small images") {
  const auto mask = scenes::grey_mask(80, 72, 5);
  const auto scene = scenes::generate(80, 72, optics::benchmark_wavelength_list(), 4);
  CHECK(trace(scene, mask) <= .12);
  auto coded = scene;
  for (index_t h = 0; h < 80; ++h)
    for (index_t w = 0; w < 72; ++w)
      for (index_t c = 0; c < 28; ++c) coded(h, w, c) *= mask(h, w);
  CHECK(trace(coded, mask) >= .8);
  CHECK(metrics::chance_trace(ref{}, in<float, 3>(coded.view()), mask.view()) <= .2 * trace(coded, mask));
  for (int threads : {1, 2, 3})
    CHECK(metrics::mask_trace(cpu{.threads = threads}, in<float, 3>(coded.view()), mask.view()) == trace(coded, mask));
  coded(40, 30, 2) = std::numeric_limits<float>::quiet_NaN();
  CHECK(std::isnan(trace(coded, mask)));
  CHECK(trace(smooth(16), scenes::grey_mask(16, 16, 1)) == 0);
  CHECK(trace(tensor<float, 3>({20, 20, 2}), scenes::grey_mask(20, 20, 1)) == 0);
}
