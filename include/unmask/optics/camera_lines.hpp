#pragma once

/// A camera's image line by line: a line is what dispersion moves light along, and a row of the canonical camera, whose
/// bands land to the right. Its first pixel is where light that is dispersed lands farthest from.

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

}  // namespace unmask::inline UNMASK_ABI::optics::detail
