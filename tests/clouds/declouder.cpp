/// The whole of a date: quality, bits, memory, and every pain of the field that reaches the library.

#include <doctest/doctest.h>

#include <cstring>
#include <limits>
#include <unmask/clouds/declouder.hpp>

#include "../model/heap_count.hpp"
#include "scenes.hpp"

using namespace unmask;
using namespace unmask_test;
namespace clouds = unmask::clouds;

namespace {

template <class T>
bool same_bits(const T& a, const T& b) {
  return a.size() == b.size() &&
         std::memcmp(a.data(), b.data(), sizeof(*a.data()) * static_cast<std::size_t>(a.size())) == 0;
}

clouds::options by(clouds::method how) {
  clouds::options o;
  o.how = how;
  return o;
}

bool finite_where_asked(const place& p, const found& f) {
  const index_t C = p.image.extent(2);
  for (index_t i = 0; i < f.image.size(); ++i)
    if (f.origin.data()[i / C] > 1 && !std::isfinite(f.image.data()[i])) return false;
  return true;
}

}  // namespace

TEST_CASE("the stack beats each simple method, and open pixels keep their bits") {
  const place p = make_place(96, 80, 4, 3);
  const found stack = decloud(p);
  const double error = hidden_error(p, stack);
  CHECK(error < .01);
  for (const auto how : {clouds::method::ridge, clouds::method::local, clouds::method::linear, clouds::method::nearest})
    CHECK(error < hidden_error(p, decloud(p, by(how))) * 1.02);
  double within = 0, count = 0;
  for (index_t i = 0; i < p.visibility.size(); ++i) {
    const bool open = p.visibility.data()[i] > 0;
    CHECK(stack.origin.data()[i] == (open ? 1 : 2));
    for (index_t c = 0; c < 4; ++c) {
      const index_t at = i * 4 + c;
      if (open) {
        REQUIRE(std::memcmp(stack.image.data() + at, p.image.data() + at, sizeof(float)) == 0);
        REQUIRE(stack.deviation.data()[at] == 0);
        continue;
      }
      within += std::abs(stack.image.data()[at] - p.truth.data()[at]) <= stack.deviation.data()[at];
      ++count;
    }
  }
  CHECK(within / count > .6);
  CHECK(within / count < .85);
}

TEST_CASE("equal bits on any number of threads, and again") {
  const place p = make_place(70, 61, 3, 2);
  const auto o = by(clouds::method::stack);
  const found one = decloud(p, o, cpu{.threads = 1});
  for (const int threads : {2, 3, 7}) {
    const found more = decloud(p, o, cpu{.threads = threads});
    CHECK(same_bits(one.image, more.image));
    CHECK(same_bits(one.deviation, more.deviation));
  }
}

TEST_CASE("a run takes no heap") {
  if (!UNMASK_TEST_HEAP_COUNTED) return;
  const place p = make_place(64, 48, 4, 2);
  tensor<float, 3> image({64, 48, 4}), deviation({64, 48, 4});
  auto d = clouds::declouder<cpu>::create({.threads = 1}, p.size()).value();
  const std::size_t before = heap_calls();
  const auto found = d.reconstruct(p.scene(), {image.view(), deviation.view(), {}});
  CHECK(heap_calls() == before);
  CHECK(found.held_out > 100);
  CHECK(d.bytes() > 0);
}

TEST_CASE("other dates in any order") {
  place p = make_place(50, 60, 3, 3);
  const found sorted = decloud(p);
  place q = p;
  const index_t n = 50 * 60;
  for (index_t k = 0; k < 3; ++k) {
    const index_t from = (k + 1) % 3;
    q.days[static_cast<std::size_t>(k)] = p.days[static_cast<std::size_t>(from)];
    std::copy_n(p.references.data() + from * n * 3, n * 3, q.references.data() + k * n * 3);
    std::copy_n(p.reference_visibility.data() + from * n, n, q.reference_visibility.data() + k * n);
  }
  const found shuffled = decloud(q);
  CHECK(same_bits(sorted.image, shuffled.image));
}

TEST_CASE("no data never becomes clear and never enters a mean") {
  place p = make_place(64, 64, 3, 2);
  const found clean = decloud(p);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (index_t w = 0; w < 64; ++w) {
    p.image(60, w, 1) = nan;  // one band is enough
    p.references(0, 5, w, 2) = nan;
    p.reference_visibility(1, 9, w) = nan;
    p.references(1, 9, w, 0) = 1e30f;
  }
  for (const bool fill : {false, true}) {
    clouds::options o;
    o.fill_no_data = fill;
    const found f = decloud(p, o);
    CHECK(f.outcome.no_data == 64);
    for (index_t w = 0; w < 64; ++w) {
      CHECK(f.origin(60, w) == (fill ? 2 : 0));
      CHECK(std::isfinite(f.image(60, w, 1)) == fill);
    }
    CHECK(finite_where_asked(p, f));
    CHECK(hidden_error(p, f) < 1.2 * hidden_error(p, clean));
  }
}

TEST_CASE("all cloud, no other date, one other date, other dates that see nothing") {
  place p = make_place(40, 40, 3, 1);
  CHECK(hidden_error(p, decloud(p)) < .03);

  place all = p;
  std::fill(all.visibility.begin(), all.visibility.end(), 0.f);
  const found blind = decloud(all);
  CHECK(blind.outcome.unfitted);
  CHECK(blind.outcome.open == 0);
  CHECK(finite_where_asked(all, blind));
  CHECK(std::isnan(blind.deviation(0, 0, 0)));

  place alone = p;
  alone.references = tensor<float, 4>({0, 40, 40, 3});
  alone.reference_visibility = tensor<float, 3>({0, 40, 40});
  alone.days.clear();
  const found single = decloud(alone);
  CHECK(single.outcome.one_image);
  CHECK(finite_where_asked(alone, single));
  CHECK(hidden_error(alone, single) < .1);
  CHECK(single.origin(16, 18) == 3);

  place covered = p;
  std::fill(covered.reference_visibility.begin(), covered.reference_visibility.end(), 0.f);
  const found none = decloud(covered);
  CHECK(none.outcome.one_image);
  CHECK(same_bits(none.image, single.image));

  std::fill(alone.visibility.begin(), alone.visibility.end(), 0.f);
  const found nothing = decloud(alone);
  CHECK(std::isnan(nothing.image(3, 3, 0)));
}

TEST_CASE("hardly anything open: the most visible pixels are fitted") {
  place p = make_place(64, 64, 3, 2);
  for (index_t i = 0; i < p.visibility.size(); ++i) {
    p.visibility.data()[i] = .1f + .35f * static_cast<float>(i % 64) / 63;
    for (index_t c = 0; c < 3; ++c) p.image.data()[i * 3 + c] = p.truth.data()[i * 3 + c];
  }
  const found f = decloud(p);
  CHECK(f.outcome.few_open);
  CHECK(f.outcome.open == 0);
  CHECK(f.outcome.fitted > 400);
  CHECK(f.outcome.hidden == 64 * 64);
  CHECK(hidden_error(p, f) < hidden_error(p, decloud(p, by(clouds::method::linear))));
}

TEST_CASE("odd sizes") {
  for (const auto& [h, w] : {std::pair<index_t, index_t>{1, 1}, {1, 40}, {40, 1}, {3, 5}, {17, 31}, {33, 8}})
    for (const index_t bands : {1, 5}) {
      const place p = make_place(h, w, bands, 2);
      CHECK(finite_where_asked(p, decloud(p)));
    }
}

TEST_CASE("wrong shapes and options are refused by name") {
  const place p = make_place(20, 20, 3, 2);
  tensor<float, 3> image({20, 20, 3}), small({20, 19, 3});
  auto d = clouds::declouder<ref>::create({}, p.size()).value();
  auto s = p.scene();
  const tensor<float, 2> other({19, 20});
  s.visibility = other.view();
  CHECK(d.run(s, {image.view(), {}, {}}).error().message() == "visibility: found [19 x 20], expected [20 x 20]");
  CHECK(d.run(p.scene(), {small.view(), {}, {}}).error().code() == errc::wrong_shape);
  s = p.scene();
  s.day = std::numeric_limits<double>::quiet_NaN();
  CHECK(d.run(s, {image.view(), {}, {}}).error().code() == errc::wrong_value);
  CHECK(d.run(p.scene(), {image.view(), {}, {}}));
  clouds::options o;
  o.ridge = 0;
  CHECK_FALSE(clouds::declouder<ref>::create({}, p.size(), o));
  o = {};
  o.hidden_below = std::numeric_limits<double>::quiet_NaN();
  CHECK_FALSE(clouds::declouder<ref>::create({}, p.size(), o));
  CHECK_FALSE(clouds::declouder<ref>::create({}, {0, 5, 1, 1}));
  CHECK_FALSE(clouds::declouder<ref>::create({}, {1 << 15, 1 << 15, 1, 1}));
}
