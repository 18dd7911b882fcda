#pragma once

/// What is wrong with most people's stacks, said in one line each before it is worked with.

#include "clouds_stack.hpp"

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

/// Lines for the target against the date nearest to it; empty where nothing is suspicious.
inline std::vector<std::string> suspicious(const dated_stack& s, index_t target) {
  std::vector<std::string> lines;
  const dated_image& y = s.images[static_cast<std::size_t>(target)];
  if (y.zeros > 0)
    lines.push_back(y.file + ": " + std::to_string(y.zeros) +
                    " pixels are 0 in all bands and count as no data; say \"nodata\" to decide otherwise");
  const dated_image* nearest = nullptr;
  for (const dated_image& image : s.images)
    if (&image != &y && (!nearest || std::abs(image.day - y.day) < std::abs(nearest->day - y.day))) nearest = &image;
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

}  // namespace program
