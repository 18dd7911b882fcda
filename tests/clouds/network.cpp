#include <doctest/doctest.h>

#include <unmask/clouds/network_correction.hpp>
#include <unmask/models/initialise.hpp>
#include <unmask/nn/cpu/all.hpp>

#include "../model/heap_count.hpp"
#include "scenes.hpp"
#include "tiny_network.hpp"

using namespace unmask;
using namespace unmask_test;

namespace {

/// Random; `last`: the factor of the last convolution.
std::vector<float> parameters(float last) {
  const manifest m = make_manifest(tiny_clouds_network);
  std::vector<float> p(static_cast<std::size_t>(m.size));
  initialise(p.data(), m, 7);
  for (const parameter& e : m.entries)
    if (e.name.starts_with("conv_last."))
      for (index_t i = e.offset; i < e.offset + e.size; ++i) p[static_cast<std::size_t>(i)] *= last;
  return p;
}

using network = clouds::network_correction<cpu>;

network make(float last, index_t bands, int threads = 2) {
  return network::create(cpu{.threads = threads}, tiny_clouds_network, parameters(last), bands).value();
}

/// Thin cloud over the hidden disc, so that some ground is seen.
place veiled(index_t height, index_t width) {
  place p = make_place(height, width, 3, 2);
  for (index_t i = 0; i < p.image.size(); ++i)
    if (p.visibility.data()[i / 3] == 0) p.image.data()[i] = .7f * p.truth.data()[i] + .15f;
  return p;
}

}  // namespace

TEST_CASE("a network whose last layer is zero returns the stack's result, on images of any size") {
  for (const auto& [h, w] : {std::pair<index_t, index_t>{40, 33}, {97, 110}, {130, 201}}) {
    const place p = veiled(h, w);
    const found stack = decloud(p);
    network n = make(0, 3);
    clouds::options o;
    o.learnt = n, o.judged = false;
    const found f = decloud(p, o);
    CHECK(f.outcome.mended > 0);
    CHECK(f.outcome.mended <= f.outcome.hidden);
    for (index_t i = 0; i < f.image.size(); ++i) REQUIRE(std::abs(f.image.data()[i] - stack.image.data()[i]) < 2e-6f);
  }
}

TEST_CASE("what knows nothing does no harm where the rehearsal judges it") {
  const place p = veiled(96, 90);
  const found stack = decloud(p);
  const auto guesses = [](const clouds::network_view& v, float* to) {
    unmask::random draw(3);
    for (index_t i = 0; i < v.size.size() * v.bands; ++i)
      to[i] = v.asked[i / v.bands] == 0 ? 0.f : v.base[i] + static_cast<float>(.02 * draw.normal());
  };
  clouds::options o;
  o.learnt = guesses;
  const found f = decloud(p, o);
  CHECK(f.outcome.rehearsed >= 100);
  CHECK(f.outcome.rehearsed <= f.outcome.held_out);
  CHECK(f.outcome.network_gain <= .05);
  CHECK(f.outcome.mended == 0);
  for (index_t i = 0; i < f.image.size(); ++i) REQUIRE(f.image.data()[i] == stack.image.data()[i]);
  o.judged = false;  // and it counts where nobody judges
  CHECK(hidden_error(p, decloud(p, o)) > 1.05 * hidden_error(p, stack));
}

TEST_CASE("the rehearsal finds by band how far a network is right") {
  const place p = veiled(96, 90);
  const found stack = decloud(p);
  // knows the truth, also of the pixels hidden on purpose; goes twice as far as it should in band 1, the wrong way in 2
  const std::array<float, 3> goes{1, 2, -1};
  const auto knows = [&](const clouds::network_view& v, float* to) {
    for (index_t i = 0; i < v.size.size(); ++i)
      for (index_t c = 0; c < 3 && v.asked[i] != 0; ++c) {
        const index_t at = i * 3 + c;
        to[at] = v.base[at] + goes[static_cast<std::size_t>(c)] * (p.truth.data()[at] - v.base[at]);
      }
  };
  clouds::options o;
  o.learnt = knows;
  const found f = decloud(p, o);
  CHECK(f.outcome.network_gain > 10);
  CHECK(f.outcome.mended > 0);
  const auto error = [&](const found& of, index_t band) {
    double sum = 0;
    for (index_t i = band; i < of.image.size(); i += 3) {
      if (p.visibility.data()[i / 3] > 0) continue;
      const double d = static_cast<double>(of.image.data()[i]) - static_cast<double>(p.truth.data()[i]);
      sum += d * d;
    }
    return std::sqrt(sum);
  };
  CHECK(error(f, 0) < .02 * error(stack, 0));
  CHECK(error(f, 1) < .02 * error(stack, 1));
  CHECK(error(f, 2) == error(stack, 2));
}

TEST_CASE("equal bits on any number of threads, no heap in a call") {
  const place p = veiled(140, 77);
  network one = make(1, 3, 1), three = make(1, 3, 3);
  clouds::options o;
  o.judged = false;
  o.learnt = one;
  const found a = decloud(p, o);
  o.learnt = three;
  const found b = decloud(p, o);
  for (index_t i = 0; i < a.image.size(); ++i) REQUIRE(a.image.data()[i] == b.image.data()[i]);
  if (!UNMASK_TEST_HEAP_COUNTED) return;
  o.learnt = one;
  auto d = clouds::declouder<cpu>::create({.threads = 1}, p.size(), o).value();
  tensor<float, 3> image({140, 77, 3});
  const std::size_t before = heap_calls();
  d.reconstruct(p.scene(), {image.view(), {}, {}});
  CHECK(heap_calls() == before);
}

TEST_CASE("opaque cloud is the stack's") {
  network n = make(5, 3);
  clouds::options o;
  o.judged = false;
  const place opaque = make_place(64, 60, 3, 2);  // one value: nothing is seen
  o.learnt = n;
  CHECK(std::abs(hidden_error(opaque, decloud(opaque, o)) - hidden_error(opaque, decloud(opaque))) < 1e-4);
}

TEST_CASE("what a pixel tells the network") {
  const clouds::grid size{2, 3};
  const std::vector<float> y{.1f, .2f, .3f, .4f, .5f, .9f}, prediction{.1f, .1f, .4f, .3f, .5f, .5f},
      nearest{.1f, .2f, .3f, .4f, .5f, .6f}, base{0, 0, 0, 0, .52f, .48f}, deviation{0, 0, 0, 0, .02f, std::nanf("")},
      transmission{0, 0, 0, 0, .4f, .01f}, ground{1, 2, 3, 4, 5, 6};
  const std::vector<std::uint8_t> open{1, 1, 1, 1, 0, 0}, asked{0, 0, 0, 0, 1, 1};
  const clouds::network_view v{.size = size,
                               .bands = 1,
                               .y = y.data(),
                               .prediction = prediction.data(),
                               .nearest = nearest.data(),
                               .base = base.data(),
                               .deviation = deviation.data(),
                               .transmission = transmission.data(),
                               .open = open.data(),
                               .asked = asked.data(),
                               .ground = ground.data(),
                               .components = 1,
                               .ground_scale = {.5f, 0, 0}};
  const clouds::band_scale s = clouds::measure_band(v, 0);
  CHECK(s.unit == doctest::Approx(std::sqrt(.03 / 4) + 1e-4));
  std::vector<float> c(static_cast<std::size_t>(4 * 5 * clouds::network_channels)), m(20);
  const clouds::patch p{-1, -1, 4, 5};
  clouds::fill_channels(v, s, 0, p, c.data());
  clouds::fill_mask(v, p, m.data());
  const auto channel = [&](index_t h, index_t w, index_t j) {
    return c[static_cast<std::size_t>(((h + 1) * 5 + w + 1) * clouds::network_channels + j)];
  };
  CHECK(channel(0, 1, 0) == doctest::Approx(.1 / s.unit));  // open: what was seen
  CHECK(channel(0, 1, 1) == 1);
  CHECK(channel(1, 1, 0) == doctest::Approx(.02 / s.unit));  // hidden: the stack's result
  CHECK(channel(1, 1, 1) == 0);
  CHECK(channel(1, 1, 2) == .4f);
  CHECK(channel(1, 1, 3) == doctest::Approx(-std::log1p(.02 / s.unit)));
  CHECK(channel(1, 1, 4) == doctest::Approx(.02 / s.unit));
  CHECK(channel(1, 2, 2) == .01f);
  CHECK(channel(1, 2, 3) == 0);  // hardly anything is seen: it is cloud
  CHECK(channel(1, 2, 4) == 0);  // a deviation that is not known
  CHECK(channel(0, 2, 7) == 1.5f);
  CHECK(channel(0, 2, 8) == 0);
  for (index_t j = 0; j < clouds::network_channels; ++j) {  // mirrored at the edges
    CHECK(channel(-1, -1, j) == channel(1, 1, j));
    CHECK(channel(2, 3, j) == channel(0, 1, j));
  }
  for (index_t h = -1; h < 3; ++h)
    for (index_t w = -1; w < 4; ++w) CHECK(m[static_cast<std::size_t>((h + 1) * 5 + w + 1)] == channel(h, w, 2));
}

TEST_CASE("a network that is none for clouds is refused by name") {
  const s2_config cube = small_config(28);
  std::vector<float> p(static_cast<std::size_t>(make_manifest(cube).size));
  const auto refused = network::create(cpu{}, cube, p, 4);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message() == "a network from 28 channels to 28 bands, expected one for clouds: from 10 to 1");
}
