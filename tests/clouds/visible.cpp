#include <doctest/doctest.h>

#include <Eigen/Dense>
#include <unmask/clouds/visible_signal.hpp>

#include "scenes.hpp"

using namespace unmask;
using namespace unmask_test;

namespace {

constexpr index_t extent = 96;

/// Thin cloud of one colour and varying thickness over the hidden disc, and ground that no other date shows.
place thin_place(index_t bands, float thickest) {
  place p = make_place(extent, extent, bands, 2);
  for (index_t h = 0; h < extent; ++h)
    for (index_t w = 0; w < extent; ++w)
      for (index_t c = 0; c < bands; ++c) {
        const auto y = static_cast<double>(h), x = static_cast<double>(w), b = static_cast<double>(c);
        p.truth(h, w, c) += static_cast<float>(.012 * std::sin(.37 * y * (1 + .2 * b)) * std::cos(.29 * x + b));
        const float amount = thickest * static_cast<float>(.7 + .3 * std::sin(y / 7) * std::sin(x / 9));
        const float cloud = .6f - .05f * static_cast<float>(c);
        const bool under = p.visibility(h, w) == 0;
        p.image(h, w, c) = under ? (1 - amount) * p.truth(h, w, c) + amount * cloud : p.truth(h, w, c);
      }
  return p;
}

clouds::options opaque() {
  clouds::options o;
  o.see_through = false;
  return o;
}

double within(const place& p, const found& f) {
  double inside = 0, count = 0;
  const index_t C = p.image.extent(2);
  for (index_t i = 0; i < p.visibility.size() * C; ++i) {
    if (p.visibility.data()[i / C] >= .5f) continue;
    inside += std::abs(f.image.data()[i] - p.truth.data()[i]) <= f.deviation.data()[i];
    ++count;
  }
  return inside / count;
}

}  // namespace

TEST_CASE("ground that no other date shows is seen through thin cloud, in all directions but cloud's") {
  const place p = thin_place(6, .5f);
  const found without = decloud(p, opaque()), with = decloud(p);
  CHECK(hidden_error(p, with) < .7 * hidden_error(p, without));
  CHECK(within(p, with) > .55);
  for (index_t i = 0; i < p.visibility.size(); ++i)
    for (index_t c = 0; c < 6 && p.visibility.data()[i] > 0; ++c)
      REQUIRE(with.image.data()[i * 6 + c] == p.image.data()[i * 6 + c]);
}

TEST_CASE("a veil that is hardly there leaves nearly all of the ground") {
  const place p = thin_place(6, .1f);
  CHECK(hidden_error(p, decloud(p)) < .5 * hidden_error(p, decloud(p, opaque())));
}

TEST_CASE("opaque cloud tells nothing, whatever its texture") {
  place p = make_place(extent, extent, 4, 2);  // one value everywhere
  const found flat = decloud(p), before = decloud(p, opaque());
  CHECK(hidden_error(p, flat) == doctest::Approx(hidden_error(p, before)).epsilon(1e-4));
  unmask::random noise(3);
  for (index_t i = 0; i < p.visibility.size(); ++i) {
    const float texture = static_cast<float>(.05 * noise.normal());
    for (index_t c = 0; c < 4 && p.visibility.data()[i] == 0; ++c) p.image.data()[i * 4 + c] = .7f + texture;
  }
  CHECK(hidden_error(p, decloud(p)) < 1.05 * hidden_error(p, before));
}

TEST_CASE("what a mask hides without need is taken as it is") {
  place p = thin_place(5, 0.f);
  CHECK(hidden_error(p, decloud(p)) < .4 * hidden_error(p, decloud(p, opaque())));
}

TEST_CASE("pixels without data are reconstructed as if nothing were seen through") {
  place p = thin_place(3, .4f);
  for (index_t i = 0; i < p.visibility.size(); ++i)
    for (index_t c = 0; c < 3 && p.visibility.data()[i] == 0; ++c) p.image.data()[i * 3 + c] = std::nanf("");
  auto o = opaque();
  o.fill_no_data = true;
  const found before = decloud(p, o);
  o.see_through = true;
  const found after = decloud(p, o);
  for (index_t i = 0; i < p.image.size(); ++i) REQUIRE(after.image.data()[i] == before.image.data()[i]);
}

TEST_CASE("the Wiener filter is that of its formula") {
  const index_t n = 5;
  using matrix = Eigen::Matrix<double, 5, 5, Eigen::RowMajor>;
  unmask::random draw(9);
  const auto positive = [&](double size) {
    matrix m;
    for (index_t i = 0; i < n * n; ++i) m.data()[i] = size * draw.normal();
    return matrix(m * m.transpose() + 1e-3 * size * size * matrix::Identity());
  };
  const matrix sigma = positive(.01);
  Eigen::Matrix<double, 5, 1> T;
  T << .9, .7, .5, .3, 0;
  const matrix P = T.asDiagonal() * sigma * T.asDiagonal() + 1e-6 * matrix::Identity();
  Eigen::Matrix<double, 5, 1> cloud;
  cloud << .5, .4, .45, .5, .3;
  const matrix S = P + cloud * cloud.transpose();  // at least P in every direction
  const matrix expected = sigma * T.asDiagonal() * S.inverse();

  std::vector<std::byte> memory;
  clouds::wiener_gain w;
  arena measure;
  w.carve(measure, n);
  memory.resize(measure.peak() + 64);
  arena real(memory.data(), memory.size());
  w.carve(real, n);
  matrix K;
  w.gain(K.data(), sigma.data(), T.data(), S.data(), 1e-6);
  CHECK((K - expected).norm() < 1e-6 * expected.norm());

  // where S is smaller than P by chance, the filter believes P
  w.gain(K.data(), sigma.data(), T.data(), matrix(.3 * P).eval().data(), 1e-6);
  const matrix floor = sigma * T.asDiagonal() * P.inverse();
  CHECK((K - floor).norm() < 1e-6 * floor.norm());

  Eigen::Matrix<double, 5, 1> along;
  w.strongest(along.data(), S.data(), sigma.data(), 1e-6);
  const auto share = [&](const Eigen::Matrix<double, 5, 1>& v) {
    return v.dot(S * v) / v.dot((sigma + 1e-6 * matrix::Identity()) * v);
  };
  for (int i = 0; i < 50; ++i) {
    Eigen::Matrix<double, 5, 1> other = along + along.norm() * 1e-3 * Eigen::Matrix<double, 5, 1>::Unit(i % 5);
    CHECK(share(along) >= share(other) * (1 - 1e-9));
  }
}

TEST_CASE("parts by scale add up to the image inside a mask and do not see outside") {
  const clouds::grid g{40, 33};
  std::vector<std::byte> memory;
  clouds::scale_parts parts;
  arena measure;
  parts.carve(measure, g, 2, 1);
  memory.resize(measure.peak() + 64);
  arena real(memory.data(), memory.size());
  parts.carve(real, g, 2, 1);
  std::vector<float> image(40 * 33 * 2), out[3] = {image, image, image};
  std::vector<std::uint8_t> inside(40 * 33);
  unmask::random draw(4);
  for (std::size_t i = 0; i < inside.size(); ++i) {
    inside[i] = i % 33 > 10 && i % 7 != 3;
    image[2 * i] = inside[i] ? static_cast<float>(draw.normal()) : 1e6f;
    image[2 * i + 1] = inside[i] ? .25f : 1e6f;
  }
  parts.choose(inside.data());
  parts.split(cpu{.threads = 1}, image.data(), {out[0].data(), out[1].data(), out[2].data()});
  for (std::size_t i = 0; i < inside.size(); ++i) {
    const float sum = out[0][2 * i] + out[1][2 * i] + out[2][2 * i];
    CHECK(sum == doctest::Approx(inside[i] ? image[2 * i] : 0.f).epsilon(1e-5));
    CHECK(std::abs(out[0][2 * i + 1]) < 1e-6f);
    CHECK(out[2][2 * i + 1] == doctest::Approx(inside[i] ? .25f : 0.f).epsilon(1e-5));
  }
}

TEST_CASE("where all is under thin cloud, the nearest date is the start if places change little in between") {
  place p = make_place(extent, extent, 5, 3, false);
  p.days = {9, 60, 3};
  for (index_t k = 0; k < 3; ++k)
    for (index_t h = 0; h < extent; ++h)
      for (index_t w = 0; w < extent; ++w)
        for (index_t c = 0; c < 5; ++c) p.references(k, h, w, c) = ground(h, w, c, p.days[static_cast<std::size_t>(k)]);
  for (index_t h = 0; h < extent; ++h)
    for (index_t w = 0; w < extent; ++w) {
      const float amount = .25f + .1f * static_cast<float>(std::sin(static_cast<double>(h) / 9));
      p.visibility(h, w) = .45f - amount;
      for (index_t c = 0; c < 5; ++c) p.image(h, w, c) = (1 - amount) * p.truth(h, w, c) + amount * .6f;
    }
  const found f = decloud(p), stack = decloud(p, opaque());
  CHECK(f.outcome.few_open);
  CHECK(f.outcome.from_nearest);
  CHECK_FALSE(stack.outcome.from_nearest);
  CHECK(hidden_error(p, f) < .3 * hidden_error(p, stack));
  p.days = {45, 46, 3000};  // so much in a day, and the nearest date is far: more changes than haze adds
  p.day = 700;
  CHECK_FALSE(decloud(p).outcome.from_nearest);
}
