/// Inference by tiles against the same network on the whole image.

#include <doctest/doctest.h>

#include <unmask/core/tensor.hpp>
#include <unmask/models/tiled.hpp>

#include "network_case.hpp"

using namespace unmask_test;

namespace {

constexpr index_t height = 61, width = 86;  // neither is a multiple of the window

/// Two blocks, plain and shifted, and a reach of 9 pixels.
s2_config shallow(arrangement layout, mask_embedding_kind embedding = mask_embedding_kind::tile_safe) {
  s2_config c = tiny_config();
  c.stages = 1;
  c.layout = layout;
  c.scope = spectral_scope::window;
  c.embedding = embedding;
  return c;
}

struct scene {
  explicit scene(const s2_config& c)
      : config(c), parameters(lively_parameters<float>(c)), mask({height, width}), input({height, width, c.bands}) {
    const auto m = seeded<float>(mask.size(), 1, 0, 1), x = seeded<float>(input.size(), 0, 0, 1);
    std::copy(m.begin(), m.end(), mask.begin());
    std::copy(x.begin(), x.end(), input.begin());
  }

  tensor<float, 3> whole() const {
    auto s = session<s2_network<float, cpu>>::create({}, config, parameters, height, width, mask.view()).value();
    tensor<float, 3> y(input.extents());
    s.run(y.view(), input.view());
    return y;
  }

  tensor<float, 3> by_tiles(index_t tile_height, index_t tile_width, index_t halo) const {
    const tiling t{tile_spans(config, height, tile_height, halo), tile_spans(config, width, tile_width, halo)};
    auto s = tiled_session<s2_network<float, cpu>>::create({.threads = 2}, config, parameters, t).value();
    tensor<float, 3> y(input.extents(), -1);
    const auto done = s.run(
        [&](const tile_span& rows, const tile_span& columns, auto x, auto m) -> result<> {
          for (index_t h = rows.from; h < rows.to; ++h)
            for (index_t w = columns.from; w < columns.to; ++w) {
              m(h - rows.from, w - columns.from) = mask(h, w);
              std::copy_n(&input(h, w, 0), config.bands, &x(h - rows.from, w - columns.from, 0));
            }
          return {};
        },
        [&](const tile_span& rows, const tile_span& columns, auto cube) -> result<> {
          for (index_t h = rows.begin; h < rows.end; ++h)
            std::copy_n(&cube(h - rows.begin, 0, 0), (columns.end - columns.begin) * config.bands,
                        &y(h, columns.begin, 0));
          return {};
        });
    CHECK(done);
    return y;
  }

  s2_config config;
  std::vector<float> parameters;
  tensor<float, 2> mask;
  tensor<float, 3> input;
};

/// Values that differ, at least `margin` pixels away from the image's edges.
index_t different(const tensor<float, 3>& a, const tensor<float, 3>& b, index_t margin_rows, index_t margin_columns) {
  index_t count = 0;
  for (index_t h = margin_rows; h < height - margin_rows; ++h)
    for (index_t w = margin_columns; w < width - margin_columns; ++w)
      for (index_t k = 0; k < a.extent(2); ++k) count += !(a(h, w, k) == b(h, w, k));
  return count;
}

}  // namespace

TEST_CASE("tiles cover an axis, and their regions are on the grid of windows") {
  const s2_config c = tiny_config();
  for (const index_t size : {1, 4, 15, 16, 17, 61, 256})
    for (const index_t tile : {1, 16, 30, 300})
      for (const index_t halo : {0, 3, 8, 40}) {
        const auto spans = tile_spans(c, size, tile, halo);
        index_t at = 0;
        for (const tile_span& s : spans) {
          CHECK(s.begin == at);
          CHECK(s.end > s.begin);
          CHECK((s.from >= 0 && s.from <= std::max<index_t>(0, s.begin - halo) && s.from % c.pad_multiple == 0));
          CHECK((s.to == size || (s.to >= s.end + halo && s.to % c.pad_multiple == 0)));
          CHECK((s.begin == 0 ? s.ramp == 0 : s.ramp <= c.pad_multiple));
          at = s.end;
        }
        CHECK(at == size);
      }
}

TEST_CASE("reach follows from windows and convolutions") {
  CHECK(reach(shallow(arrangement::spatial)) == 9);
  s2_config c;
  CHECK(reach(c) == 103);  // 24 blocks of 4 pixels, 7 convolutions
  c.shifted = false;
  CHECK(reach(c) < 50);
  CHECK(spans_image(c));
  CHECK(spans_rows(c));
  c.scope = spectral_scope::window;
  c.embedding = mask_embedding_kind::tile_safe;
  CHECK_FALSE(spans_image(c));
  CHECK_FALSE(spans_rows(c));
}

TEST_CASE("tiles with a halo of the network's reach give the untiled bits") {
  for (const arrangement layout : {arrangement::spatial, arrangement::spatial_spatial, arrangement::parallel_concat,
                                   arrangement::parallel_sum, arrangement::spectral_spatial}) {
    const scene s(shallow(layout));
    const index_t far = reach(s.config);
    const auto expected = s.whole(), found = s.by_tiles(16, 16, far);
    // windows at the image's edge hold pixels of the opposite edge, which spectral attention does not mask
    const bool spatial = layout == arrangement::spatial || layout == arrangement::spatial_spatial;
    CHECK(different(found, expected, spatial ? 0 : far, spatial ? 0 : far) == 0);
    CHECK(finite(std::vector<float>(found.begin(), found.end())));
    CHECK(different(s.by_tiles(16, 16, 0), expected, 0, 0) > 0);
    CHECK(different(s.by_tiles(1000, 1000, 0), expected, 0, 0) == 0);
  }
}

TEST_CASE("tiles as wide as the image keep the released embedding") {
  const scene s(shallow(arrangement::parallel_concat, mask_embedding_kind::released));
  const index_t far = reach(s.config);
  const auto expected = s.whole();
  CHECK(different(s.by_tiles(12, width, far), expected, far, 0) == 0);
  CHECK(different(s.by_tiles(12, 12, far), expected, far, far) > 0);
}

TEST_CASE("an error of the caller ends the run and comes back") {
  const s2_config c = shallow(arrangement::spatial);
  const auto parameters = lively_parameters<float>(c);
  const tiling t{tile_spans(c, height, 16, 4), tile_spans(c, width, 16, 4)};
  auto s = tiled_session<s2_network<float, cpu>>::create({}, c, parameters, t).value();
  int writes = 0;
  const auto read = [](auto&&, auto&&, auto x, auto m) -> result<> {
    std::fill(x.begin(), x.end(), .5f);
    std::fill(m.begin(), m.end(), .5f);
    return {};
  };
  const auto done = s.run(read, [&](auto&&, auto&&, auto) -> result<> {
    if (++writes == 3) return error(errc::not_writable, "full");
    return {};
  });
  REQUIRE_FALSE(done);
  CHECK(done.error().message() == "full");
  CHECK(writes == 3);
  CHECK(tiled_session<s2_network<float, cpu>>::bytes(c, t, 1) >
        session<s2_network<float, cpu>>::bytes(c, t.height(), t.width(), 1));
}
