#include <doctest/doctest.h>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <limits>

#include "unmask/render/chart.hpp"
#include "unmask/render/colour_map.hpp"
#include "unmask/render/png.hpp"

using namespace unmask;
using namespace unmask::render;

namespace {

constexpr float nan_f = std::numeric_limits<float>::quiet_NaN();

image8 decoded(const std::string& file) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  REQUIRE(png_image_begin_read_from_memory(&image, file.data(), file.size()));
  const bool grey = (image.format & PNG_FORMAT_FLAG_COLOR) == 0;
  image.format = grey ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  image8 picture(image.height, image.width, grey ? 1 : 3);
  REQUIRE(png_image_finish_read(&image, nullptr, picture.pixels.data(), 0, nullptr));
  return picture;
}

image8 noise(index_t height, index_t width, int channels) {
  image8 picture(height, width, channels);
  unsigned state = 7;
  for (auto& v : picture.pixels) v = static_cast<std::uint8_t>((state = state * 1664525u + 1013904223u) >> 24);
  return picture;
}

std::vector<double> visible() {
  std::vector<double> nm;
  for (int i = 0; i < 31; ++i) nm.push_back(400 + 10 * i);
  return nm;
}

rgb8 pixel_of(const std::vector<float>& spectrum, const std::vector<double>& nm, double exposure = 1) {
  const index_t bands = static_cast<index_t>(spectrum.size());
  const array_view<const float, 3> cube(spectrum.data(), 1, 1, bands);
  const image8 picture = colour_picture(cube, make_colour_weights(nm, bands), exposure);
  return {picture.pixels[0], picture.pixels[1], picture.pixels[2]};
}

}  // namespace

TEST_CASE("png: pixels come back, grey and RGB, incompressible and tiny") {
  for (int channels : {1, 3})
    for (auto [h, w] : {std::pair<index_t, index_t>{1, 1}, {3, 1}, {1, 5}, {17, 31}, {128, 200}}) {
      const image8 picture = noise(h, w, channels);
      result<std::string> file = encode_png(picture);
      REQUIRE(file);
      const image8 back = decoded(*file);
      CHECK(back.height == h);
      CHECK(back.width == w);
      CHECK(back.channels == channels);
      CHECK(back.pixels == picture.pixels);
    }
}

TEST_CASE("png: what is no picture is refused in one line") {
  for (const image8& bad : {image8(), image8(0, 4, 1), image8(4, 0, 3), image8(2, 2, 2)}) {
    const auto file = encode_png(bad);
    REQUIRE_FALSE(file);
    CHECK(file.error().code() == errc::bad_argument);
    CHECK(file.error().message().find('\n') == std::string::npos);
  }
  image8 contradicts(4, 4, 1);
  contradicts.pixels.pop_back();
  CHECK_FALSE(encode_png(contradicts));
}

TEST_CASE("png: the file on disk is the encoded one, and a missing folder is an error") {
  const image8 picture = noise(9, 12, 3);
  const std::string path = "render_test.png";
  REQUIRE(write_png(path, picture));
  std::ifstream file(path, std::ios::binary);
  CHECK(decoded(std::string(std::istreambuf_iterator<char>(file), {})).pixels == picture.pixels);
  std::remove(path.c_str());
  const auto lost = write_png("no_such_folder/x.png", picture);
  REQUIRE_FALSE(lost);
  CHECK(lost.error().code() == errc::not_writable);
}

TEST_CASE("colour: the fit has the known peaks of the CIE 1931 observer") {
  // Table values at 555, 600 and 445 nm; the fit's authors state errors of about 1 % of the peak.
  CHECK(std::abs(cie_xyz(555)[1] - 1.0000) <= 0.02);
  CHECK(std::abs(cie_xyz(600)[0] - 1.0622) <= 0.02);
  CHECK(std::abs(cie_xyz(445)[2] - 1.7826) <= 0.04);
  CHECK(cie_xyz(800)[1] <= 1e-3);
}

TEST_CASE("colour: a flat spectrum is neutral, also where the range is cut") {
  std::vector<double> cut;
  for (int i = 0; i < 28; ++i) cut.push_back(453.3 + 7.2 * i);
  for (const auto& nm : {visible(), cut})
    for (float level : {0.05f, 0.5f, 1.0f}) {
      const rgb8 c = pixel_of(std::vector<float>(nm.size(), level), nm);
      CHECK(std::abs(c.r - c.g) <= 1);  // one code value: rounding
      CHECK(std::abs(c.g - c.b) <= 1);
      CHECK(std::abs(c.g - std::lround(255 * srgb_encode(static_cast<double>(level)))) <= 1);
    }
}

TEST_CASE("colour: lines have the colour they should") {
  const auto line = [](std::size_t band) {
    std::vector<float> s(31, 0.0f);
    s[band] = 5.0f;
    return pixel_of(s, visible());
  };
  const rgb8 red = line(23), green = line(13), blue = line(5);
  CHECK((red.r > 2 * red.g && red.r > 2 * red.b));
  CHECK((green.g > green.r && green.g > green.b));
  CHECK((blue.b > blue.r && blue.b > blue.g));
  const auto r = wavelength_colour(630), g = wavelength_colour(530), b = wavelength_colour(450);
  REQUIRE((r && g && b));
  CHECK((r->r == 255 && r->g < 100 && r->b < 100));
  CHECK((g->g == 255 && g->r < 150 && g->b < 150));
  CHECK((b->b == 255 && b->r < 150 && b->g < 150));
  for (const double nm : {700.0, 720.0, 780.0}) CHECK(wavelength_colour(nm) == wavelength_colour(680));
  CHECK((wavelength_colour(750)->r == 255 && wavelength_colour(750)->g < 100));
  CHECK_FALSE(wavelength_colour(1600));
  CHECK_FALSE(wavelength_colour(std::nan("")));
}

TEST_CASE("colour: exposure is a factor of the reference; black and NaN cubes have one") {
  std::vector<float> values(31 * 4, 0.2f);
  const array_view<const float, 3> cube(values.data(), 2, 2, 31);
  const colour_weights weights = make_colour_weights(visible(), 31);
  CHECK(std::abs(exposure_of(cube, weights) - 5) <= 1e-4);  // float luminance
  values.assign(values.size(), 0.0f);
  CHECK(exposure_of(cube, weights) == 1);
  values.assign(values.size(), nan_f);
  CHECK(exposure_of(cube, weights) == 1);
}

TEST_CASE("colour: NaN in any band is drawn in the colour that is said") {
  std::vector<float> s(31, 0.3f);
  s[7] = nan_f;
  CHECK(pixel_of(s, visible()) == nan_colour);
  s[7] = std::numeric_limits<float>::infinity();
  CHECK(pixel_of(s, visible()) == nan_colour);
}

TEST_CASE("colour: without visible wavelengths thirds of the bands make a false colour; any number of bands") {
  for (index_t bands : {1, 2, 3, 4, 13}) {
    const colour_weights weights = make_colour_weights({}, bands);
    CHECK_FALSE(weights.true_colour);
    triple sum{};
    for (const triple& t : weights.band)
      for (std::size_t i = 0; i < 3; ++i) sum[i] += t[i];
    if (bands == 1) continue;
    for (double v : sum) CHECK(std::abs(v - 1) <= 1e-12);
  }
  CHECK_FALSE(make_colour_weights({1600, 1700, 2200}, 3).true_colour);
  CHECK_FALSE(make_colour_weights({450, 452, 454}, 3).true_colour);
  CHECK(make_colour_weights({460, 550, 620}, 3).true_colour);
}

TEST_CASE("grey picture: equal, reversed and NaN values") {
  tensor<float, 2> plane({2, 3}, 0.4f);
  const double level = static_cast<double>(0.4f);
  CHECK(grey_picture(plane.view(), level, level, curve::numbers).pixels == std::vector<std::uint8_t>(6, 0));
  CHECK(grey_picture(plane.view(), 0, level, curve::light).pixels == std::vector<std::uint8_t>(6, 255));
  plane(1, 2) = nan_f;
  const image8 picture = grey_picture(plane.view(), 0, 1, curve::numbers);
  REQUIRE(picture.channels == 3);
  CHECK((picture.at(1, 2)[0] == 255 && picture.at(1, 2)[1] == 0 && picture.at(1, 2)[2] == 255));
  CHECK((picture.at(0, 0)[0] == 102 && picture.at(0, 0)[1] == 102));
}

TEST_CASE("shrink: means, ragged borders, NaN stays") {
  tensor<float, 2> plane({3, 5});
  for (index_t i = 0; i < 15; ++i) plane.data()[i] = static_cast<float>(i);
  const tensor<float, 2> small = shrink(plane, 2);
  CHECK((small.extent(0) == 2 && small.extent(1) == 3));
  CHECK(small(0, 0) == 3.0f);   // (0 + 1 + 5 + 6) / 4
  CHECK(small(1, 2) == 14.0f);  // the corner alone
  plane(0, 1) = nan_f;
  CHECK(std::isnan(shrink(plane, 2)(0, 0)));
}

TEST_CASE("heat: lightness rises, ends are dark and bright, NaN is magenta") {
  double last = -1;
  for (int i = 0; i <= 100; ++i) {
    const rgb8 c = heat(i / 100.0);
    const double y = 0.2126 * c.r + 0.7152 * c.g + 0.0722 * c.b;
    CHECK(y >= last - 0.5);
    last = std::max(last, y);
  }
  CHECK(heat(-3) == heat(0));
  CHECK(heat(7) == heat(1));
  CHECK(heat(std::nan("")) == nan_colour);
  tensor<float, 2> flat({2, 2}, 3.0f);
  CHECK(heat_picture(flat.view(), 3, 3).pixels.size() == 12);
}

TEST_CASE("error plane: root mean square over the bands") {
  tensor<float, 3> a({1, 2, 2}, 0.0f), b({1, 2, 2}, 0.0f);
  b(0, 1, 0) = 3, b(0, 1, 1) = 4;
  CHECK(error_plane(a.view(), b.view())(0, 0) == 0.0f);
  CHECK(std::abs(error_plane(a.view(), b.view())(0, 1) - 3.5355339f) <= 1e-6f);
}

TEST_CASE("chart: no number that is none, whatever the data") {
  const double nan = std::nan("");
  const std::vector<std::vector<double>> ys{{},         {1},         {2, 2, 2},     {0, 0},
                                            {nan, nan}, {1, nan, 3}, {-1, 0, 1e-9}, {1e30, 1}};
  for (bool log : {false, true})
    for (const auto& y : ys) {
      series s{"a<b", {}, y, 1};
      for (std::size_t i = 0; i < y.size(); ++i) s.x.push_back(static_cast<double>(i));
      const std::string svg = line_chart({s}, {"T&T", "x", "y", log, true, 560, 300});
      CHECK(svg.find("nan") == std::string::npos);
      CHECK(svg.find("inf") == std::string::npos);
      CHECK(svg.find("\u2013") == std::string::npos);
      CHECK(svg.find("a&lt;b") != std::string::npos);
      CHECK(svg.find("T&amp;T") != std::string::npos);
    }
}

TEST_CASE("chart: long curves stay small and keep their spikes in the axis") {
  series s{"loss", {}, {}, 1};
  for (int i = 0; i < 100000; ++i) s.x.push_back(i), s.y.push_back(i == 777 ? 80 : 1);
  const std::string svg = line_chart({s}, {"Loss", "Step", "Loss", true, false, 560, 300});
  CHECK(svg.size() < 60000);
  CHECK(svg.find(">50<") != std::string::npos);
}

TEST_CASE("axis: ticks lie inside and are round") {
  const axis a = linear_axis(0.13, 0.87, 5, true);
  CHECK(a.lo <= 0.13);
  CHECK(a.hi >= 0.87);
  CHECK(a.ticks.size() >= 4);
  for (double lo : {1e-9, 3e-5, 0.2, 7.0})
    for (double span : {1.0, 1.01, 3.0, 1e3, 1e12}) {
      const axis l = log_axis(lo, lo * span);
      CHECK(l.ticks.size() >= 1);
      CHECK(l.ticks.size() <= 14);
      for (double t : l.ticks) CHECK((t >= l.lo * (1 - 1e-9) && t <= l.hi * (1 + 1e-9)));
    }
}
