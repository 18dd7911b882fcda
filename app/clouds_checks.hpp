#pragma once

/// What is wrong with most people's stacks, said in one line each before it is worked with.

#include "clouds_open.hpp"
#include "clouds_range.hpp"

namespace program {

namespace detail {

inline double median(std::vector<float>& v) {
  if (v.empty()) return 0;
  const auto middle = v.begin() + static_cast<index_t>(v.size() / 2);
  std::nth_element(v.begin(), middle, v.end());
  return static_cast<double>(*middle);
}

/// Medians over the chosen pixels: brightness of `image`, and its absolute difference from `other`.
template <class Chosen>
std::array<double, 2> medians(const dated_image& image, const dated_image& other, const Chosen& chosen) {
  std::vector<float> bright, difference;
  const index_t C = image.digits.bands;
  for (index_t i = 0; i < image.hidden.size(); ++i) {
    if (!chosen(i)) continue;
    float sum = 0, off = 0;
    for (index_t c = 0; c < C; ++c) {
      const float v = image.values.data()[i * C + c];
      sum += v, off += std::abs(v - other.values.data()[i * C + c]);
    }
    if (std::isfinite(sum) && std::isfinite(off)) bright.push_back(sum), difference.push_back(off);
  }
  return {median(bright), median(difference)};
}

}  // namespace detail

/// Lines for the target y against the date nearest to it; empty where nothing is suspicious.
inline std::vector<std::string> suspicious(const dated_image& y, const dated_image* nearest) {
  std::vector<std::string> lines;
  if (y.zeros > 0)
    lines.push_back(y.file + ": " + std::to_string(y.zeros) +
                    " pixels are 0 in all bands and count as no data; say \"nodata\" to decide otherwise");
  if (!nearest) return lines;
  const auto seen = [&](index_t i) { return nearest->hidden.data()[i] == 0; };
  const auto open = detail::medians(y, *nearest, [&](index_t i) { return seen(i) && y.hidden.data()[i] == 0; });
  const auto hidden = detail::medians(y, *nearest, [&](index_t i) { return seen(i) && y.hidden.data()[i] != 0; });
  index_t hides = 0;
  for (index_t i = 0; i < y.hidden.size(); ++i) hides += y.hidden.data()[i] != 0;
  if (hides > 0 && hides < y.hidden.size() && open[1] > 2 * hidden[1] && open[0] > 1.25 * hidden[0])
    lines.push_back(y.file + ": the mask looks inverted: pixels it trusts are brighter and further from " +
                    nearest->file + " than pixels it hides; say \"hides\": 0 or 1, or probability for visibility");
  // an offset that one file has and the other has not moves every band by the same digits
  const index_t C = y.digits.bands;
  bool moved = C > 1;
  for (index_t c = 0; c < C && moved; ++c) {
    std::vector<float> d;
    for (index_t i = 0; i < y.hidden.size(); ++i)
      if (seen(i) && y.hidden.data()[i] == 0)
        if (const float v = y.values.data()[i * C + c] - nearest->values.data()[i * C + c]; std::isfinite(v))
          d.push_back(v);
    const double step = std::abs(detail::median(d)) / y.scale;
    moved = step > 850 && step < 1150;
  }
  if (moved)
    lines.push_back(
        y.file + ": every band lies about 1000 digits from " + nearest->file +
        ": one of them seems to carry Sentinel-2's offset of -1000; say \"offset\" or \"baseline\" of each");
  index_t bright = 0, trusted = 0;
  for (index_t i = 0; i < y.hidden.size(); ++i) {
    if (!seen(i) || y.hidden.data()[i] != 0) continue;
    float least = 1e9f;
    for (index_t c = 0; c < std::min<index_t>(C, 4); ++c)
      least = std::min(least, y.values.data()[i * C + c] - nearest->values.data()[i * C + c]);
    trusted += std::isfinite(least), bright += least > .15f;
  }
  if (50 * bright > trusted && bright > 0)
    lines.push_back(y.file + ": " + std::to_string(bright) + " trusted pixels look like cloud (0.15 brighter than " +
                    nearest->file + " in every visible band): the mask may be too small");
  return lines;
}

namespace detail {

/// Where a large image is looked at: windows of 256 pixels on a grid of 4 x 4. A small one is looked at as a whole.
inline std::vector<pixel_window> looked_at(index_t height, index_t width) {
  constexpr index_t side = 256, grid = 4;
  if (height * width <= side * side * grid * grid || height < side || width < side) return {{0, 0, height, width}};
  std::vector<pixel_window> all;
  for (index_t i = 0; i < grid; ++i)
    for (index_t k = 0; k < grid; ++k)
      all.push_back({i * (height - side) / (grid - 1), k * (width - side) / (grid - 1), side, side});
  return all;
}

/// The windows of a date below each other, as one image.
inline result<dated_image> look(date_files& d, const std::vector<pixel_window>& windows, const hiding& how) {
  if (windows.size() == 1) return read_date(d, windows[0], how);
  dated_image all;
  static_cast<date_notes&>(all) = d;
  const index_t rows = windows[0].rows, W = windows[0].columns, C = d.image.bands();
  const index_t count = static_cast<index_t>(windows.size());
  all.digits = raster(d.image.type(), 0, W, C);
  all.values = unmask::tensor<float, 3>({count * rows, W, C});
  all.hidden = unmask::tensor<std::uint8_t, 2>({count * rows, W});
  for (index_t i = 0; i < count; ++i) {
    const auto part = read_date(d, windows[static_cast<std::size_t>(i)], how);
    if (!part) return part.error();
    std::copy(part->values.begin(), part->values.end(), all.values.data() + i * rows * W * C);
    std::copy(part->hidden.begin(), part->hidden.end(), all.hidden.data() + i * rows * W);
    all.zeros += part->zeros;
  }
  return all;
}

}  // namespace detail

/// What is wrong with the scale of a date, looked at in part; empty where nothing is.
inline result<std::string> off_scale(date_files& d, const hiding& how) {
  const auto image = detail::look(d, detail::looked_at(d.image.height(), d.image.width()), how);
  if (!image) return image.error();
  return off_scale(image->values.data(), image->values.size());
}

inline result<> check_scales(stack_files& s, const hiding& how) {
  for (date_files& d : s.dates) {
    const auto wrong = off_scale(d, how);
    if (!wrong) return wrong.error();
    if (!wrong->empty()) return error(errc::wrong_value, d.file + ": " + *wrong);
  }
  return {};
}

/// The same for dates in files; large images are looked at in part.
inline result<std::vector<std::string>> suspicious(stack_files& s, index_t target, const hiding& how) {
  date_files& y = s.dates[static_cast<std::size_t>(target)];
  date_files* nearest = nullptr;
  std::vector<std::string> lines;
  for (date_files& d : s.dates) {
    if (&d == &y) continue;
    if (!nearest || std::abs(d.day - y.day) < std::abs(nearest->day - y.day)) nearest = &d;
    if (d.image.file().place.has_value() != y.image.file().place.has_value())
      lines.push_back((y.image.file().place ? d.file : y.file) +
                      ": says no place on the ground; taken to lie where the other dates do");
  }
  const auto windows = detail::looked_at(s.height(), s.width());
  const auto image = detail::look(y, windows, how);
  if (!image) return image.error();
  std::optional<dated_image> other;
  if (nearest) {
    auto there = detail::look(*nearest, windows, how);
    if (!there) return there.error();
    other = std::move(*there);
  }
  for (const std::string& line : suspicious(*image, other ? &*other : nullptr)) lines.push_back(line);
  return lines;
}

}  // namespace program
