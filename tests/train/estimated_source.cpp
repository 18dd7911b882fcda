#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "same_batch.hpp"
#include "tiny_training.hpp"
#include "unmask/train/estimated_source.hpp"

using namespace unmask;
using unmask::index_t;
namespace ut = unmask::train;
using tiny_training::uniform;

namespace {

constexpr index_t bands = 4, side = 24;

result<ut::estimated_source> source(ut::sample_options options, const ut::field_options& fields,
                                    index_t height = side) {
  options.batch = 3;
  options.height = options.width = 8;
  std::vector<tensor<float, 3>> scenes;
  scenes.push_back(uniform(1, height, side, bands));
  scenes.push_back(uniform(2, side + 6, side, bands));
  std::vector<tensor<float, 2>> masks;
  masks.push_back(uniform(3, side, side + 5));
  return ut::estimated_source::create(std::move(scenes), std::move(masks), options, fields);
}

}  // namespace

TEST_CASE("estimated samples: a batch depends on seed and step only") {
  const ut::sample_options options{.mosaics = .3, .random_masks = .5, .noise = optics::camera_noise()};
  const ut::field_options fields{.fields = 3, .steps_per_field = 2};
  auto forwards = source(options, fields).value(), backwards = source(options, fields).value();
  auto a = forwards.make_batch<float>(), b = a;
  std::vector<ut::batch<float>> kept;
  for (index_t step = 0; step < 9; ++step) {
    forwards.fill(cpu{.threads = 2}, a, 7, step);
    kept.push_back(a);
  }
  for (index_t step = 8; step >= 0; --step) {
    backwards.fill(cpu{.threads = 1}, b, 7, step);
    CHECK(same_batch(kept[static_cast<std::size_t>(step)], b));
  }
  backwards.fill(cpu{}, b, 8, 0);
  CHECK_FALSE(same_batch(kept[0], b));
  CHECK_FALSE(same_batch(kept[0], kept[1]));
}

TEST_CASE("estimated samples: the input is a crop of the whole field's estimate") {
  // One scene, no symmetry, one field of the scene's size: the only freedom is where the crop lies.
  const tensor<float, 3> x = uniform(5, side, side, bands);
  const tensor<float, 2> m = uniform(6, side, side);
  const ut::sample_options options{.batch = 4, .height = 8, .width = 8, .symmetries = false};
  tensor<float, 2> spread({2, bands}, .5f);
  spread(1, 0) = spread(1, 1) = -.5f;
  for (const auto kind : {initial_kind::hm, initial_kind::gap_tv, initial_kind::spectral_tv}) {
    const initial_spec initial{kind, spread};
    auto s = ut::estimated_source::create({x}, {m}, options, {.initial = initial, .fields = 1}).value();
    tensor<float, 2> y({side, side + 2 * (bands - 1)});
    tensor<float, 3> whole(x.extents());
    const auto camera = optics::camera::create(m.view(), bands).value();
    camera.forward(ref{}, y.view(), x.view());
    planned_estimate(initial, camera).value()->run(cpu{}, whole.view(), y.view());
    auto batch = s.make_batch<double>();
    s.fill(cpu{}, batch, 1, 0);
    for (index_t b = 0; b < 4; ++b) {
      int places = 0;
      for (index_t row = 0; row + 8 <= side; ++row)
        for (index_t column = 0; column + 8 <= side; ++column) {
          bool equal = true;
          for (index_t h = 0; h < 8; ++h)
            for (index_t w = 0; w < 8; ++w) {
              equal = equal && batch.mask(b, h, w) == static_cast<double>(m(row + h, column + w));
              for (index_t c = 0; c < bands; ++c)
                equal = equal && batch.truth(b, h, w, c) == static_cast<double>(x(row + h, column + w, c)) &&
                        batch.input(b, h, w, c) == static_cast<double>(whole(row + h, column + w, c));
            }
          places += equal;
        }
      CHECK(places == 1);
    }
  }
}

TEST_CASE("estimated samples: what does not fit is refused by name") {
  const auto message = [](const result<ut::estimated_source>& r) { return r ? std::string() : r.error().message(); };
  CHECK(message(source({}, {.fields = 0})).find("fields 0") != std::string::npos);
  CHECK(message(source({}, {.steps_per_field = 0})).find("steps_per_field 0") != std::string::npos);
  CHECK(message(source({.mosaics = 2}, {})).find("mosaics") != std::string::npos);
  CHECK(message(source({}, {}, 5)).find("scene 0 is [5 x 24]") != std::string::npos);
  CHECK(message(ut::estimated_source::create({}, {}, {}, {})).find("no scene") != std::string::npos);
}
