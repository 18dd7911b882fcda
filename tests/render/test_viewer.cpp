/// The page to look at cubes: what stands in it is unpacked as a browser would and compared with the cube.

#include <doctest/doctest.h>
#include <zlib.h>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <limits>

#include "page_case.hpp"
#include "unmask/render/viewer.hpp"

using namespace unmask;
using namespace unmask::render;

namespace {

constexpr float missing = std::numeric_limits<float>::quiet_NaN();

/// Values in -0.2..1.1, another in each pixel and band.
tensor<float, 3> signed_cube(index_t h, index_t w, index_t c, unsigned state) {
  tensor<float, 3> cube({h, w, c});
  for (float& v : cube)
    v = 1.3f * static_cast<float>((state = state * 1664525u + 1013904223u) >> 8) / 16777216.0f - .2f;
  return cube;
}

/// The text of the element with this id; every page has it once.
std::string block(const std::string& page, const std::string& id) {
  const std::size_t at = page.find("id=\"" + id + "\">");
  REQUIRE(at != std::string::npos);
  CHECK(page.find("id=\"" + id + "\"", at + 1) == std::string::npos);
  const std::size_t from = page.find('>', at) + 1;
  return page.substr(from, page.find("</script>", from) - from);
}

/// The number behind the k-th `"name":` of a JSON text.
double number_of(const std::string& json, const std::string& name, int k = 0) {
  std::size_t at = 0;
  for (; k >= 0; --k) {
    at = json.find("\"" + name + "\":", at);
    REQUIRE(at != std::string::npos);
    at += name.size() + 3;
  }
  return std::stod(json.substr(at));
}

std::string from_base64(const std::string& text) {
  REQUIRE(text.size() % 4 == 0);
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); i += 4) {
    std::uint32_t word = 0;
    int padding = 0;
    for (std::size_t j = 0; j < 4; ++j) {
      const char c = text[i + j];
      padding += c == '=';
      const std::uint32_t digit = c == '='   ? 0u
                                  : c == '+' ? 62u
                                  : c == '/' ? 63u
                                  : c >= 'a' ? static_cast<std::uint32_t>(c - 'a') + 26
                                  : c >= 'A' ? static_cast<std::uint32_t>(c - 'A')
                                             : static_cast<std::uint32_t>(c - '0') + 52;
      REQUIRE(digit < 64);
      word = word << 6 | digit;
    }
    for (int j = 0; j < 3 - padding; ++j)
      bytes += static_cast<char>(static_cast<unsigned char>(word >> (16 - 8 * j) & 255));
  }
  return bytes;
}

/// The cube that a browser gets out of the page.
tensor<float, 3> shown_cube(const std::string& page, int k) {
  const std::string json = block(page, "view-data"), values = block(page, "values-" + std::to_string(k));
  const auto size = [&](const char* name) { return static_cast<index_t>(number_of(json, name)); };
  tensor<float, 3> cube({size("height"), size("width"), size("bands")});
  const double lo = number_of(json, "lo", k), hi = number_of(json, "hi", k);
  const index_t n = cube.extent(0) * cube.extent(1), width = cube.extent(1);
  std::size_t at = 1;
  for (index_t c = 0; c < cube.extent(2); ++c) {
    const std::size_t end = values.find('\n', at);
    REQUIRE(end != std::string::npos);
    const std::string packed = from_base64(values.substr(at, end - at));
    at = end + 1;
    std::string bytes(static_cast<std::size_t>(2 * n), '\0');
    uLongf length = bytes.size();
    REQUIRE(uncompress(reinterpret_cast<Bytef*>(bytes.data()), &length, reinterpret_cast<const Bytef*>(packed.data()),
                       packed.size()) == Z_OK);
    REQUIRE(length == bytes.size());
    const auto byte = [&](index_t i) {
      return static_cast<unsigned>(static_cast<unsigned char>(bytes[static_cast<std::size_t>(i)]));
    };
    unsigned code = 0;
    for (index_t i = 0; i < n; ++i) {
      code = ((i % width ? code : 0) + (byte(i) << 8 | byte(n + i))) & 65535;
      cube.data()[i * cube.extent(2) + c] = code == 65535 ? missing : static_cast<float>(lo + code * (hi - lo) / 65534);
    }
  }
  CHECK(at == values.size());
  return cube;
}

/// Largest difference; infinite where one is a number and the other is not.
double most_apart(in<float, 3> a, in<float, 3> b) {
  REQUIRE(a.extents() == b.extents());
  double most = 0;
  for (index_t i = 0; i < a.size(); ++i) {
    const double x = static_cast<double>(a.data()[i]), y = static_cast<double>(b.data()[i]);
    if (std::isfinite(x) != std::isfinite(y)) return INFINITY;
    if (std::isfinite(x)) most = std::max(most, std::abs(x - y));
  }
  return most;
}

}  // namespace

TEST_CASE("view: the page holds the cube's values") {
  for (auto [h, w, c] : {std::array<index_t, 3>{1, 1, 1}, {8, 8, 2}, {5, 33, 3}, {33, 4, 28}, {64, 48, 5}}) {
    auto cube = signed_cube(h, w, c, 5), other = signed_cube(h, w, c, 6);
    if (c > 1) cube(h / 2, w / 2, 1) = missing, cube(0, 0, 0) = std::numeric_limits<float>::infinity();
    viewer_input input;
    input.cubes = {{"a", cube.view()}, {"b", other.view()}};
    if (c != 5) input.wavelengths = nm_of(c);
    const auto made = make_viewer(input);
    REQUIRE(made);
    CHECK(made->mean_over == 1);
    // Half a code of 1.3 / 65534, and the rounding of float.
    CHECK(most_apart(shown_cube(made->html, 0).view(), cube.view()) <= 1.3 / 65534 / 2 + 1e-7);
    CHECK(most_apart(shown_cube(made->html, 1).view(), other.view()) <= 1.3 / 65534 / 2 + 1e-7);
    const std::string json = block(made->html, "view-data");
    CHECK(has(json, "\"nm\":" + json_array(input.wavelengths)));
    CHECK(
        has(json, "\"exposure\":" + json_number(exposure_of(cube.view(), make_colour_weights(input.wavelengths, c)))));
    for (const triple& weight : make_colour_weights(input.wavelengths, c).band) CHECK(has(json, json_array(weight)));
    CHECK(make_viewer(input)->html == made->html);
  }
}

TEST_CASE("view: equal values, and no number at all") {
  const tensor<float, 3> even({3, 4, 2}, .25f), none({3, 4, 2}, missing);
  viewer_input input;
  input.cubes = {{"even", even.view()}, {"none", none.view()}};
  const auto made = make_viewer(input);
  REQUIRE(made);
  CHECK(most_apart(shown_cube(made->html, 0).view(), even.view()) == 0);
  CHECK(most_apart(shown_cube(made->html, 1).view(), none.view()) == 0);
}

TEST_CASE("view: the stated error is the largest there is") {
  const auto cube = signed_cube(64, 64, 8, 9);
  const auto packed = pack_cube(cube.view());
  REQUIRE(packed);
  viewer_input input;
  input.cubes = {{"a", cube.view()}};
  const double found = most_apart(shown_cube(make_viewer(input)->html, 0).view(), cube.view());
  CHECK(found <= packed->error() + 1e-7);
  CHECK(found >= .98 * packed->error() - 1e-7);
  CHECK(has(make_viewer(input)->html, "here to \u00b1" + number(packed->error(), 2)));
}

TEST_CASE("view: a cube too large for the page is shown as means, and the page says so") {
  auto cube = signed_cube(31, 50, 4, 2);
  cube(9, 9, 1) = missing;
  viewer_input input;
  input.cubes = {{"a", cube.view()}};
  input.most_bytes = 2 * 11 * 17 * 4;  // means over 3 x 3, the rest at right and bottom
  const auto made = make_viewer(input);
  REQUIRE(made);
  CHECK(made->mean_over == 3);
  const auto shown = shown_cube(made->html, 0);
  REQUIRE(shown.extents() == std::array<index_t, 3>{11, 17, 4});
  tensor<float, 3> expected({11, 17, 4});
  for (index_t h = 0; h < 11; ++h)
    for (index_t w = 0; w < 17; ++w)
      for (index_t c = 0; c < 4; ++c) {
        double sum = 0, count = 0;
        for (index_t y = 3 * h; y < std::min<index_t>(31, 3 * h + 3); ++y)
          for (index_t x = 3 * w; x < std::min<index_t>(50, 3 * w + 3); ++x)
            sum += static_cast<double>(cube(y, x, c)), count += 1;
        expected(h, w, c) = static_cast<float>(sum / count);
      }
  CHECK(std::isnan(expected(3, 3, 1)));
  CHECK(most_apart(shown.view(), expected.view()) <= 1.3 / 65534 / 2 + 1e-7);
  CHECK(has(made->html, "means over 3 \u00d7 3 pixels, 11 \u00d7 17 in this page"));
  CHECK(has(block(made->html, "view-data"), "\"block\":3,\"file\":[31,50]"));

  input.cubes.push_back({"b", cube.view()});  // two cubes have half the room each
  CHECK(make_viewer(input)->mean_over > 3);
  input.most_bytes = 1;  // never less than a pixel
  CHECK(make_viewer(input)->mean_over == 50);
  input.most_bytes = 2 * 2 * 31 * 50 * 4;
  CHECK(make_viewer(input)->mean_over == 1);
  CHECK_FALSE(has(make_viewer(input)->html, "Reduced"));
}

TEST_CASE("view: no reference to the outside, names are text") {
  const auto cube = signed_cube(8, 8, 4, 1);
  viewer_input input;
  input.title = "A <b>title</b> & \"more\"";
  input.cubes = {{"</script><i>a", cube.view()}, {"'b\"", cube.view()}};
  const auto made = make_viewer(input);
  REQUIRE(made);
  const std::string& page = made->html;
  for (const char* attribute : {"src=\"", "href=\""})
    for (std::size_t at = page.find(attribute); at != std::string::npos; at = page.find(attribute, at + 1))
      CHECK(page.substr(at + std::string(attribute).size(), 5) == "data:");
  for (const char* outside : {"http://", "https://", "@import", "url(", "fetch(", "</script><i>", "<b>title"})
    CHECK_FALSE(has(page, outside));
  CHECK(has(page, "A &lt;b&gt;title&lt;/b&gt; &amp; &quot;more&quot;"));
  CHECK(page.substr(0, 15) == "<!doctype html>");
  CHECK(has(page, "<option value=\"rms\">"));
  CHECK_FALSE(has(page, "turned by 180"));
  input.cubes.pop_back();
  input.rotate180 = true;
  CHECK_FALSE(has(make_viewer(input)->html, "<option value=\"rms\">"));
  CHECK(has(make_viewer(input)->html, "turned by 180"));
  CHECK(has(block(make_viewer(input)->html, "view-data"), "\"turned\":true"));
}

TEST_CASE("view: contradictions are named") {
  const auto cube = signed_cube(8, 8, 4, 1), other = signed_cube(8, 8, 5, 1);
  viewer_input input;
  CHECK(make_viewer(input).error().message() == "view: 0 cubes, expected one or two");
  input.cubes = {{"a", cube.view()}, {"b", other.view()}};
  CHECK(make_viewer(input).error().code() == errc::wrong_shape);
  CHECK(make_viewer(input).error().message() == "view: cube 'b' is 8 x 8 x 5, expected 8 x 8 x 4");
  input.cubes = {{"a", cube.view()}};
  input.wavelengths = {500, 600};
  CHECK(make_viewer(input).error().message() == "view: 2 wavelengths, expected 4, one per band");
  input.wavelengths.clear();
  input.cubes = {{"a", cube.view()}, {"b", cube.view()}, {"c", cube.view()}};
  CHECK(make_viewer(input).error().code() == errc::bad_argument);
  input.cubes = {{"empty", {}}};
  CHECK_FALSE(make_viewer(input));
  input.cubes = {{"a", cube.view()}};
  CHECK(write_viewer("no_such_folder/view.html", input).error().code() == errc::not_writable);
}

TEST_CASE("view: the file on disk is the page") {
  const auto cube = signed_cube(8, 8, 4, 1);
  viewer_input input;
  input.cubes = {{"a", cube.view()}};
  const std::string path = "render_test_view.html";
  const auto written = write_viewer(path, input);
  REQUIRE(written);
  CHECK(*written == 1);
  std::ifstream file(path, std::ios::binary);
  CHECK(std::string(std::istreambuf_iterator<char>(file), {}) == make_viewer(input)->html);
  std::remove(path.c_str());
}
