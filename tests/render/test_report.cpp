#include <doctest/doctest.h>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <limits>

#include "page_case.hpp"
#include "unmask/render/report.hpp"

using namespace unmask;
using namespace unmask::render;

namespace {

tensor<float, 3> random_cube(index_t h, index_t w, index_t c, unsigned state) {
  tensor<float, 3> cube({h, w, c});
  for (float& v : cube) v = static_cast<float>((state = state * 1664525u + 1013904223u) >> 8) / 16777216.0f;
  return cube;
}

/// Every src and href is embedded or a place on the page.
void check_self_contained(const std::string& page) {
  for (const char* attribute : {"src=\"", "href=\""})
    for (std::size_t at = page.find(attribute); at != std::string::npos; at = page.find(attribute, at + 1)) {
      const std::string to = page.substr(at + std::string(attribute).size(), 5);
      CHECK((to == "data:" || to[0] == '#'));
    }
  CHECK_FALSE(has(page, "http://"));
  CHECK_FALSE(has(page, "https://"));
  CHECK_FALSE(has(page, "@import"));
}

}  // namespace

TEST_CASE("text: base64, escapes, numbers") {
  CHECK(base64("") == "");
  CHECK(base64("f") == "Zg==");
  CHECK(base64("fo") == "Zm8=");
  CHECK(base64("foobar") == "Zm9vYmFy");  // RFC 4648, section 10
  CHECK(base64(std::string("\xff\xfe\xfd", 3)) == "//79");
  CHECK(escape_html("<a href=\"x\">&'") == "&lt;a href=&quot;x&quot;&gt;&amp;&#39;");
  CHECK(json_string("a\"\\\n</script>") == "\"a\\\"\\\\\\u000a\\u003c/script>\"");
  CHECK(json_array(std::vector<double>{1.5, std::nan(""), 3}) == "[1.5,null,3]");
  CHECK(fixed(2.345, 1) == "2.3");
  CHECK(number(-0.0) == "0");
}

TEST_CASE("report: every section, no reference to the outside") {
  const auto truth = random_cube(24, 20, 9, 1), a = random_cube(24, 20, 9, 2), b = random_cube(24, 20, 9, 3);
  const tensor<float, 2> mask({24, 20}, 1.0f), snapshot({24, 36}, 0.5f);
  report_input input;
  input.title = "A <b>title</b> & \"more\"";
  input.subtitle = "One snapshot";
  input.facts = {{"Step", "2"}};
  input.wavelengths = nm_of(9);
  input.truth = truth.view();
  input.methods = {{"GAP-TV", a.view(), std::vector<double>(9, 30.0)}, {"</script>net", b.view()}};
  input.mask = mask.view();
  input.snapshot = snapshot.view();
  input.scores = {"official 8-bit",
                  {{"All pixels", "PSNR [dB]"}, {"Hidden pixels", "SAM [deg]", 1, better::lower}},
                  {{"GAP-TV", {30.126, 9.0}}, {"net", {29.0, std::nan("")}}}};
  input.loss_curves = {{"loss", {1, 2, 3}, {1.0, 0.1, 0.01}}};
  input.images = {{"Stage MA weight map", "per pixel", mask.view()}};
  input.notes = {"Be <careful>"};
  auto made = make_report(input);
  REQUIRE(made);
  const std::string& page = *made;
  for (const char* id : {"summary", "input", "colour", "bands", "errors", "spectra", "training", "images", "notes"}) {
    CHECK(has(page, std::string("<section id=\"") + id + "\">"));
    CHECK(has(page, std::string("<a href=\"#") + id + "\">"));
  }
  check_self_contained(page);
  CHECK(has(page, "A &lt;b&gt;title&lt;/b&gt; &amp; &quot;more&quot;"));
  CHECK_FALSE(has(page, "<b>title"));
  CHECK_FALSE(has(page, "</script>net"));
  CHECK(has(page, "Be &lt;careful&gt;"));
  CHECK(has(page, "<td class=\"best\">30.13</td>"));
  CHECK(has(page, "official 8-bit"));
  CHECK(has(page, "id=\"report-data\""));
  CHECK(has(page, "\"values\":[30.126,9]"));
  CHECK(has(page, "Stage MA weight map"));
  CHECK(has(page, "538.9 nm"));
  CHECK(has(page, "type=\"range\" min=\"0\" max=\"8\""));
  CHECK(page.substr(0, 15) == "<!doctype html>");

  // Same input, same bytes.
  CHECK(*make_report(input) == page);

  for (std::size_t at = page.find("<img"); at != std::string::npos; at = page.find("<img", at + 1))
    CHECK(page.substr(at, 120).find("alt=\"") != std::string::npos);
}

TEST_CASE("report: one cube alone, sizes and values of all kinds") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (auto [h, w, c] : {std::array<index_t, 3>{1, 1, 1}, {8, 8, 1}, {8, 8, 2}, {5, 33, 3}, {33, 4, 4}, {8, 8, 28}})
    for (int kind = 0; kind < 4; ++kind)
      for (bool known : {false, true}) {
        tensor<float, 3> cube =
            kind == 0 ? random_cube(h, w, c, 5) : tensor<float, 3>({h, w, c}, kind == 1 ? 0.0f : 0.5f);
        if (kind == 2) cube(h / 2, w / 2, c / 2) = nan;
        if (kind == 3)
          for (float& v : cube) v = nan;
        report_input input;
        input.methods = {{"cube", cube.view()}};
        if (known) input.wavelengths = nm_of(c);
        input.rotate180 = kind == 2;
        auto page = make_report(input);
        REQUIRE(page);
        CHECK(has(*page, "id=\"colour\""));
        CHECK(has(*page, "id=\"bands\""));
        CHECK_FALSE(has(*page, "id=\"errors\""));
        CHECK(has(*page, "type=\"range\"") == (c > 1));
        CHECK(has(*page, "magenta"));
        check_self_contained(*page);
      }
}

TEST_CASE("report: nothing at all is a page with a title") {
  auto page = make_report({});
  REQUIRE(page);
  CHECK(has(*page, "<h1>unmask report</h1>"));
}

TEST_CASE("report: contradictions are named") {
  const auto cube = random_cube(8, 8, 4, 1), other = random_cube(8, 8, 5, 1);
  report_input input;
  input.truth = cube.view();
  input.methods = {{"GAP-TV", other.view()}};
  auto wrong = make_report(input);
  REQUIRE_FALSE(wrong);
  CHECK(wrong.error().code() == errc::wrong_shape);
  CHECK(wrong.error().message() == "report: cube 'GAP-TV' is 8 x 8 x 5, expected 8 x 8 x 4");

  input.methods = {{"GAP-TV", cube.view()}};
  input.wavelengths = {500, 600};
  CHECK(make_report(input).error().message() == "report: 2 wavelengths, expected 4, one per band");
  input.wavelengths.clear();
  input.points = {{8, 0}};
  CHECK(make_report(input).error().message() == "report: marked point (8, 0), expected one inside 8 x 8");
  input.points.clear();
  input.truth = {};
  input.methods = {{"empty", {}}};
  CHECK_FALSE(make_report(input));
  CHECK(has(write_report("no_such_folder/report.html", {}).error().message(), "no_such_folder"));
}

TEST_CASE("report: band pictures shrink until they fit, and the page says so") {
  const auto cube = random_cube(96, 64, 6, 1);  // noise: the worst case for PNG
  report_input input;
  input.methods = {{"a", cube.view()}, {"b", cube.view()}};
  input.wavelengths = nm_of(6);
  input.band_bytes = 30'000;
  auto page = make_report(input);
  REQUIRE(page);
  CHECK(has(*page, "to keep the file small"));
  // 30 kB of slider pictures, the same again in the table, two colour pictures of 96 * 64 * 4 bytes, 50 kB of page;
  // at full size it would be 280 kB.
  CHECK(page->size() < 30'000 * 2 + 2 * 96 * 64 * 4 + 50'000);
  input.band_bytes = 20'000'000;
  CHECK_FALSE(has(*make_report(input), "to keep the file small"));
}

TEST_CASE("report: 256 x 256 x 28 of pure noise in three cubes stays below 10 MB") {
  const auto cube = random_cube(256, 256, 28, 1);
  report_input input;
  input.methods = {{"a", cube.view()}, {"b", cube.view()}, {"c", cube.view()}};
  input.wavelengths = nm_of(28);
  auto page = make_report(input);
  REQUIRE(page);
  CHECK(page->size() < 10'000'000);
}

TEST_CASE("report: points are distinct materials, and their spectra leave NaN out") {
  tensor<float, 3> cube({32, 32, 3}, 0.0f);
  for (index_t h = 0; h < 32; ++h)
    for (index_t w = 0; w < 32; ++w) cube(h, w, h < 16 ? 0 : (w < 16 ? 1 : 2)) = 1.0f;
  const auto points = choose_points(cube.view());
  CHECK(points.size() >= 2);
  CHECK(points.size() <= 4);
  cube(5, 5, 0) = std::numeric_limits<float>::quiet_NaN();
  CHECK(spectrum_at(cube.view(), {5, 5})[0] == 1.0);
  CHECK(spectrum_at(cube.view(), {0, 0})[0] == 1.0);
}

TEST_CASE("report: the file on disk is the page") {
  const auto cube = random_cube(8, 8, 4, 1);
  report_input input;
  input.methods = {{"a", cube.view()}};
  const std::string path = "render_test_report.html";
  REQUIRE(write_report(path, input));
  std::ifstream file(path, std::ios::binary);
  CHECK(std::string(std::istreambuf_iterator<char>(file), {}) == *make_report(input));
  std::remove(path.c_str());
}
