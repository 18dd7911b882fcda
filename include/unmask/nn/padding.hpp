#pragma once

/// Reflection at the bottom and right edge without repeating the edge pixel, for image *and* mask (the released network
/// pads the image only). Sizes that are smaller than the padding fold back and forth; a single row repeats itself.
///   forward   y[h, w, :] = x[reflect(h), reflect(w), :],  x [H, W, C], y [H', W', C]
///   gradient  dx[reflect(h), reflect(w), :] += dy[h, w, :]

#include <algorithm>

#include "../core/backend.hpp"
#include "../core/view.hpp"

namespace unmask::inline UNMASK_ABI {

constexpr index_t reflect(index_t i, index_t size) {
  if (size == 1) return 0;
  const index_t period = 2 * (size - 1), at = i % period;
  return at < size ? at : period - at;
}

template <class T>
void reflect_pad(array_view<T, 3> y, array_view<const T, 3> x) {
  const index_t c = x.extent(2);
  for (index_t h = 0; h < y.extent(0); ++h)
    for (index_t w = 0; w < y.extent(1); ++w)
      std::copy_n(&x(reflect(h, x.extent(0)), reflect(w, x.extent(1)), 0), c, &y(h, w, 0));
}

template <class T>
void reflect_pad_backward(array_view<T, 3> dx, array_view<const T, 3> dy) {
  const index_t c = dx.extent(2);
  std::fill(dx.begin(), dx.end(), T(0));
  for (index_t h = 0; h < dy.extent(0); ++h)
    for (index_t w = 0; w < dy.extent(1); ++w) {
      const T* from = &dy(h, w, 0);
      T* to = &dx(reflect(h, dx.extent(0)), reflect(w, dx.extent(1)), 0);
      for (index_t k = 0; k < c; ++k) to[k] += from[k];
    }
}

/// Images of one size, padded to another of the same channels.
struct pad_sizes {
  index_t batch, height, width, padded_height, padded_width, channels;

  template <class T>
  array_view<T, 3> image(T* x, index_t b) const {
    return array_view<T, 3>(x + b * height * width * channels, height, width, channels);
  }
  template <class T>
  array_view<T, 3> padded(T* y, index_t b) const {
    return array_view<T, 3>(y + b * padded_height * padded_width * channels, padded_height, padded_width, channels);
  }
};

namespace op {
struct reflect_pad {};
}  // namespace op

template <>
struct kernel<op::reflect_pad, ref> : no_scratch {
  template <class Backend, class T>
  static void forward(const Backend&, T* y, const T* x, const pad_sizes& s) {
    for (index_t b = 0; b < s.batch; ++b) reflect_pad(s.padded(y, b), s.image(x, b));
  }
  template <class Backend, class T>
  static void backward(const Backend&, T* dx, const T* dy, const pad_sizes& s) {
    for (index_t b = 0; b < s.batch; ++b) reflect_pad_backward(s.image(dx, b), s.padded(dy, b));
  }
};

/// y [B, H', W', C] from x [B, H, W, C].
template <class Backend, class T>
void pad_images(const Backend& be, T* y, const T* x, const pad_sizes& s) {
  kernel<op::reflect_pad, Backend>::forward(be, y, x, s);
}

/// dx is overwritten.
template <class Backend, class T>
void pad_images_backward(const Backend& be, T* dx, const T* dy, const pad_sizes& s) {
  kernel<op::reflect_pad, Backend>::backward(be, dx, dy, s);
}

}  // namespace unmask::inline UNMASK_ABI
