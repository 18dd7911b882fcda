#include <doctest/doctest.h>

#include <limits>
#include <set>
#include <vector>

#include "unmask/train/dataset.hpp"

using namespace unmask;
using unmask::index_t;
namespace ut = unmask::train;

namespace {

tensor<float, 3> scene(index_t h, index_t w, index_t c, std::uint64_t seed) {
  tensor<float, 3> t({h, w, c});
  unmask::random draw(seed);
  for (float& v : t) v = static_cast<float>(draw.uniform());
  return t;
}

tensor<float, 2> grey_mask(index_t h, index_t w, std::uint64_t seed) {
  tensor<float, 2> t({h, w});
  unmask::random draw(seed);
  for (float& v : t) v = static_cast<float>(draw.uniform());
  return t;
}

ut::sample_source source(const ut::sample_options& options) {
  std::vector<tensor<float, 3>> scenes;
  scenes.push_back(scene(24, 40, 5, 1));
  scenes.push_back(scene(31, 17, 5, 2));
  std::vector<tensor<float, 2>> masks;
  masks.push_back(grey_mask(24, 40, 3));
  masks.push_back(grey_mask(50, 45, 4));
  return ut::sample_source::create(std::move(scenes), std::move(masks), options).value();
}

template <class T>
bool same(const ut::batch<T>& a, const ut::batch<T>& b) {
  return std::equal(a.input.begin(), a.input.end(), b.input.begin()) &&
         std::equal(a.truth.begin(), a.truth.end(), b.truth.begin()) &&
         std::equal(a.mask.begin(), a.mask.end(), b.mask.begin());
}

}  // namespace

// Exact equality: the widened crop adds the same terms in the same order as the whole field.
TEST_CASE_TEMPLATE("dataset: a crop has the bits of the whole measured field", T, float, double) {
  for (index_t step : {0, 1, 2, 3}) {
    const auto s = source({.batch = 16, .height = 8, .width = 6, .step = step, .random_masks = .25});
    auto batch = s.make_batch<T>();
    s.fill(ref{}, batch, 5, step);
    for (index_t b = 0; b < 16; ++b) {
      const auto c = s.choose(5, step, b);
      tensor<T, 3> cube({c.field_height, c.field_width, 5}), input({c.field_height, c.field_width, 5});
      tensor<T, 2> mask({c.field_height, c.field_width}), y({c.field_height, c.field_width + 4 * step});
      if (c.mask >= 0) {
        s.copy_field<T>(c, 0, 0, cube.view(), mask.view());
      } else {  // a fresh mask only exists in the lit columns
        const auto lit = s.lit_columns(c);
        tensor<T, 3> part({c.field_height, lit[1] - lit[0], 5});
        tensor<T, 2> fresh({c.field_height, lit[1] - lit[0]});
        s.copy_field<T>(c, 0, 0, cube.view(), mask.view());
        s.copy_field<T>(c, 0, lit[0], part.view(), fresh.view());
        for (index_t h = 0; h < c.field_height; ++h)
          for (index_t w = lit[0]; w < lit[1]; ++w) mask(h, w) = fresh(h, w - lit[0]);
      }
      optics::cassi_forward(ref{}, y.view(), cube.view(), mask.view(), step);
      optics::cassi_input(ref{}, input.view(), y.view(), mask.view(), step);
      index_t wrong = 0;
      for (index_t h = 0; h < 8; ++h)
        for (index_t w = 0; w < 6; ++w) {
          wrong += !(batch.mask(b, h, w) == mask(c.row + h, c.column + w));
          for (index_t k = 0; k < 5; ++k) {
            wrong += !(batch.input(b, h, w, k) == input(c.row + h, c.column + w, k));
            wrong += !(batch.truth(b, h, w, k) == cube(c.row + h, c.column + w, k));
          }
        }
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE("dataset: a batch is a function of seed and step, on any number of threads") {
  ut::sample_options options{.batch = 5, .height = 8, .width = 8};
  options.noise = optics::camera_noise();
  options.noise.read_sigma = .01;
  const auto s = source(options);
  auto a = s.make_batch<float>(), b = s.make_batch<float>();
  s.fill(cpu{1}, a, 3, 7);
  s.fill(cpu{2}, b, 3, 6);
  CHECK_FALSE(same(a, b));
  for (int threads : {1, 2, 3}) {
    s.fill(cpu{threads}, b, 3, 7);
    CHECK(same(a, b));
  }
  s.fill(ref{}, b, 4, 7);
  CHECK_FALSE(same(a, b));
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
  std::set<index_t> scenes, masks, rows;
  for (index_t step = 0; step < 100; ++step)
    for (index_t b = 0; b < 4; ++b) {
      const auto c = s.choose(1, step, b);
      symmetries.insert(c.transposed + 2 * c.flip_rows + 4 * c.flip_columns);
      scenes.insert(c.scene);
      masks.insert(c.mask);
      rows.insert(c.row);
    }
  CHECK(symmetries.size() == 8);
  CHECK(scenes.size() == 2);
  CHECK(masks.size() == 2);
  CHECK(rows.size() > 8);
  // Without symmetries a pixel of the truth is found where the choice says.
  const auto plain = source({.batch = 4, .height = 8, .width = 8, .symmetries = false, .move_mask = false});
  auto b = plain.make_batch<float>();
  plain.fill(ref{}, b, 9, 0);
  for (index_t i = 0; i < 4; ++i) {
    const auto c = plain.choose(9, 0, i);
    CHECK(c.mask_row + c.mask_column == 0);
    CHECK(b.truth(i, 2, 5, 1) ==
          plain.scenes()[static_cast<std::size_t>(c.scene)](c.scene_row + c.row + 2, c.scene_column + c.column + 5, 1));
  }
  // A scene narrower than the crop is high is never transposed.
  std::vector<tensor<float, 3>> tall;
  tall.push_back(scene(32, 8, 3, 1));
  const auto long_scene =
      ut::sample_source::create(std::move(tall), {}, {.batch = 8, .height = 16, .width = 8, .random_masks = 1}).value();
  for (index_t i = 0; i < 8; ++i) CHECK_FALSE(long_scene.choose(1, 0, i).transposed);
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
  CHECK(refused(good, mask, {.batch = 0}) == "samples: batch 0, crop [64 x 64], expected at least 1 of each");
}
