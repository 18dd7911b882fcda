/// Declared ranges, finite numbers whatever the flags, and text of any bytes.

#include <limits>

#include "helpers.hpp"
#include "unmask/core/finite.hpp"
#include "unmask/io/input_file.hpp"
#include "unmask/io/json_text.hpp"
#include "unmask/io/ranges.hpp"

using namespace unmask;
using namespace io_test;

TEST_CASE("core: finite numbers are told by their bits") {
  using limit = std::numeric_limits<float>;
  using wide = std::numeric_limits<double>;
  for (const float x : {0.f, -0.f, 1.f, limit::max(), limit::lowest(), limit::min(), limit::denorm_min()})
    CHECK((is_finite(x) && !is_nan(x)));
  for (const float x : {limit::infinity(), -limit::infinity()}) CHECK((!is_finite(x) && !is_nan(x)));
  for (const float x : {limit::quiet_NaN(), -limit::quiet_NaN()}) CHECK((!is_finite(x) && is_nan(x)));
  for (const double x : {0., wide::max(), wide::denorm_min()}) CHECK((is_finite(x) && !is_nan(x)));
  CHECK(!is_finite(wide::infinity()));
  CHECK((!is_finite(wide::quiet_NaN()) && is_nan(-wide::quiet_NaN())));
}

TEST_CASE("io: cubes are 0..1, with the scale that would make them so") {
  CHECK(io::check_cube_range("x", {0, 1}));
  CHECK(io::check_cube_range("x", {-.04f, 1.04f}));
  CHECK(io::check_cube_range("x", {-.4f, 1.4f}, io::estimate_slack));
  check_error(io::check_cube_range("x: variable 'a'", {0, 60000}), errc::wrong_value,
              {"x: variable 'a'", "0 to 60000", "--full-scale 65535"});
  check_error(io::check_cube_range("x", {0, 250}), errc::wrong_value, {"--full-scale 255"});
  check_error(io::check_cube_range("x", {0, 98}), errc::wrong_value, {"--full-scale 100"});
  check_error(io::check_cube_range("x", {0, 2}), errc::wrong_value, {"0 to 2", "--full-scale N"});
  check_error(io::check_cube_range("x", {-3, 1}), errc::wrong_value, {"-3 to 1"});
  check_error(io::check_cube_range("x", {0, 98}, io::estimate_slack), errc::wrong_value, {"0 to 98"});
  check_error(io::check_cube_range("x", {0, 0}), errc::wrong_value, {"no value above 0"});
  check_error(io::check_cube_range("x", {0, .0019f}), errc::wrong_value, {"0 to 0.0019", "black", "--full-scale"});
  CHECK(io::check_cube_range("x", {0, .002f}));
  CHECK(io::check_cube_range("x", {0, .0019f}, io::estimate_slack));  // a poor estimate may be dark
}

TEST_CASE("io: masks are 0..1, have a pattern and let light through") {
  CHECK(io::check_mask_range("m", {0, 1}));
  CHECK(io::check_mask_range("m", {.005f, 1.03f}));
  check_error(io::check_mask_range("m", {0, 255}), errc::wrong_value, {"0 to 255", "0..1", "divide it by 255"});
  check_error(io::check_mask_range("m", {-1, 1}), errc::wrong_value, {"-1 to 1", "0..1"});
  check_error(io::check_mask_range("m", {0, 0}), errc::wrong_value, {"0 to 0", "largest value is 1"});
  check_error(io::check_mask_range("m", {0, 1.f / 255}), errc::wrong_value, {"largest value is 1"});
  check_error(io::check_mask_range("m", {1, 1}), errc::wrong_value, {"the same everywhere"});
  const float values[4] = {.5f, -.25f, .75f, 0};
  CHECK(io::range_of(values, 4).lowest == -.25f);
  CHECK(io::range_of(values, 4).largest == .75f);
}

TEST_CASE("io: a text is cut between characters") {
  const std::string euros = "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac";
  CHECK(io::detail::cut_text(euros, 9) == euros);
  for (const std::size_t limit : {6u, 7u, 8u}) CHECK(io::detail::cut_text(euros, limit) == euros.substr(0, 6));
  CHECK(io::detail::printable(euros, 4) == euros.substr(0, 3) + "...");
  CHECK(io::detail::cut_text(std::string(9, '\x82'), 5).size() >= 2);  // no text at all, but it ends
}

TEST_CASE("io: JSON of any bytes") {
  CHECK(io::json_text({{"unit", "W/m\xb2"}}) == "{\"unit\":\"W/m\xef\xbf\xbd\"}");
  CHECK(io::json_text({{"a", 1}}, 2) == "{\n  \"a\": 1\n}");
  std::string twice;
  CHECK(io::detail::parse_unique(R"({"a":1,"b":{"a":2}})", twice)["b"]["a"] == 2);
  CHECK(twice.empty());
  io::detail::parse_unique(R"({"a":1,"b":[{"c":1,"c":2}]})", twice);
  CHECK(twice == "c");
  CHECK(io::detail::parse_unique(std::string(90000, '['), twice).is_discarded());
  CHECK(io::detail::parse_unique(std::string(33, '[') + std::string(33, ']'), twice).is_discarded());
  CHECK(io::detail::parse_unique("{\"\xff\":1}", twice).is_discarded());
}

TEST_CASE("io: UTF-8 is told from other bytes") {
  for (const char* text :
       {"", "plain", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf"})
    CHECK(io::is_utf8(text));
  for (const char* text : {"\xff", "\x80", "\xc3", "\xc0\xaf", "\xe2\x82", "\xe0\x80\xaf", "\xed\xa0\x80",
                           "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf0\x80\x80\xaf", "a\xe9z"})
    CHECK_FALSE(io::is_utf8(text));
}

TEST_CASE("io: sizes that no address can hold are refused before memory is asked for") {
  CHECK(!io::detail::allocate<double>(-1));
  CHECK(!io::detail::allocate<double>(std::numeric_limits<std::int64_t>::max()));
  CHECK(io::max_elements <= PTRDIFF_MAX / static_cast<std::int64_t>(sizeof(double)));
}
