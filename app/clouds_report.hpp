#pragma once

/// The page of a declouded date: before and after under a slider, visibility, where pixels come from, deviation,
/// spectra at points, a strip of all dates. One file, no network.

#include <unmask/clouds/declouder.hpp>
#include <unmask/render/chart.hpp>
#include <unmask/render/colour_map.hpp>
#include <unmask/render/html.hpp>

#include "clouds_stack.hpp"

namespace program {

/// A date without clouds, and how it came about; the arrays are for the page only.
struct declouded {
  tensor<float, 3> image, deviation;
  tensor<std::uint8_t, 2> origin;
  unmask::clouds::outcome found;
  index_t references = 0, pixels = 0;
  std::size_t bytes = 0;
};

namespace pictures {

namespace render = unmask::render;

/// Bands shown as red, green, blue: the nearest to 665, 560 and 490 nm where wavelengths are known; bands 2, 1, 0 of up
/// to five, else 3, 2, 1 as Sentinel-2 and Landsat count.
inline std::array<index_t, 3> colour_bands(const dated_stack& s) {
  const index_t C = s.images[0].digits.bands;
  if (C < 3) return {0, 0, 0};
  if (s.wavelengths.empty()) return C <= 5 ? std::array<index_t, 3>{2, 1, 0} : std::array<index_t, 3>{3, 2, 1};
  std::array<index_t, 3> bands{};
  const double wanted[] = {665, 560, 490};
  for (std::size_t i = 0; i < 3; ++i)
    for (index_t c = 0; c < C; ++c)
      if (std::abs(s.wavelengths[static_cast<std::size_t>(c)] - wanted[i]) <
          std::abs(s.wavelengths[static_cast<std::size_t>(bands[i])] - wanted[i]))
        bands[i] = c;
  return bands;
}

/// White of all pictures: the brightest open ground of the result.
inline double white_of(const tensor<float, 3>& image, const std::array<index_t, 3>& bands) {
  double white = 1e-6;
  for (const index_t c : bands) {
    std::vector<float> v;
    for (index_t i = 0; i < image.extent(0) * image.extent(1); ++i) v.push_back(image.data()[i * image.extent(2) + c]);
    white = std::max(white, render::percentile(std::move(v), 99));
  }
  return 1.2 * white;
}

inline render::image8 colours(const tensor<float, 3>& image, const std::array<index_t, 3>& bands, double white) {
  render::image8 p(image.extent(0), image.extent(1), 3);
  for (index_t i = 0; i < p.height * p.width; ++i) {
    std::array<std::uint8_t, 3> v{};
    bool data = true;
    for (std::size_t k = 0; k < 3; ++k) {
      const double x = static_cast<double>(image.data()[i * image.extent(2) + bands[k]]);
      data = data && std::isfinite(x);
      v[k] = data ? render::to_byte(render::srgb_encode(x / white)) : std::uint8_t{0};
    }
    p.set(i / p.width, i % p.width, data ? render::rgb8{v[0], v[1], v[2]} : render::rgb8{60, 60, 60});
  }
  return p;
}

/// Root mean square over the bands of the deviation.
inline tensor<float, 2> deviation_plane(const declouded& d) {
  const index_t C = d.deviation.extent(2);
  tensor<float, 2> plane(d.origin.extents());
  for (index_t i = 0; i < plane.size(); ++i) {
    double sum = 0;
    for (index_t c = 0; c < C; ++c) sum += std::pow(static_cast<double>(d.deviation.data()[i * C + c]), 2);
    plane.data()[i] = static_cast<float>(std::sqrt(sum / static_cast<double>(C)));
  }
  return plane;
}

inline render::image8 origins(const declouded& d) {
  render::image8 p(d.origin.extent(0), d.origin.extent(1), 3);
  constexpr render::rgb8 colour[] = {{60, 60, 60}, {226, 226, 220}, {42, 120, 190}, {214, 120, 30}};
  for (index_t i = 0; i < d.origin.size(); ++i) p.set(i / p.width, i % p.width, colour[d.origin.data()[i]]);
  return p;
}

inline result<std::string> embedded(const render::image8& p) {
  const auto png = render::encode_png(p);
  if (!png) return png.error();
  return "data:image/png;base64," + render::base64(*png);
}

/// Spectra of given and estimated values at a hidden pixel, as lines.
inline std::string spectrum_svg(const dated_stack& s, index_t target, const declouded& d, index_t pixel) {
  const dated_image& y = s.images[static_cast<std::size_t>(target)];
  const index_t C = y.digits.bands;
  double top = 1e-6;
  for (index_t c = 0; c < C; ++c)
    for (const float v : {y.values.data()[pixel * C + c], d.image.data()[pixel * C + c]})
      if (std::isfinite(v)) top = std::max(top, static_cast<double>(v));
  const auto line = [&](const tensor<float, 3>& image, const char* colour) {
    std::string points;
    for (index_t c = 0; c < C; ++c) {
      const float v = image.data()[pixel * C + c];
      if (!std::isfinite(v)) continue;
      const double x = 10 + 200 * (static_cast<double>(c) + .5) / static_cast<double>(C);
      points +=
          render::fixed(x, 1) + "," + render::fixed(90 - 80 * std::max(0., static_cast<double>(v)) / top, 1) + " ";
    }
    return "<polyline fill=\"none\" stroke-width=\"2\" stroke=\"" + std::string(colour) + "\" points=\"" + points +
           "\"/>";
  };
  return "<figure><svg viewBox=\"0 0 220 100\" width=\"220\"><path d=\"M10 10V90H210\" fill=\"none\" "
         "stroke=\"#888\"/>" +
         line(y.values, "#c0563a") + line(d.image, "#2a78be") + "</svg><figcaption>row " +
         std::to_string(pixel / y.digits.width) + ", column " + std::to_string(pixel % y.digits.width) + "; top " +
         render::number(top, 3) + "</figcaption></figure>";
}

}  // namespace pictures

/// Writes the page. Errors: `not_writable`.
inline result<> write_clouds_report(const std::string& path, const dated_stack& s, index_t target, const declouded& d) {
  namespace render = unmask::render;
  using namespace pictures;
  const dated_image& y = s.images[static_cast<std::size_t>(target)];
  const auto bands = colour_bands(s);
  const double white = white_of(d.image, bands);
  const auto deviation = deviation_plane(d);
  const double most = render::percentile({deviation.begin(), deviation.end()}, 99.5);
  const auto before = embedded(colours(y.values, bands, white)), after = embedded(colours(d.image, bands, white));
  const auto seen = embedded(render::grey_picture(y.visibility.view(), 0, 1, render::curve::numbers));
  const auto spread = embedded(render::heat_picture(deviation.view(), 0, most)), origin = embedded(origins(d));
  for (const auto* p : {&before, &after, &seen, &spread, &origin})
    if (!*p) return p->error();
  const std::string title = render::escape_html(std::filesystem::path(y.file).filename().string() + ", " + y.date);
  std::string page =
      "<!doctype html><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>" + title +
      "</title><style>body{font:16px/1.5 system-ui,sans-serif;max-width:1000px;margin:2em auto;padding:0 1em;"
      "color-scheme:light dark}img{width:100%;image-rendering:pixelated;display:block}figure{margin:0}"
      ".two{position:relative;max-width:640px}.two img+img{position:absolute;inset:0;clip-path:inset(0 0 0 "
      "var(--at,50%))}"
      "input{width:100%;max-width:640px}.row{display:grid;grid-template-columns:repeat(auto-fit,minmax(200px,1fr));gap:"
      "1em}"
      "figcaption{font-size:.85em;opacity:.8}</style><h1>" +
      title + "</h1><div class=\"two\" id=\"two\"><img alt=\"before\" src=\"" + *before +
      "\"><img alt=\"after\" src=\"" + *after +
      "\"></div><input type=\"range\" min=\"0\" max=\"100\" value=\"50\" aria-label=\"before and after\" "
      "oninput=\"two.style.setProperty('--at',this.value+'%')\"><p>Left of the slider as given, right of it "
      "reconstructed.</p>";
  const auto figure = [&](const std::string& source, const std::string& caption) {
    page += "<figure><img alt=\"\" src=\"" + source + "\"><figcaption>" + caption + "</figcaption></figure>";
  };
  page += "<h2>Maps</h2><div class=\"row\">";
  figure(*seen, "visibility, white = trust");
  figure(*origin, "grey observed, blue reconstructed, orange seen by no other date, dark no data");
  figure(*spread, "standard deviation, bright = " + render::number(most, 3));
  page += "</div><h2>Spectra at hidden pixels</h2><p>Red as given, blue reconstructed.</p><div class=\"row\">";
  std::vector<index_t> hidden;
  for (index_t i = 0; i < d.origin.size(); ++i)
    if (d.origin.data()[i] > 1) hidden.push_back(i);
  for (std::size_t i = 0; i < 3 && hidden.size() > 3; ++i)
    page += spectrum_svg(s, target, d, hidden[hidden.size() * (2 * i + 1) / 6]);
  page += "</div><h2>All dates</h2><div class=\"row\">";
  for (const dated_image& image : s.images) {
    const auto picture = embedded(colours(image.values, bands, white));
    if (!picture) return picture.error();
    figure(*picture, render::escape_html(image.date) + (&image == &y ? " (this one)" : ""));
  }
  page += "</div><footer>Made by unmask.</footer>";
  return unmask::io::write_file(path, page);
}

}  // namespace program
