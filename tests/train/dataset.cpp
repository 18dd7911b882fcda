#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <vector>

#include "same_batch.hpp"
#include "tiny_training.hpp"
#include "unmask/train/dataset.hpp"

using namespace unmask;
using unmask::index_t;
namespace ut = unmask::train;
using tiny_training::uniform;

namespace {

ut::sample_source source(const ut::sample_options& options) {
  std::vector<tensor<float, 3>> scenes;
  scenes.push_back(uniform(1, 24, 40, 5));
  scenes.push_back(uniform(2, 31, 17, 5));
  std::vector<tensor<float, 2>> masks;
  masks.push_back(uniform(3, 24, 40));
  masks.push_back(uniform(4, 50, 45));
  return ut::sample_source::create(std::move(scenes), std::move(masks), options).value();
}

/// Mirrored, then transposed.
tensor<float, 3> turned(const tensor<float, 3>& x, const ut::sample_piece& p) {
  const index_t H = x.extent(0), W = x.extent(1), C = x.extent(2);
  tensor<float, 3> t({p.transposed ? W : H, p.transposed ? H : W, C});
  for (index_t h = 0; h < H; ++h)
    for (index_t w = 0; w < W; ++w) {
      const index_t i = p.flip_rows ? H - 1 - h : h, j = p.flip_columns ? W - 1 - w : w;
      for (index_t k = 0; k < C; ++k) (p.transposed ? t(j, i, k) : t(i, j, k)) = x(h, w, k);
    }
  return t;
}

template <class T>
struct field {
  tensor<T, 3> cube;
  tensor<T, 2> mask;
};

/// All that the camera sees of a sample, with anything where its choice says nothing.
template <class T>
field<T> whole_field(const ut::sample_source& s, const ut::sample_choice& c, index_t height) {
  const index_t C = s.bands();
  field<T> f{tensor<T, 3>({c.field_height, c.field_width, C}), tensor<T, 2>({c.field_height, c.field_width})};
  unmask::random draw(99);
  for (T& v : f.cube) v = static_cast<T>(draw.uniform());
  for (T& v : f.mask) v = static_cast<T>(draw.uniform());
  for (int k = 0; k < c.pieces; ++k) {
    const auto& p = c.parts[static_cast<std::size_t>(k)];
    const auto scene = turned(s.scenes()[static_cast<std::size_t>(p.scene)], p);
    for (index_t h = 0; h < p.height; ++h)
      for (index_t w = 0; w < p.width; ++w)
        for (index_t b = 0; b < C; ++b)
          f.cube(c.row + p.top + h, c.lit_begin + p.left + w, b) = static_cast<T>(scene(p.row + h, p.column + w, b));
  }
  if (c.mask >= 0) {
    for (index_t h = 0; h < c.field_height; ++h)
      for (index_t w = 0; w < c.field_width; ++w)
        f.mask(h, w) = static_cast<T>(s.masks()[static_cast<std::size_t>(c.mask)](c.mask_row + h, c.mask_column + w));
  } else {
    tensor<T, 2> fresh({height, c.lit_width()});
    s.copy_mask<T>(c, fresh.view());
    for (index_t h = 0; h < height; ++h)
      for (index_t w = 0; w < c.lit_width(); ++w) f.mask(c.row + h, c.lit_begin + w) = fresh(h, w);
  }
  return f;
}

}  // namespace

// Exact equality: the crop adds the same terms in the same order as the whole field. What lies beyond the reach of the
// dispersion is random here: it must not matter, and everything within the reach must.
TEST_CASE_TEMPLATE("dataset: a crop has the bits of the whole measured field", T, float, double) {
  int mosaics = 0, fresh = 0;
  for (index_t step : {0, 1, 2, 3}) {
    const auto s = source({.batch = 24, .height = 8, .width = 6, .step = step, .mosaics = .4, .random_masks = .3});
    auto batch = s.make_batch<T>();
    s.fill(ref{}, batch, 5, step);
    for (index_t b = 0; b < 24; ++b) {
      const auto c = s.choose(5, step, b);
      mosaics += c.pieces == 4;
      fresh += c.mask < 0;
      const auto f = whole_field<T>(s, c, 8);
      tensor<T, 3> input({c.field_height, c.field_width, 5});
      tensor<T, 2> y({c.field_height, c.field_width + 4 * step});
      const auto camera = optics::basic_camera<T>::create(f.mask.view(), f.cube.extent(2), step).value();
      camera.forward(ref{}, y.view(), f.cube.view());
      camera.input(ref{}, input.view(), y.view());
      index_t wrong = 0;
      for (index_t h = 0; h < 8; ++h)
        for (index_t w = 0; w < 6; ++w) {
          wrong += !(batch.mask(b, h, w) == f.mask(c.row + h, c.column + w));
          for (index_t k = 0; k < 5; ++k) {
            wrong += !(batch.input(b, h, w, k) == input(c.row + h, c.column + w, k));
            wrong += !(batch.truth(b, h, w, k) == f.cube(c.row + h, c.column + w, k));
          }
        }
      CHECK(wrong == 0);
    }
  }
  CHECK(mosaics >= 20);  // of 96
  CHECK(fresh >= 15);
}

TEST_CASE("dataset: light of neighbours up to step (C - 1) columns away is in the crop") {
  // A scene that is dark but for one bright column; a crop is lit exactly where that column's dispersion reaches.
  tensor<float, 3> x({8, 40, 5});
  for (index_t h = 0; h < 8; ++h)
    for (index_t k = 0; k < 5; ++k) x(h, 20, k) = 1;
  const auto s = ut::sample_source::create({x}, {tensor<float, 2>({8, 40}, 1.f)},
                                           {.batch = 1, .height = 8, .width = 6, .symmetries = false})
                     .value();
  auto b = s.make_batch<float>();
  int before = 0, after = 0;
  for (index_t step = 0; step < 200; ++step) {
    const auto c = s.choose(1, step, 0);
    s.fill(ref{}, b, 1, step);
    const index_t inside = 20 - c.parts[0].column, bright = inside + c.lit_begin - c.column;  // seen from the crop
    for (index_t w = 0; w < 6; ++w)
      for (index_t k = 0; k < 5; ++k) {
        const index_t distance = w + 2 * k - bright;  // twice the band of the bright column that lands here
        const bool lit = inside >= 0 && inside < c.lit_width() && distance >= 0 && distance <= 8 && distance % 2 == 0;
        CHECK(b.input(0, 4, w, k) == (lit ? doctest::Approx(2. / 5) : doctest::Approx(0)));
        before += lit && bright < 0;
        after += lit && bright > 5;
      }
  }
  CHECK(before > 0);
  CHECK(after > 0);
}

TEST_CASE("dataset: a batch is a function of seed and step, on any number of threads") {
  ut::sample_options options{.batch = 5, .height = 8, .width = 8};
  options.noise = optics::camera_noise();
  options.noise.read_sigma = .01;
  const auto s = source(options);
  auto a = s.make_batch<float>(), b = s.make_batch<float>();
  s.fill(cpu{1}, a, 3, 7);
  s.fill(cpu{2}, b, 3, 6);
  CHECK_FALSE(same_batch(a, b));
  for (int threads : {1, 2, 3}) {
    s.fill(cpu{threads}, b, 3, 7);
    CHECK(same_batch(a, b));
  }
  s.fill(ref{}, b, 4, 7);
  CHECK_FALSE(same_batch(a, b));
}

TEST_CASE("dataset: noise is drawn per sample and has the network input's scale") {
  std::vector<tensor<float, 3>> scenes(1, tensor<float, 3>({32, 32, 4}, .5f));
  std::vector<tensor<float, 2>> masks(1, tensor<float, 2>({32, 32}, 1.f));
  ut::sample_options options{.batch = 2, .height = 32, .width = 32, .step = 0};
  options.noise.read_sigma = .02;
  const auto s = ut::sample_source::create(std::move(scenes), std::move(masks), options).value();
  auto b = s.make_batch<double>();
  s.fill(ref{}, b, 1, 0);
  // Without noise y 2 / C = 4 * .5 * 2 / 4 = 1; 1024 independent pixels give sigma to 1 / sqrt(2048) = 2.2 %.
  double square = 0;
  for (index_t h = 0; h < 32; ++h)
    for (index_t w = 0; w < 32; ++w) square += std::pow(b.input(0, h, w, 0) - 1, 2);
  CHECK(std::sqrt(square / 1024) == doctest::Approx(.02).epsilon(.1));
  CHECK(b.input(0, 3, 3, 0) != b.input(1, 3, 3, 0));
}

TEST_CASE("dataset: every symmetry, scene, mask and place is drawn, and truth is the scene") {
  const auto s = source({.batch = 4, .height = 8, .width = 8});
  std::set<int> symmetries;
  std::set<index_t> scenes, masks, rows, mask_rows;
  for (index_t step = 0; step < 100; ++step)
    for (index_t b = 0; b < 4; ++b) {
      const auto c = s.choose(1, step, b);
      const auto& p = c.parts[0];
      CHECK(c.pieces == 1);
      symmetries.insert(p.transposed + 2 * p.flip_rows + 4 * p.flip_columns);
      scenes.insert(p.scene);
      masks.insert(c.mask);
      rows.insert(p.row);
      mask_rows.insert(c.mask_row + c.row);
    }
  CHECK(symmetries.size() == 8);
  CHECK(scenes.size() == 2);
  CHECK(masks.size() == 2);
  CHECK(rows.size() > 8);
  CHECK(mask_rows.size() > 8);
  // Without symmetries a pixel of the truth is found where the choice says.
  const auto plain = source({.batch = 4, .height = 8, .width = 8, .symmetries = false, .move_mask = false});
  auto b = plain.make_batch<float>();
  plain.fill(ref{}, b, 9, 0);
  for (index_t i = 0; i < 4; ++i) {
    const auto c = plain.choose(9, 0, i);
    const auto& p = c.parts[0];
    CHECK(c.mask_row + c.mask_column == 0);
    CHECK(b.truth(i, 2, 5, 1) ==
          plain.scenes()[static_cast<std::size_t>(p.scene)](p.row + 2, p.column + c.column - c.lit_begin + 5, 1));
  }
  // A scene narrower than the crop is high is never transposed.
  std::vector<tensor<float, 3>> tall;
  tall.push_back(uniform(1, 32, 8, 3));
  const auto long_scene =
      ut::sample_source::create(std::move(tall), {}, {.batch = 8, .height = 16, .width = 8, .random_masks = 1}).value();
  for (index_t i = 0; i < 8; ++i) CHECK_FALSE(long_scene.choose(1, 0, i).parts[0].transposed);
}

TEST_CASE("dataset: a mosaic covers the crop with four places, seams inside") {
  const auto s = source({.batch = 4, .height = 8, .width = 8, .mosaics = 1});
  std::set<index_t> seam_rows, seam_columns;
  for (index_t step = 0; step < 50; ++step) {
    const auto c = s.choose(1, step, 0);
    REQUIRE(c.pieces == 4);
    const auto& p = c.parts;
    CHECK(p[0].height + p[2].height == 8);
    CHECK(p[0].width + p[1].width == c.lit_width());
    CHECK(p[1].left == p[0].width);
    CHECK(p[2].top == p[0].height);
    const index_t seam = c.lit_begin + p[1].left - c.column;
    CHECK((p[2].top >= 1 && p[2].top <= 7 && seam >= 1 && seam <= 7));
    seam_rows.insert(p[2].top);
    seam_columns.insert(seam);
  }
  CHECK(seam_rows.size() == 7);
  CHECK(seam_columns.size() == 7);
  const auto single = source({.batch = 4, .height = 1, .width = 1, .mosaics = 1});  // no room for a seam
  auto b = single.make_batch<float>();
  single.fill(ref{}, b, 1, 0);
  const auto half = source({.batch = 4, .height = 8, .width = 8, .mosaics = .5});
  int mosaics = 0;
  for (index_t i = 0; i < 400; ++i) mosaics += half.choose(2, i, 0).pieces == 4;
  CHECK(std::abs(mosaics - 200) <= 50);  // five deviations
}

TEST_CASE("dataset: fresh masks are binary or grey, new for each sample, as open as asked") {
  struct seen {
    double mean = 0, grey = 0, lowest = 1, highest = 0;
  };
  const auto look = [](ut::sample_options o) {
    o.batch = 8, o.height = o.width = 16, o.random_masks = 1;
    const auto s = source(o);
    auto b = s.make_batch<float>();
    seen found;
    std::set<std::vector<float>> masks;
    for (index_t step = 0; step < 10; ++step) {
      s.fill(ref{}, b, 4, step);
      for (index_t i = 0; i < 8; ++i) {
        std::vector<float> m(&b.mask(i, 0, 0), &b.mask(i, 0, 0) + 256);
        double sum = 0;
        for (float v : m) {
          CHECK((v >= 0 && v <= 1));
          sum += static_cast<double>(v) / 256;
          found.grey += (v > 0 && v < 1) / (256. * 80);
        }
        found.mean += sum / 80;
        found.lowest = std::min(found.lowest, sum);
        found.highest = std::max(found.highest, sum);
        masks.insert(std::move(m));
      }
    }
    CHECK(masks.size() == 80);
    return found;
  };
  // A mean of 256 pixels has a deviation of 1/32, that of 80 such means .0035; five of them are allowed.
  const seen binary = look({}), grey = look({.grey_masks = 1}), half = look({.grey_masks = .5}),
             dark = look({.open_share = .2}), wide = look({.open_share = .5, .open_spread = .4});
  CHECK(binary.grey == 0);
  CHECK(std::abs(binary.mean - .5) <= .0175);
  CHECK(grey.grey >= .99);
  CHECK(std::abs(grey.mean - .5) <= .0175);
  CHECK((half.grey >= .25 && half.grey <= .75));
  CHECK(std::abs(dark.mean - .2) <= .0175);
  CHECK((wide.lowest <= .25 && wide.highest >= .75));
}

TEST_CASE("dataset: a share of the samples stays without noise") {
  ut::sample_options noisy{.batch = 40, .height = 8, .width = 8};
  noisy.noise = optics::camera_noise();
  noisy.noise.read_sigma = .01;
  noisy.noisy = .5;
  ut::sample_options clean = noisy;
  clean.noisy = 0;
  const auto some = source(noisy), none = source(clean);
  auto a = some.make_batch<float>(), b = a;
  some.fill(ref{}, a, 1, 0);
  none.fill(ref{}, b, 1, 0);
  int same_bits = 0;
  for (index_t i = 0; i < 40; ++i)
    same_bits += std::equal(&a.input(i, 0, 0, 0), &a.input(i, 0, 0, 0) + 8 * 8 * 5, &b.input(i, 0, 0, 0));
  CHECK((same_bits >= 8 && same_bits <= 32));
}

TEST_CASE("dataset: what does not fit is refused by name") {
  const auto refused = [](std::vector<tensor<float, 3>> scenes, std::vector<tensor<float, 2>> masks,
                          const ut::sample_options& options) {
    const auto s = ut::sample_source::create(std::move(scenes), std::move(masks), options);
    REQUIRE_FALSE(bool(s));
    return s.error().message();
  };
  const std::vector<tensor<float, 3>> good(1, tensor<float, 3>({16, 16, 4}));
  const std::vector<tensor<float, 2>> mask(1, tensor<float, 2>({16, 16}));
  const ut::sample_options small{.height = 8, .width = 8};
  CHECK(refused({}, mask, small) == "samples: found no scene, expected at least one");
  CHECK(refused(good, {}, small) == "samples: found no mask, expected at least one or random_masks = 1");
  CHECK(refused(good, mask, {}) == "samples: scene 0 is [16 x 16], expected at least the crop [64 x 64]");
  auto scenes = good;
  scenes.emplace_back(std::array<index_t, 3>{16, 16, 3});
  CHECK(refused(scenes, mask, small) == "samples: scene 1 has 3 bands, expected 4 as scene 0");
  CHECK(refused(good, std::vector<tensor<float, 2>>(1, tensor<float, 2>({16, 4})), small) ==
        "samples: mask 0 is [16 x 4], expected at least the crop [8 x 8]");
  scenes = good;
  scenes[0](3, 3, 3) = std::numeric_limits<float>::quiet_NaN();
  CHECK(refused(scenes, mask, small) == "samples: scene 0 has a value that is not finite");
  CHECK(refused(good, mask, {.mosaics = 1.5}) == "samples: mosaics is 1.500000, expected 0..1");
  CHECK(refused(good, mask, {.open_share = .9, .open_spread = .2}) ==
        "samples: open_share + open_spread is 1.100000, expected 0..1");
  CHECK(refused(good, mask, {.batch = 0}) == "samples: batch 0, crop [64 x 64], expected at least 1 of each");
}
