/// A camera whose mask and bands lie beside where they should, and how its snapshots tell.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <unmask/metrics/quality.hpp>
#include <unmask/optics/calibrate.hpp>
#include <unmask/optics/learn_spectra.hpp>
#include <unmask/optics/noise.hpp>

#include "snapshot.hpp"

using namespace unmask;

namespace {

tensor<float, 2> spectra() {
  std::vector<tensor<float, 3>> scenes;
  for (std::uint64_t seed : {11u, 12u, 13u}) scenes.push_back(take(48, 48, seed).truth);
  return optics::learn_spectral_basis(scenes, 8).value();
}

/// What such a camera takes of the scene.
tensor<float, 2> taken(const snapshot& s, const optics::camera_alignment& a) {
  tensor<float, 2> y(s.y.extents());
  optics::aligned_camera(ref{}, s.camera(), a).forward(ref{}, y.view(), s.truth.view());
  return y;
}

bool near(float a, double b, double within) { return std::abs(static_cast<double>(a) - b) <= within; }

}  // namespace

TEST_CASE("camera: a mask moved by whole and half pixels, and blurred") {
  const index_t H = 9, W = 12;
  const auto mask = scenes::grey_mask(H, W, 4);
  const auto at = [&](index_t h, index_t w) {
    return static_cast<double>(mask(std::clamp<index_t>(h, 0, H - 1), std::clamp<index_t>(w, 0, W - 1)));
  };
  const auto same = optics::aligned_mask(ref{}, mask.view(), {});
  CHECK(std::equal(mask.begin(), mask.end(), same.begin()));
  const auto whole = optics::aligned_mask(ref{}, mask.view(), {.down = 2, .right = -1}),
             half = optics::aligned_mask(ref{}, mask.view(), {.right = .5f});
  for (index_t h = 0; h < H; ++h)
    for (index_t w = 0; w < W; ++w) {
      CHECK(near(whole(h, w), at(h - 2, w + 1), 1e-6));
      CHECK(near(half(h, w), (at(h, w) + at(h, w - 1)) / 2, 1e-6));
    }
  // one open cell becomes the Gaussian, integrated over pixels; blur adds up in squares, so a moved one is checked too
  tensor<float, 2> cell({21, 21});
  cell(10, 10) = 1;
  const double sigma = .8;
  const auto blurred = optics::aligned_mask(cpu{.threads = 2}, cell.view(), {.down = .3f, .right = -.6f, .blur = .8f});
  const auto share = [&](double from, double centre) {
    return (std::erf((from + .5 - centre) / sigma / std::sqrt(2.)) -
            std::erf((from - .5 - centre) / sigma / std::sqrt(2.))) /
           2;
  };
  for (index_t h = 0; h < 21; ++h)
    for (index_t w = 0; w < 21; ++w)
      CHECK(near(blurred(h, w), share(static_cast<double>(h), 10.3) * share(static_cast<double>(w), 9.4), 1e-4));
  tensor<float, 2> open({H, W}, 1);
  for (const float m : optics::aligned_mask(ref{}, open.view(), {.down = 3, .blur = 1.5f})) CHECK(near(m, 1, 1e-6));
}

TEST_CASE("camera: a mask seen larger, and less sharp at its top and bottom") {
  const index_t H = 9, W = 13;
  const auto mask = scenes::grey_mask(H, W, 5);
  const auto larger = optics::aligned_mask(ref{}, mask.view(), {.tall = 2, .wide = -3});
  for (index_t h = 0; h < H; h += 2)  // rows move by h / 2 - 2, columns by 3 - w / 2
    for (index_t w = 0; w < W; w += 2) {
      const index_t from_h = h - (h / 2 - 2), from_w = w - (3 - w / 2);
      CHECK(near(larger(h, w), static_cast<double>(mask(from_h, std::clamp<index_t>(from_w, 0, W - 1))), 1e-6));
    }
  // a row of open cells in the middle stays as it is; at the bottom, where it goes on beyond the edge, it is soft
  tensor<float, 2> rows({21, 4});
  for (index_t w = 0; w < 4; ++w) rows(10, w) = rows(20, w) = 1;
  const double sigma = 1.3;
  const auto soft = optics::aligned_mask(cpu{.threads = 2}, rows.view(), {.edge_blur = 1.3f});
  for (index_t w = 0; w < 4; ++w) {
    CHECK(near(soft(10, w), 1, 1e-6));
    CHECK(near(soft(9, w), 0, 1e-6));
    CHECK(near(soft(20, w), .5 + std::erf(.5 / sigma / std::sqrt(2.)) / 2, 1e-4));
    const double above = sigma * .81;  // row 19: u = 0.9, u^2 = 0.81
    CHECK(near(soft(19, w), .5 - std::erf(.5 / above / std::sqrt(2.)) / 2, 1e-4));
  }
}

TEST_CASE("camera: where bands land") {
  const optics::cassi_geometry g{4, 5, 28, 2};
  const auto even = optics::band_positions(g, {});
  for (index_t c = 0; c < 28; ++c) CHECK(near(even[static_cast<std::size_t>(c)], static_cast<double>(2 * c), 1e-5));
  const auto bent = optics::band_positions(g, {.stretch = -1, .bend = .5f});
  for (index_t c = 0; c < 28; ++c) {
    const double t = static_cast<double>(c) / 27;
    CHECK(near(bent[static_cast<std::size_t>(c)], 54 * t - t + 2 * t * (1 - t), 1e-4));
  }
  for (const float at : optics::band_positions(g, {.stretch = 3, .bend = -2})) CHECK((at >= 0 && at <= 54));
  CHECK(optics::band_positions({4, 5, 1, 2}, {.stretch = 1}) == std::vector<float>{0});
  CHECK(optics::band_positions({4, 5, 3, 0}, {.bend = 1}) == std::vector<float>{0, 0, 0});
}

TEST_CASE("camera: light between two columns is shared by both") {
  const snapshot s = take(6, 14, 3);
  const auto positions = optics::band_positions(s.g, {.stretch = -1.5f, .bend = .7f});
  const auto y = taken(s, {.stretch = -1.5f, .bend = .7f});
  for (index_t h = 0; h < 6; ++h)
    for (index_t v = 0; v < y.extent(1); ++v) {
      double sum = 0;
      for (index_t w = 0; w < 14; ++w)
        for (index_t c = 0; c < 28; ++c) {
          const double from = static_cast<double>(w) + static_cast<double>(positions[static_cast<std::size_t>(c)]);
          sum += std::max(0., 1 - std::abs(static_cast<double>(v) - from)) * static_cast<double>(s.mask(h, w)) *
                 static_cast<double>(s.truth(h, w, c));
        }
      CHECK(near(y(h, v), sum, 2e-5 * (1 + sum)));
    }
  const auto even = taken(s, {});
  for (index_t i = 0; i < even.size(); ++i)
    CHECK(near(even.data()[i], static_cast<double>(s.y.data()[i]), 1e-5 * (1 + static_cast<double>(s.y.data()[i]))));
}

TEST_CASE("camera: spectral TV with positions, and held-out values") {
  const snapshot s = take(48, 56, 6);
  const auto basis = spectra();
  const auto solved = [&](const tensor<float, 2>& y, const std::vector<float>& positions,
                          const unsigned char* held_out) {
    const auto camera = s.camera(positions);
    optics::planned<optics::spectral_tv> plan(camera, basis.view());
    plan->hold_out(held_out);
    tensor<float, 3> x(s.truth.extents());
    plan->run(cpu{.threads = 2}, x.view(), y.view());
    return x;
  };
  const auto quality = [&](const tensor<float, 3>& x) { return metrics::psnr(s.truth.view(), x.view()); };
  const auto even = optics::band_positions(s.g, {});
  const auto plain = solved(s.y, {}, nullptr), placed = solved(s.y, even, nullptr);
  CHECK(std::abs(quality(plain) - quality(placed)) <= .05);
  const optics::camera_alignment prism{.stretch = -1.5f, .bend = 1};
  const auto y = taken(s, prism);
  const auto wrong = solved(y, {}, nullptr), right = solved(y, optics::band_positions(s.g, prism), nullptr);
  MESSAGE("bands beside their columns: " << quality(wrong) << " dB, told so " << quality(right) << " dB, none beside "
                                         << quality(plain) << " dB");
  CHECK(quality(right) >= quality(wrong) + 2);
  CHECK(quality(right) >= quality(plain) - 1.5);
  // held-out values may as well be exchanged
  std::vector<unsigned char> held_out(static_cast<std::size_t>(s.y.size()));
  auto spoilt = s.y;
  for (index_t i = 5; i + 20 < s.y.size(); i += 40) {
    held_out[static_cast<std::size_t>(i)] = held_out[static_cast<std::size_t>(i + 20)] = 1;
    std::swap(spoilt.data()[i], spoilt.data()[i + 20]);
  }
  const auto without = solved(s.y, {}, held_out.data()), same = solved(spoilt, {}, held_out.data());
  for (index_t i = 0; i < same.size(); ++i) CHECK(near(same.data()[i], static_cast<double>(without.data()[i]), 5e-3));
  CHECK(quality(without) >= quality(solved(spoilt, {}, nullptr)) + 3);
}

TEST_CASE("camera: a whole snapshot tells how large the mask is seen, and how unsharp at its top and bottom") {
  const optics::camera_alignment hidden{.down = -.4f, .tall = .8f, .wide = -.8f, .edge_blur = 1.2f};
  const snapshot s = take(96, 96, 31);
  const auto camera = s.camera();
  optics::mask_match match(camera, optics::band_positions(s.g, hidden));
  match.add(cpu{.threads = 2}, taken(s, hidden).view(), s.truth);
  const double least = match.error(ref{}, hidden);
  CHECK(least <= .9 * match.error(ref{}, {}));
  CHECK(least == match.error(cpu{.threads = 3}, hidden));
  using a = optics::camera_alignment;
  for (const auto number : {&a::down, &a::right, &a::tall, &a::wide, &a::blur, &a::edge_blur})
    for (const float by : {-.6f, .6f}) {
      auto other = hidden;
      other.*number += by;
      if (other.blur >= 0) CHECK(match.error(ref{}, other) > least);
    }
}

TEST_CASE("camera: calibration finds where mask and bands lie") {
  const optics::camera_alignment hidden{.right = -.8f, .blur = .5f, .stretch = -.8f};
  const snapshot s = take(20, 100, 21);
  const auto camera = s.camera();
  tensor<float, 2> y = taken(s, hidden);
  auto noise = optics::camera_noise();
  noise.full_scale *= 14;
  optics::add_noise(ref{}, y.view(), noise, 1);
  const auto basis = spectra();
  optics::calibration_options o;
  o.rows = 16;
  o.outer_iterations = 5;
  o.iterations = 20;
  o.held_out = .1;
  o.trials = 40;
  const optics::calibrator search(camera, {y.view()}, basis.view(), o);
  index_t calls = 0;
  double last = 1e9;
  const auto found = search.run(cpu{.threads = 2}, [&](index_t tried, double error, const auto&) {
    CHECK(tried == ++calls);
    CHECK(error <= last);
    last = error;
  });
  const double true_error = search.error(cpu{.threads = 2}, hidden);
  MESSAGE("right " << found.alignment.right << " down " << found.alignment.down << " blur " << found.alignment.blur
                   << " stretch " << found.alignment.stretch << " bend " << found.alignment.bend << ", error "
                   << found.before << " to " << found.after << " in " << found.tried << ", that of the truth "
                   << true_error);
  CHECK(found.tried == calls);
  CHECK(found.after == last);
  CHECK(found.after <= .8 * found.before);
  CHECK(found.after <= 1.1 * true_error);
  CHECK(near(found.alignment.right, -.8, .5));
  CHECK(near(found.alignment.down, 0, .5));
  const auto positions = found.camera.positions();
  CHECK(std::vector<float>(positions.begin(), positions.end()) == optics::band_positions(s.g, found.alignment));
  optics::spectral_tv_options usual, chosen;
  chosen.noise_weight = found.noise_weight;
  CHECK(search.error(ref{}, found.alignment, chosen) <= search.error(ref{}, found.alignment, usual));
  // nothing to find: an error that is no better elsewhere, and the same bits on any threads
  const optics::calibrator alone(camera, {s.y.view()}, basis.view(), o);
  CHECK(alone.error(ref{}, {}) < alone.error(ref{}, {.right = .8f}));
  CHECK(alone.error(ref{}, {}) == alone.error(cpu{.threads = 3}, {}));
}

TEST_CASE("camera: calibration goes on with whole snapshots, where they have the rows") {
  const optics::camera_alignment hidden{.tall = 1.2f};
  const snapshot s = take(72, 72, 22);
  const auto camera = s.camera();
  const tensor<float, 2> y = taken(s, hidden);
  const auto basis = spectra();
  optics::calibration_options o;
  o.rows = 8;
  o.outer_iterations = 4;
  o.iterations = 12;
  o.smallest_step = .4f;
  o.trials = 150;
  const auto run = [&](index_t whole, int threads) {
    o.whole = whole;
    const optics::calibrator search(camera, {y.view()}, basis.view(), o);
    return search.run(cpu{.threads = threads}, [](index_t, double, const auto&) {});
  };
  const auto strips = run(73, 2), all = run(72, 2), alone = run(72, 1);
  MESSAGE("tall " << all.alignment.tall << " wide " << all.alignment.wide << " edge blur " << all.alignment.edge_blur
                  << " in " << all.tried << ", " << strips.tried << " of them with strips");
  CHECK(strips.alignment.tall == 0);
  CHECK(near(all.alignment.tall, 1.2, .5));
  CHECK(near(all.alignment.wide, 0, .5));
  CHECK(all.alignment.tall == alone.alignment.tall);
  CHECK(all.after == alone.after);
}
