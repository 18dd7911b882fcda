/// What products say of a pixel, as visibility; margins; simulated clouds; tiles.

#include <doctest/doctest.h>

#include <cstring>
#include <unmask/clouds/simulate.hpp>
#include <unmask/clouds/tiles.hpp>
#include <unmask/clouds/visibility.hpp>

#include "scenes.hpp"

using namespace unmask;
using clouds::mask_kind;
using clouds::visibility_of;

namespace {
float seen(mask_kind kind, double value, double hides = 1, double scale = 1) {
  const auto v = visibility_of(kind, value, hides, scale);
  REQUIRE(v.has_value());
  return *v;
}
}  // namespace

TEST_CASE("every kind of mask becomes visibility") {
  CHECK(seen(mask_kind::visibility, .25) == .25f);
  CHECK(seen(mask_kind::probability, .25) == .75f);
  CHECK(seen(mask_kind::probability, 30, 1, .01) == doctest::Approx(.7));
  CHECK_FALSE(visibility_of(mask_kind::probability, 30, 1, 1));
  CHECK_FALSE(visibility_of(mask_kind::visibility, -.1, 1, 1));
  CHECK(std::isnan(seen(mask_kind::probability, std::nan(""))));

  for (const double hides : {0., 1., 255.}) {
    CHECK(seen(mask_kind::binary, hides, hides) == 0);
    CHECK(seen(mask_kind::binary, 7, hides) == 1);
  }

  const double hidden[] = {1, 3, 8, 9, 10}, open[] = {2, 4, 5, 6, 7, 11};
  for (const double v : hidden) CHECK(seen(mask_kind::scl, v) == 0);
  for (const double v : open) CHECK(seen(mask_kind::scl, v) >= .5f);
  CHECK(std::isnan(seen(mask_kind::scl, 0)));
  CHECK_FALSE(visibility_of(mask_kind::scl, 12, 1, 1));
  CHECK_FALSE(visibility_of(mask_kind::scl, 4.5, 1, 1));

  CHECK(seen(mask_kind::qa60, 0) == 1);
  CHECK(seen(mask_kind::qa60, 1024) == 0);  // opaque
  CHECK(seen(mask_kind::qa60, 2048) == 0);  // cirrus
  CHECK_FALSE(visibility_of(mask_kind::qa60, -1, 1, 1));

  CHECK(std::isnan(seen(mask_kind::qa_pixel, 1)));
  CHECK(seen(mask_kind::qa_pixel, 21824) == 1);  // clear, USGS's own example
  CHECK(seen(mask_kind::qa_pixel, 21952) == 1);  // water
  CHECK(seen(mask_kind::qa_pixel, 22280) == 0);  // cloud, high confidence
  CHECK(seen(mask_kind::qa_pixel, 23888) == 0);  // cloud shadow
  CHECK(seen(mask_kind::qa_pixel, 54596) == 0);  // cirrus
  CHECK(seen(mask_kind::qa_pixel, 21826) == 0);  // dilated cloud

  CHECK(std::isnan(seen(mask_kind::bqa, 1)));
  CHECK(seen(mask_kind::bqa, 2720) == 1);  // clear
  CHECK(seen(mask_kind::bqa, 2800) == 0);  // cloud
  CHECK(seen(mask_kind::bqa, 2976) == 0);  // shadow, high confidence
  CHECK(seen(mask_kind::bqa, 6816) == 0);  // cirrus, high confidence
}

TEST_CASE("a margin is a disc around what hides, not around what is missing") {
  tensor<float, 2> v({21, 23}, 1.f);
  v(10, 11) = 0;
  v(2, 2) = std::nanf("");
  tensor<std::uint8_t, 2> hidden({21, 23}), hard({21, 23});
  for (const index_t margin : {0, 1, 3}) {
    clouds::hide_with_margin(v.data(), {21, 23}, .5, margin, hidden.data(), hard.data());
    for (index_t h = 0; h < 21; ++h)
      for (index_t w = 0; w < 23; ++w) {
        const bool near = (h - 10) * (h - 10) + (w - 11) * (w - 11) <= margin * margin;
        CHECK(hidden(h, w) == (near || (h == 2 && w == 2)));
      }
  }
  // the same for an area, whose inside is skipped
  for (index_t h = 5; h < 14; ++h)
    for (index_t w = 6; w < 20; ++w) v(h, w) = .2f;
  clouds::hide_with_margin(v.data(), {21, 23}, .5, 3, hidden.data(), hard.data());
  for (index_t h = 0; h < 21; ++h)
    for (index_t w = 0; w < 23; ++w) {
      bool near = h == 2 && w == 2;
      for (index_t y = 5; y < 14; ++y)
        for (index_t x = 6; x < 20; ++x) near = near || (h - y) * (h - y) + (w - x) * (w - x) <= 9;
      CHECK(hidden(h, w) == near);
    }
}

TEST_CASE("simulated clouds: opaque where thick, a shadow beside, equal seeds equal clouds") {
  const auto place = unmask_test::make_place(60, 50, 3, 0);
  const std::vector<double> nm{490, 665, 842};
  const auto p = clouds::generate_probability(60, 50, .3, 4);
  index_t cloudy = 0;
  for (float v : p) cloudy += v >= .4f;
  CHECK(std::abs(static_cast<double>(cloudy) / 3000 - .3) < .02);
  clouds::simulation how;
  const auto thick = clouds::simulate_clouds(place.truth.view(), p.view(), nm, how);
  const auto again = clouds::simulate_clouds(place.truth.view(), p.view(), nm, how);
  CHECK(std::memcmp(thick.image.data(), again.image.data(), sizeof(float) * 9000) == 0);
  index_t opaque = 0, dark = 0;
  for (index_t i = 0; i < 3000; ++i) {
    const float a = thick.opacity.data()[i], s = thick.shadow.data()[i];
    if (a == 0 && s == 0)
      for (index_t c = 0; c < 3; ++c)  // noise of deviation 5e-4 only
        CHECK(std::abs(thick.image.data()[i * 3 + c] - place.truth.data()[i * 3 + c]) < .003f);
    if (a == 1) {
      ++opaque;
      CHECK(thick.image.data()[i * 3] > .3f);
    }
    if (s > .9f) {
      ++dark;
      CHECK(thick.image.data()[i * 3 + 2] < .7f * place.truth.data()[i * 3 + 2]);
    }
    CHECK(thick.visibility.data()[i] <= 1 - p.data()[i] + 1e-6f);
  }
  CHECK(opaque > 50);
  CHECK(dark > 20);
  how.kind = clouds::cloud_kind::thin;
  const auto thin = clouds::simulate_clouds(place.truth.view(), p.view(), nm, how);
  CHECK(*std::max_element(thin.opacity.begin(), thin.opacity.end()) <= .65f);
}

TEST_CASE("an unmarked shadow is found, counted and reconstructed") {
  auto place = unmask_test::make_place(90, 90, 4, 2, false);
  const auto marked = unmask_test::hidden_error(place, unmask_test::decloud(place));
  for (index_t h = 0; h < 90; ++h)
    for (index_t w = 0; w < 90; ++w)
      if (h >= 12 && w >= 20 && place.visibility(h, w) > 0 && place.visibility(h - 12, w - 20) == 0)
        for (index_t c = 0; c < 4; ++c) place.image(h, w, c) *= .6f;
  clouds::options o;
  const auto without = unmask_test::decloud(place, o);
  CHECK(without.outcome.shadows == 0);
  o.find_shadows = true;
  const auto with = unmask_test::decloud(place, o);
  CHECK(with.outcome.shadows > 500);
  CHECK(unmask_test::hidden_error(place, with) < 1.3 * marked);
  CHECK(unmask_test::hidden_error(place, with) < unmask_test::hidden_error(place, without));
  double shadow_error = 0;
  for (index_t c = 0; c < 4; ++c)
    shadow_error += std::abs(static_cast<double>(with.image(58, 70, c) - place.truth(58, 70, c)));
  CHECK(shadow_error < .08);
}

TEST_CASE("where the sun is known, shadow lies away from it: less has to agree, and other darkness is left alone") {
  const auto shaded = [](bool shadow, bool field) {
    auto place = unmask_test::make_place(90, 90, 4, 2, false);
    for (index_t h = 0; h < 90; ++h)
      for (index_t w = 0; w < 90; ++w) {
        const bool dark = h >= 12 && w >= 20 && place.visibility(h, w) > 0 && place.visibility(h - 12, w - 20) == 0;
        const bool ploughed = h < 30 && w < 16;  // left above the cloud
        if ((shadow && dark) || (field && ploughed))
          for (index_t c = 0; c < 4; ++c) place.image(h, w, c) *= .6f;
      }
    return place;
  };
  clouds::options o;
  o.find_shadows = true;
  // a shadow down and to the right: the sun stands at the upper left
  o.sun.azimuth = 360 - 59;
  const auto shadow = unmask_test::decloud(shaded(true, false), o);
  CHECK(shadow.outcome.shadows > 500);
  CHECK(shadow.origin(58, 70) == 2);
  const auto both = unmask_test::decloud(shaded(true, true), o);
  CHECK(both.origin(58, 70) == 2);
  CHECK(both.origin(10, 5) == 1);
  // the sun on the other side: no shadow can lie there
  o.sun.azimuth = 121;
  CHECK(unmask_test::decloud(shaded(true, false), o).outcome.shadows == 0);
  // so high that the highest clouds throw it less than a pixel
  o.sun = {360 - 59, 89.9, 1000};
  CHECK(unmask_test::decloud(shaded(true, false), o).outcome.shadows == 0);
}

TEST_CASE("tiles: equal to the whole where one tile holds it, near it elsewhere, no seam between tiles") {
  const auto place = unmask_test::make_place(150, 130, 3, 2);
  const auto whole = unmask_test::decloud(place);
  tensor<float, 3> image({150, 130, 3}), deviation({150, 130, 3});
  tensor<std::uint8_t, 2> origin({150, 130});
  std::size_t peak = 0;
  REQUIRE(clouds::run_tiled(cpu{}, place.scene(), {image.view(), deviation.view(), origin.view()}, {}, {}, &peak));
  CHECK(peak > 0);
  // a mean of one value, weight times value over weight, may round
  for (index_t i = 0; i < image.size(); ++i) REQUIRE(std::abs(image.data()[i] - whole.image.data()[i]) <= 1e-6f);
  CHECK(std::memcmp(origin.data(), whole.origin.data(), 150 * 130) == 0);

  unmask_test::found tiled{image, deviation, origin, {}};
  const auto out = clouds::run_tiled(cpu{.threads = 2}, place.scene(),
                                     {tiled.image.view(), tiled.deviation.view(), tiled.origin.view()}, {},
                                     {.tile = 64, .overlap = 24});
  REQUIRE(out);
  CHECK(unmask_test::hidden_error(place, tiled) < 1.25 * unmask_test::hidden_error(place, whole));
  for (index_t i = 0; i < place.visibility.size(); ++i)
    if (place.visibility.data()[i] > 0)
      REQUIRE(std::memcmp(tiled.image.data() + 3 * i, place.image.data() + 3 * i, 12) == 0);
}
