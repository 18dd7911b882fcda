/// Spectral TV from a few rows, with the scene's own spectra: which rows, what is read between them, and what they are
/// worth.

#include <doctest/doctest.h>

#include <cmath>
#include <numbers>
#include <set>
#include <unmask/core/random.hpp>
#include <unmask/optics/adaptive_spectral_tv.hpp>
#include <unmask/optics/noise.hpp>
#include <unmask/optics/planned.hpp>
#include <vector>

using namespace unmask;

namespace {

/// A scene of two materials whose spectra differ in a direction that counts little in the basis.
struct two_materials {
  static constexpr index_t H = 40, W = 48, K = 14, C = 16;
  tensor<float, 2> basis{{K, C}}, mask{{H, W}};
  tensor<float, 3> truth{{H, W, C}};
  optics::camera camera = make();
  tensor<float, 2> y{{H, W + 2 * (C - 1)}};

  static float wave(index_t k, index_t c) {
    return static_cast<float>(
        std::cos(std::numbers::pi * static_cast<double>(k) * (static_cast<double>(c) + .5) / static_cast<double>(C)));
  }
  optics::camera make() {
    unmask::random draw(8);
    for (float& m : mask) m = draw.uniform() < .5 ? 0.f : 1.f;
    for (index_t k = 0; k < K; ++k)
      for (index_t c = 0; c < C; ++c) basis(k, c) = .3f * std::pow(.8f, static_cast<float>(k)) * wave(k, c);
    for (index_t h = 0; h < H; ++h)
      for (index_t w = 0; w < W; ++w)
        for (index_t c = 0; c < C; ++c) {
          const bool inside = (h / 7 + w / 9) % 2 == 0;
          truth(h, w, c) = .5f + (inside ? .3f : -.3f) * wave(6, c) + .002f * static_cast<float>(h + w);
        }
    return optics::camera::create(mask.view(), C, 2).value();
  }
  two_materials() { camera.forward(ref{}, y.view(), truth.view()); }
  double error(const tensor<float, 3>& x) const {
    double sum = 0;
    for (index_t i = 0; i < x.size(); ++i) sum += std::pow(static_cast<double>(x.data()[i] - truth.data()[i]), 2);
    return std::sqrt(sum / static_cast<double>(x.size()));
  }
  tensor<float, 3> run(optics::adaptive_spectral_tv& solver, int threads = 1) const {
    tensor<float, 3> x(truth.extents());
    CHECK(is_finite(solver.run(cpu{.threads = threads}, x.view(), y.view())));
    return x;
  }
};

bool same(const tensor<float, 3>& a, const tensor<float, 3>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

}  // namespace

TEST_CASE("row strips: evenly over the image, all of it where it is low") {
  using optics::detail::row_strips;
  for (const index_t height : {1, 2, 3, 5, 31, 63, 64, 65, 127, 256, 660}) {
    const row_strips strips(height, 2, 6, 64);
    CHECK(strips.rows() <= height);
    CHECK(strips.rows() >= std::min<index_t>(height - height % 2, 64));
    CHECK(strips.rows() <= std::max<index_t>(64, height / 3 + 2));
    std::set<index_t> rows;
    for (index_t s = 0; s < strips.rows(); ++s) {
      const index_t row = strips.image_row(s);
      CHECK(row >= 0);
      CHECK(row < height);
      CHECK(row >= s);  // `spread` counts on it
      rows.insert(row);
      if (s % 2 == 1) CHECK(row == strips.image_row(s - 1) + 1);
    }
    CHECK(static_cast<index_t>(rows.size()) == strips.rows());
  }
  CHECK(row_strips(256, 2, 6, 64).rows() == 84);
  CHECK(row_strips(48, 2, 6, 64).rows() == 48);
}

TEST_CASE("row strips: what lies between is linear, what lies beyond is the nearest row's") {
  for (const index_t height : {1, 3, 20, 101}) {
    const optics::detail::row_strips strips(height, 2, 6, 0);
    const auto line = [](index_t row, index_t i) { return static_cast<float>(row) * .25f + static_cast<float>(i); };
    tensor<float, 2> image({height, 3}, -9.f);
    for (index_t s = 0; s < strips.rows(); ++s)
      for (index_t i = 0; i < 3; ++i) image(s, i) = line(strips.image_row(s), i);
    strips.spread(image.data(), 3);
    const index_t first = strips.image_row(0), last = strips.image_row(strips.rows() - 1);
    for (index_t h = 0; h < height; ++h)
      for (index_t i = 0; i < 3; ++i)
        CHECK(image(h, i) == doctest::Approx(line(std::clamp(h, first, last), i)).epsilon(1e-6));
  }
}

TEST_CASE("adaptive spectral TV: settings that cannot work are refused by name") {
  const auto text = [](auto change) {
    optics::scene_spectra_options o;
    change(o);
    const auto r = optics::check_scene_spectra(o);
    return r ? std::string() : r.error().message();
  };
  using options = optics::scene_spectra_options;
  CHECK(text([](options&) {}).empty());
  CHECK(text([](options& o) { o.rank = 0; }).find("rank of the scene's own spectra is 0") != std::string::npos);
  CHECK(text([](options& o) { o.strip_rows = 0; }).find("rows of a strip is 0") != std::string::npos);
  CHECK(text([](options& o) { o.look_inner = -1; }).find("iterations on strips is -1") != std::string::npos);
  CHECK(text([](options& o) { o.least_rows = -1; }).find("least rows of all strips is -1") != std::string::npos);
  CHECK(text([](options& o) { o.share = std::nan(""); }).find("share of the scene's own") != std::string::npos);
  CHECK(text([](options& o) { o.first_weight = 0; }).find("first weight is 0") != std::string::npos);
}

TEST_CASE("adaptive spectral TV: a basis of few rows is used as it is") {
  const two_materials s;
  const array_view<const float, 2> few(s.basis.data(), index_t{12}, s.C);
  optics::planned<optics::adaptive_spectral_tv> adaptive(s.camera, few);
  CHECK_FALSE(adaptive->adapts());
  CHECK(adaptive->rank() == 12);
  tensor<float, 3> expected(s.truth.extents());
  optics::planned<optics::spectral_tv>(s.camera, few)->run(cpu{}, expected.view(), s.y.view());
  CHECK(same(s.run(*adaptive), expected));
}

TEST_CASE("adaptive spectral TV: the scene's own spectra are found, with equal bits whatever ran before") {
  const two_materials s;
  optics::planned<optics::adaptive_spectral_tv> adaptive(s.camera, s.basis.view());
  CHECK(adaptive->adapts());
  CHECK(adaptive->rank() == 12);
  std::vector<index_t> told;
  tensor<float, 3> x(s.truth.extents()), plain(s.truth.extents());
  adaptive->run(cpu{}, x.view(), s.y.view(), [&](index_t i, float) { told.push_back(i); });
  CHECK(static_cast<index_t>(told.size()) == adaptive->reports());
  for (std::size_t i = 0; i < told.size(); ++i) CHECK(told[i] == static_cast<index_t>(i) + 1);
  optics::planned<optics::spectral_tv>(s.camera, s.basis.view())->run(cpu{}, plain.view(), s.y.view());
  MESSAGE("all spectra ", s.error(plain), ", the scene's ", s.error(x));
  CHECK(s.error(x) < .8 * s.error(plain));

  for (const int threads : {1, 2, 3}) CHECK(same(s.run(*adaptive, threads), x));
  tensor<float, 3> dark(s.truth.extents(), 1.f);
  const tensor<float, 2> nothing(s.y.extents());
  CHECK(adaptive->run(cpu{}, dark.view(), nothing.view()) == 0);
  CHECK(std::all_of(dark.begin(), dark.end(), [](float v) { return v == 0; }));
  CHECK(same(s.run(*adaptive), x));
}

TEST_CASE("adaptive spectral TV: the strips' noise is known when the whole image begins") {
  two_materials s;
  optics::noise_model noise{.shot = optics::shot_noise::poisson, .photons = 60, .full_scale = s.C / 2.};
  optics::add_noise(cpu{}, s.y.view(), noise, 3);
  optics::scene_spectra_options few;
  few.least_rows = 0;  // 12 of 40 rows
  optics::planned<optics::adaptive_spectral_tv> adaptive(s.camera, s.basis.view(), optics::spectral_tv_options{}, few);
  tensor<float, 3> plain(s.truth.extents());
  optics::planned<optics::spectral_tv>(s.camera, s.basis.view())->run(cpu{}, plain.view(), s.y.view());
  const double own = s.error(s.run(*adaptive));
  MESSAGE("with noise: all spectra ", s.error(plain), ", the scene's ", own);
  CHECK(own < s.error(plain));
}

TEST_CASE("adaptive spectral TV: stops when it is told, in the strips and after them") {
  const two_materials s;
  optics::planned<optics::adaptive_spectral_tv> adaptive(s.camera, s.basis.view());
  for (const index_t last : {index_t{2}, optics::scene_spectra_options().look_outer + 1}) {
    index_t calls = 0;
    tensor<float, 3> x(s.truth.extents());
    adaptive->run(cpu{}, x.view(), s.y.view(), [&](index_t i, float) {
      calls = i;
      return i < last;
    });
    CHECK(calls == last);
  }
}

TEST_CASE("adaptive spectral TV: what is held out tells the strips nothing either") {
  const two_materials s;
  tensor<unsigned char, 2> marks(s.y.extents());
  unmask::random draw(6);
  tensor<float, 2> wrong = s.y;
  double mean = 0;
  for (const float v : s.y) mean += static_cast<double>(v) / static_cast<double>(s.y.size());
  for (index_t i = 0; i + 1 < s.y.size(); i += 2)
    if (draw.uniform() < .05) {  // a pair of values whose sum, all that may tell, stays
      marks.data()[i] = marks.data()[i + 1] = 1;
      wrong.data()[i] += static_cast<float>(mean), wrong.data()[i + 1] -= static_cast<float>(mean);
    }
  const auto change = [&](const unsigned char* held_out) {
    optics::planned<optics::adaptive_spectral_tv> adaptive(s.camera, s.basis.view());
    adaptive->hold_out(held_out);
    tensor<float, 3> x(s.truth.extents()), other(s.truth.extents());
    adaptive->run(cpu{}, x.view(), s.y.view());
    adaptive->run(cpu{}, other.view(), wrong.view());
    double sum = 0;
    for (index_t i = 0; i < x.size(); ++i) sum += std::pow(static_cast<double>(x.data()[i] - other.data()[i]), 2);
    return std::sqrt(sum / static_cast<double>(x.size()));
  };
  CHECK(change(marks.data()) < .02 * change(nullptr));
}
