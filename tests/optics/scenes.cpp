#include <unmask/optics/spectral.hpp>
#include <unmask/scenes/generate.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

using namespace unmask;

TEST_CASE("scenes: in range, seeded, with contrast and smooth spectra") {
  const auto wavelengths = optics::benchmark_wavelength_list();
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    const auto scene = scenes::generate(48, 65, wavelengths, seed);
    const auto [low, high] = std::minmax_element(scene.begin(), scene.end());
    CHECK(*low >= 0);
    CHECK(*high >= .89f);
    CHECK(*high <= 1);
    double sum = 0, step = 0, spread = 0;
    for (float v : scene) sum += static_cast<double>(v);
    const double mean = sum / static_cast<double>(scene.size());
    for (index_t h = 0; h < 48; ++h)
      for (index_t w = 0; w < 65; ++w)
        for (index_t c = 0; c + 1 < 28; ++c) {
          step += std::abs(static_cast<double>(scene(h, w, c + 1) - scene(h, w, c)));
          spread += std::abs(static_cast<double>(scene(h, w, c)) - mean);
        }
    CHECK(mean >= .05);
    CHECK(mean <= .6);
    // Neighbouring bands differ far less than pixels do.
    CHECK(step <= .3 * spread);
    const auto again = scenes::generate(48, 65, wavelengths, seed);
    const auto other = scenes::generate(48, 65, wavelengths, seed + 9);
    CHECK(std::equal(scene.begin(), scene.end(), again.begin()));
    CHECK(!std::equal(scene.begin(), scene.end(), other.begin()));
  }
}

TEST_CASE("scenes: any size and any list of wavelengths") {
  for (auto [h, w] : {std::pair<index_t, index_t>{1, 1}, {1, 40}, {7, 5}})
    for (const auto& list : {std::vector<double>{550}, {400, 1000, 2400}}) {
      const auto scene = scenes::generate(h, w, list, 3);
      CHECK(scene.extents() == std::array<index_t, 3>{h, w, static_cast<index_t>(list.size())});
      CHECK(std::all_of(scene.begin(), scene.end(), [](float v) { return v >= 0 && v <= 1; }));
    }
}

TEST_CASE("scenes: the mask is as grey as a measured one") {
  const auto mask = scenes::grey_mask(128, 130, 1);
  double mean = 0, grey = 0;
  for (float v : mask) {
    CHECK((v >= .006f && v <= 1));
    mean += static_cast<double>(v) / static_cast<double>(mask.size());
    grey += (v > .05f && v < .95f) / static_cast<double>(mask.size());
  }
  CHECK(mean >= .5);
  CHECK(mean <= .6);
  CHECK(grey >= .3);
  CHECK(grey <= .5);
  const auto again = scenes::grey_mask(128, 130, 1), other = scenes::grey_mask(128, 130, 2);
  CHECK(std::equal(mask.begin(), mask.end(), again.begin()));
  CHECK(!std::equal(mask.begin(), mask.end(), other.begin()));
  CHECK(scenes::grey_mask(1, 1, 0).size() == 1);
}
