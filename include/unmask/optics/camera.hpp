#pragma once

/// A single-disperser CASSI camera: what stands between a scene x [H, W, C] and its snapshot y.
///
///   y[h, w + p_c] = sum over (w, c) of m[h, w] x[h, w, c]      p_c = step c, or where band c was measured to land
///
/// for dispersion to the right. A place p_c between two columns shares the light linearly between them. To the left,
/// down and up the scene is mirrored or transposed in thought. The mask m [H, W] is as the sensor sees it: 1 where all
/// light passes. With V = W + step (C - 1), the sensor has [H, V] values, [H + step (C - 1), W] for down and up.
/// Source: Wagadarikar et al. 2008; the scale 2 / C of `input` is the convention of the field's simulation benchmark.
///
/// Every operation overwrites its output, takes no heap and gives the same bits for any number of threads.

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "../core/finite.hpp"
#include "../core/tensor.hpp"
#include "camera_lines.hpp"

namespace unmask::inline UNMASK_ABI::optics {

/// The variance of a measured value is proportional to y + floor mean(y): shot noise, and what is under it.
struct sensor_noise {
  float floor = .3f;  ///< above 0
};

template <class T>
class basic_camera {
 public:
  /// `positions` [C]: where each band lands, in columns (rows) along the dispersion from where a band lands that is not
  /// moved, in [0, step (C - 1)]; empty: multiples of the step.
  /// Errors: a mask, bands or step that no scene can have, positions that are not one for each band or lie outside the
  /// sensor, a mask with a value that is not finite, a noise floor that is not above 0.
  [[gnu::cold]] static result<basic_camera> create(in<T, 2> mask, index_t bands, index_t step = 2,
                                                   dispersion_direction direction = dispersion_direction::right,
                                                   std::vector<float> positions = {}, sensor_noise noise = {}) {
    basic_camera camera;
    camera.geometry_ = {mask.extent(0), mask.extent(1), bands, step, direction};
    if (auto ok = detail::check_geometry(camera.geometry_); !ok) return ok.error();
    if (auto ok = detail::check_positions(camera.geometry_, positions); !ok) return ok.error();
    if (!std::all_of(mask.begin(), mask.end(), [](T m) { return is_finite(m); }))
      return error(errc::wrong_value, "mask: found a value that is not finite, expected 0..1");
    if (!(noise.floor > 0 && noise.floor <= 1e6f))
      return error(errc::bad_argument,
                   "camera: noise floor is " + std::to_string(noise.floor) + ", expected a number in (0, 1e6]");
    camera.mask_ = tensor<T, 2>(mask.extents());
    std::copy(mask.begin(), mask.end(), camera.mask_.begin());
    camera.positions_ = std::move(positions);
    camera.noise_ = noise;
    return camera;
  }

  const cassi_geometry& geometry() const { return geometry_; }
  in<T, 2> mask() const { return mask_.view(); }
  /// Another one of the same size, without asking whether its values are finite: for many samples through one camera.
  void change_mask(in<T, 2> mask) {
    assert(mask.extents() == mask_.extents());
    std::copy(mask.begin(), mask.end(), mask_.begin());
  }
  std::span<const float> positions() const { return positions_; }
  bool placed() const { return !positions_.empty(); }  ///< whether bands land at measured positions
  const sensor_noise& noise() const { return noise_; }

  /// Whether a snapshot, or a scene, is this camera's. Errors: `wrong_shape`.
  result<> check(const std::array<index_t, 2>& measurement) const {
    return detail::check_measurement(geometry_, measurement);
  }
  result<> check(const std::array<index_t, 3>& cube) const { return detail::check_cube(geometry_, cube); }

  /// y = A x.
  template <class Backend>
  void forward(const Backend& be, out<T, 2> y, in<T, 3> x) const {
    assert(y.extents() == geometry_.measurement_extents() && x.extents() == geometry_.cube_extents());
    parallel_for(be, geometry_.lines(), [&](index_t i, int) {
      const line scene = scene_line(i), sensor = sensor_line(i);
      T* to = y.data() + sensor.first;
      for (index_t v = 0; v < geometry_.sensor_length(); ++v) to[v * sensor.stride] = 0;
      detail::disperse<T>(geometry_, positions_, {to, sensor.stride}, x.data(), mask_.data(), scene);
    });
  }

  /// x = scale A' y.
  template <class Backend>
  void scaled_adjoint(const Backend& be, out<T, 3> x, in<T, 2> y, T scale) const {
    assert(y.extents() == geometry_.measurement_extents() && x.extents() == geometry_.cube_extents());
    parallel_for(be, geometry_.lines(), [&](index_t i, int) {
      const line scene = scene_line(i), sensor = sensor_line(i);
      for (index_t j = 0; j < geometry_.line_length(); ++j) {
        const index_t pixel = scene.first + j * scene.stride;
        gather(x.data() + pixel * geometry_.bands, y.data() + sensor.first + j * sensor.stride, sensor.stride,
               scale * mask_.data()[pixel]);
      }
    });
  }

  /// x = A' y.
  template <class Backend>
  void adjoint(const Backend& be, out<T, 3> x, in<T, 2> y) const {
    scaled_adjoint(be, x, y, T(1));
  }

  /// The network's input HM: 2 / C A' y.
  template <class Backend>
  void input(const Backend& be, out<T, 3> x, in<T, 2> y) const {
    scaled_adjoint(be, x, y, T(2) / static_cast<T>(geometry_.bands));
  }

  /// That of a part of the scene, x [h, w, C] from (top, left) on, of a canonical camera.
  template <class Backend>
  void input(const Backend& be, out<T, 3> x, in<T, 2> y, index_t top, index_t left) const {
    assert(is_canonical() && y.extents() == geometry_.measurement_extents());
    const T scale = T(2) / static_cast<T>(geometry_.bands);
    parallel_for(be, x.extent(0), [&](index_t h, int) {
      for (index_t w = 0; w < x.extent(1); ++w)
        gather(&x(h, w, 0), &y(top + h, left + w), 1, scale * mask_(top + h, left + w));
    });
  }

  /// d = diagonal of A A'; 0 where no light can arrive. With positions A A' has more than its diagonal.
  template <class Backend>
  void diagonal(const Backend& be, out<T, 2> d) const {
    assert(d.extents() == geometry_.measurement_extents());
    parallel_for(be, geometry_.lines(), [&](index_t i, int) {
      const line scene = scene_line(i), sensor = sensor_line(i);
      T* to = d.data() + sensor.first;
      for (index_t v = 0; v < geometry_.sensor_length(); ++v) to[v * sensor.stride] = 0;
      for (index_t c = 0; c < geometry_.bands; ++c) {
        const auto [first, part] = landing(c);
        for (index_t j = 0; j < geometry_.line_length(); ++j) {
          const T m = mask_.data()[scene.first + j * scene.stride];
          const T first_share = (1 - part) * m, next_share = part * m;
          to[(j + first) * sensor.stride] += first_share * first_share;
          if (part > 0) to[(j + first + 1) * sensor.stride] += next_share * next_share;
        }
      }
    });
  }

  /// Adds to a line y of the sensor what of the spectrum x [C] lands on it: of a pixel at place j of the line, or
  /// beside the scene (j < 0, j >= W), that a mask lets m of through. For scenes that go on where the camera's mask
  /// ends.
  template <class X>
  void add_light(T* y, index_t j, T m, const X* x) const {
    const index_t C = geometry_.bands, V = geometry_.sensor_length(), step = geometry_.step;
    if (!placed()) {
      const index_t first = j < 0 && step > 0 ? (-j + step - 1) / step : 0,
                    end = step > 0 ? std::min(C, (V - j + step - 1) / step) : C;
      for (index_t c = first; c < end; ++c) y[j + step * c] += m * static_cast<T>(x[c]);
      return;
    }
    for (index_t c = 0; c < C; ++c) {
      const auto [first, part] = landing(c);
      const index_t v = j + first;
      const T light = m * static_cast<T>(x[c]);
      if (v >= 0 && v < V) y[v] += (1 - part) * light;
      if (part > 0 && v + 1 >= 0 && v + 1 < V) y[v + 1] += part * light;
    }
  }

  /// Solvers work on dispersion to the right. The canonical camera sees this one's scene mirrored or transposed, so
  /// that it disperses to the right.
  bool is_canonical() const { return geometry_.direction == dispersion_direction::right; }

  basic_camera canonical() const {
    basic_camera camera = *this;
    camera.geometry_ = geometry_.canonical();
    camera.mask_ = tensor<T, 2>({camera.geometry_.height, camera.geometry_.width});
    for (index_t i = 0; i < geometry_.lines(); ++i)
      for (index_t j = 0; j < geometry_.line_length(); ++j)
        camera.mask_(i, j) = mask_.data()[scene_line(i).first + j * scene_line(i).stride];
    return camera;
  }

  /// Snapshots and cubes to the canonical camera's and back. Not in place.
  template <class Backend>
  void to_canonical(const Backend& be, out<T, 2> canonical, in<T, 2> y) const {
    detail::each_value(be, geometry_, [&](index_t at, index_t to) { canonical.data()[to] = y.data()[at]; });
  }
  template <class Backend>
  void to_canonical(const Backend& be, out<T, 3> canonical, in<T, 3> x) const {
    const index_t C = geometry_.bands;
    detail::each_pixel(be, geometry_, [&](index_t at, index_t there) {
      std::copy_n(x.data() + at * C, C, canonical.data() + there * C);
    });
  }
  template <class Backend>
  void from_canonical(const Backend& be, out<T, 3> x, in<T, 3> canonical) const {
    const index_t C = geometry_.bands;
    detail::each_pixel(be, geometry_, [&](index_t at, index_t there) {
      std::copy_n(canonical.data() + there * C, C, x.data() + at * C);
    });
  }

  /// The camera of a part of the scene, `height` x `width` pixels from (top, left) on, which lie within it.
  basic_camera crop(index_t top, index_t left, index_t height, index_t width) const {
    assert(top >= 0 && left >= 0 && top + height <= geometry_.height && left + width <= geometry_.width);
    basic_camera camera = *this;
    camera.geometry_.height = height, camera.geometry_.width = width;
    camera.mask_ = tensor<T, 2>({height, width});
    for (index_t h = 0; h < height; ++h) std::copy_n(&mask_(top + h, left), width, &camera.mask_(h, 0));
    return camera;
  }

  /// That of some of its rows.
  basic_camera rows(index_t from, index_t count) const { return crop(from, 0, count, geometry_.width); }

 private:
  using line = detail::line;

  basic_camera() = default;

  line scene_line(index_t i) const { return detail::scene_line(geometry_, i); }
  line sensor_line(index_t i) const { return detail::sensor_line(geometry_, i); }

  /// A pixel's spectrum: m times the light that its bands sent to values `stride` apart, from that of band 0 on.
  void gather(T* to, const T* from, index_t stride, T m) const {
    for (index_t c = 0; c < geometry_.bands; ++c) {
      if (!placed()) {
        to[c] = m * from[geometry_.step * c * stride];
        continue;
      }
      const auto [first, part] = landing(c);
      T light = (1 - part) * from[first * stride];
      if (part > 0) light += part * from[(first + 1) * stride];
      to[c] = m * light;
    }
  }

  std::pair<index_t, T> landing(index_t c) const { return detail::landing<T>(geometry_, positions_, c); }

  cassi_geometry geometry_;
  tensor<T, 2> mask_;
  std::vector<float> positions_;
  sensor_noise noise_;
};

using camera = basic_camera<float>;

}  // namespace unmask::inline UNMASK_ABI::optics
