/// Neither the rim of what was hidden nor the border of a tile shows.

#include <doctest/doctest.h>

#include <unmask/clouds/tiles.hpp>

#include "scenes.hpp"

using namespace unmask;

namespace {

/// Mean absolute steps between neighbours that `chosen(a, b)` picks.
struct steps {
  double result = 0, truth = 0, deviation = 0, count = 0;
};

template <class Chosen>
steps steps_where(const unmask_test::place& p, const unmask_test::found& f, const Chosen& chosen) {
  steps s;
  const index_t H = p.image.extent(0), W = p.image.extent(1), C = p.image.extent(2);
  const auto add = [&](index_t a, index_t b) {
    for (index_t c = 0; c < C; ++c) {
      const auto step = [&](const tensor<float, 3>& image) {
        return std::abs(static_cast<double>(image.data()[a * C + c]) - static_cast<double>(image.data()[b * C + c]));
      };
      s.result += step(f.image), s.truth += step(p.truth);
      s.deviation += static_cast<double>(std::max(f.deviation.data()[a * C + c], f.deviation.data()[b * C + c]));
      ++s.count;
    }
  };
  for (index_t h = 0; h < H; ++h)
    for (index_t w = 0; w < W; ++w) {
      const index_t at = h * W + w;
      if (w + 1 < W && chosen(std::array{h, w}, std::array{h, w + 1})) add(at, at + 1);
      if (h + 1 < H && chosen(std::array{h, w}, std::array{h + 1, w})) add(at, at + W);
    }
  REQUIRE(s.count > 50);
  s.result /= s.count, s.truth /= s.count, s.deviation /= s.count;
  return s;
}

}  // namespace

TEST_CASE("the step at the rim of hidden areas is at most the truth's plus one deviation") {
  for (const index_t references : {1, 3}) {
    const auto place = unmask_test::make_place(96, 110, 4, references);
    const auto found = unmask_test::decloud(place);
    const auto rim = steps_where(place, found, [&](const auto& a, const auto& b) {
      return (place.visibility(a[0], a[1]) > 0) != (place.visibility(b[0], b[1]) > 0);
    });
    CAPTURE(rim.result);
    CAPTURE(rim.truth);
    CAPTURE(rim.deviation);
    CHECK(rim.result <= rim.truth + rim.deviation);
    CHECK(rim.deviation < .05);  // and not because it claims nothing
  }
}

TEST_CASE("tiles leave no seam: steps across their borders are those of the other pixels around") {
  // one cloud over most of the place, so that every border of a tile lies under it
  auto place = unmask_test::make_place(200, 180, 3, 2);
  for (index_t h = 0; h < 200; ++h)
    for (index_t w = 0; w < 180; ++w) {
      const bool cloud = (h / 20 + w / 20) % 3 != 0;
      place.visibility(h, w) = cloud ? 0.f : 1.f;
      for (index_t c = 0; c < 3; ++c) place.image(h, w, c) = cloud ? .9f : place.truth(h, w, c);
    }
  unmask_test::found tiled{
      tensor<float, 3>({200, 180, 3}), tensor<float, 3>({200, 180, 3}), tensor<std::uint8_t, 2>({200, 180}), {}};
  const clouds::tiling tiles{.tile = 64, .overlap = 16};
  REQUIRE(clouds::run_tiled(cpu{}, place.scene(), {tiled.image.view(), tiled.deviation.view(), tiled.origin.view()}, {},
                            tiles));
  // windows begin and end here; between them tiles are mixed
  std::vector<bool> row(201), column(181);
  for (const auto& w : clouds::detail::windows(200, tiles))
    row[static_cast<std::size_t>(w[0])] = row[static_cast<std::size_t>(w[0] + w[1])] = true;
  for (const auto& w : clouds::detail::windows(180, tiles))
    column[static_cast<std::size_t>(w[0])] = column[static_cast<std::size_t>(w[0] + w[1])] = true;
  const auto hidden = [&](const auto& a) { return place.visibility(a[0], a[1]) == 0; };
  const auto at_border = [&](const auto& a, const auto& b) {
    return (a[0] != b[0] && row[static_cast<std::size_t>(b[0])]) ||
           (a[1] != b[1] && column[static_cast<std::size_t>(b[1])]);
  };
  const auto border = steps_where(
      place, tiled, [&](const auto& a, const auto& b) { return hidden(a) && hidden(b) && at_border(a, b); });
  const auto inside = steps_where(
      place, tiled, [&](const auto& a, const auto& b) { return hidden(a) && hidden(b) && !at_border(a, b); });
  CAPTURE(border.result);
  CAPTURE(inside.result);
  CHECK(border.result - border.truth <= inside.result - inside.truth + .1 * inside.truth);
  CHECK(border.result <= border.truth + border.deviation);
}

TEST_CASE("rows handed out one tile after the other are those of the whole") {
  const auto place = unmask_test::make_place(150, 97, 2, 2);
  tensor<float, 3> image({150, 97, 2}), deviation({150, 97, 2});
  tensor<std::uint8_t, 2> origin({150, 97});
  const clouds::tiling tiles{.tile = 40, .overlap = 30};  // windows reach beyond the next tile's
  REQUIRE(clouds::run_tiled(cpu{}, place.scene(), {image.view(), deviation.view(), origin.view()}, {}, tiles));
  const auto scene = place.scene();
  clouds::options o;
  clouds::detail::scene_windows from(scene, o);
  index_t next = 0, calls = 0;
  const auto check = [&](const clouds::finished_rows& rows) -> result<> {
    CHECK(rows.first == next);
    CHECK(rows.image.extent(0) == rows.origin.extent(0));
    next += rows.origin.extent(0), ++calls;
    for (index_t i = 0; i < rows.origin.size(); ++i) {
      const index_t at = rows.first * 97 + i;
      REQUIRE(rows.origin.data()[i] == origin.data()[at]);
      if (rows.origin.data()[i] < 2) continue;
      REQUIRE(rows.image.data()[2 * i] == image.data()[2 * at]);
      REQUIRE(rows.deviation.data()[2 * i + 1] == deviation.data()[2 * at + 1]);
    }
    return {};
  };
  const auto found = clouds::run_rows(cpu{.threads = 2}, {150, 97, 2, 2}, o, tiles, from, check);
  REQUIRE(found);
  CHECK(next == 150);
  CHECK(calls == 4);
  CHECK(found->hidden > 0);
  // a sink that fails ends it
  const auto full = [](const clouds::finished_rows&) -> result<> { return error(errc::not_writable, "disk full"); };
  CHECK(clouds::run_rows(cpu{}, {150, 97, 2, 2}, o, tiles, from, full).error().message() == "disk full");
}
