#pragma once

/// A camera's image line by line: a line is what dispersion moves light along, and a row of the canonical camera, whose
/// bands land to the right. Its first pixel is where light that is dispersed lands farthest from.

#include <span>
#include <utility>

#include "../parallel/parallel_for.hpp"
#include "cassi.hpp"

namespace unmask::inline UNMASK_ABI::optics::detail {

/// Where a line's first pixel lies in an image, and how far it is from each to the next; in pixels.
struct line {
  index_t first, stride;
};

/// Line i of an image of `width` columns; `length`: pixels of a line.
inline line line_of(dispersion_direction d, index_t i, index_t width, index_t length) {
  const line forwards = along_rows(d) ? line{i * width, 1} : line{i, width};
  if (!backwards(d)) return forwards;
  return {forwards.first + (length - 1) * forwards.stride, -forwards.stride};
}

inline line scene_line(const cassi_geometry& g, index_t i) { return line_of(g.direction, i, g.width, g.line_length()); }
inline line sensor_line(const cassi_geometry& g, index_t i) {
  return line_of(g.direction, i, g.measurement_extents()[1], g.sensor_length());
}

/// body(place in the camera's image, place in the canonical one's) for the values of a measurement.
template <class Backend, class Body>
void each_value(const Backend& be, const cassi_geometry& g, Body&& body) {
  parallel_for(be, g.lines(), [&](index_t i, int) {
    const line at = sensor_line(g, i);
    for (index_t v = 0; v < g.sensor_length(); ++v) body(at.first + v * at.stride, i * g.sensor_length() + v);
  });
}

/// The same for the pixels of a scene.
template <class Backend, class Body>
void each_pixel(const Backend& be, const cassi_geometry& g, Body&& body) {
  parallel_for(be, g.lines(), [&](index_t i, int) {
    const line at = scene_line(g, i);
    for (index_t j = 0; j < g.line_length(); ++j) body(at.first + j * at.stride, i * g.line_length() + j);
  });
}

/// The first of the values of a line that light of band c lands on from the line's pixel 0, and the next one's share.
template <class T>
std::pair<index_t, T> landing(const cassi_geometry& g, std::span<const float> positions, index_t c) {
  if (positions.empty()) return {g.step * c, T(0)};
  const float at = positions[static_cast<std::size_t>(c)];
  const auto first = static_cast<index_t>(at);
  return {first, static_cast<T>(at - static_cast<float>(first))};
}

/// The values of a line on the sensor.
template <class T>
struct sensor_values {
  T* first;
  index_t stride;
  T& operator[](index_t v) const { return first[v * stride]; }
};

/// Adds to a line of the sensor the light that a line of the scene x [H, W, C] sends through the mask.
template <class T>
void disperse(const cassi_geometry& g, std::span<const float> positions, const sensor_values<T>& to, const T* x,
              const T* mask, const line& scene) {
  const index_t W = g.line_length(), C = g.bands;
  if (positions.empty()) {
    const index_t step = g.step * to.stride;
    T* value = to.first;
    for (index_t j = 0; j < W; ++j, value += to.stride) {
      const index_t pixel = scene.first + j * scene.stride;
      const T m = mask[pixel];
      for (index_t c = 0; c < C; ++c) value[step * c] += m * x[pixel * C + c];
    }
    return;
  }
  for (index_t c = 0; c < C; ++c) {
    const auto [first, part] = landing<T>(g, positions, c);
    for (index_t j = 0; j < W; ++j) {
      const index_t pixel = scene.first + j * scene.stride;
      const T light = mask[pixel] * x[pixel * C + c];
      to[j + first] += (1 - part) * light;
      if (part > 0) to[j + first + 1] += part * light;
    }
  }
}

}  // namespace unmask::inline UNMASK_ABI::optics::detail
