#pragma once

/// Row-wise operations over whole images, cut into tiles: layer norm, linear map (conv1x1), sum.
/// Shapes: x [N, C] with N the pixels of all images. `partials` holds max_chunks gradient buffers.

#include "conv3x3.hpp"
#include "layer_norm.hpp"

namespace unmask::inline UNMASK_ABI {

/// x += y.
template <class Backend, class T>
void image_add(const Backend& be, T* x, const T* y, index_t size) {
  constexpr index_t slice = 8192;
  parallel_for(be, (size + slice - 1) / slice, [=](index_t s, int) {
    for (index_t i = s * slice; i < std::min(size, (s + 1) * slice); ++i) x[i] += y[i];
  });
}

/// `saved` is [2, N]: mean and 1/deviation.
template <class Backend, class T>
void image_norm_forward(const Backend& be, T* y, const T* x, norm_params<const T> p, index_t n, index_t c, T* saved) {
  parallel_tiles(be, n, n, [=](index_t, index_t at, index_t count, int) {
    kernel<op::layer_norm, Backend>::forward(y + at * c, saved + at, saved + n + at, x + at * c, p, count, c);
  });
}

/// dx accumulates, dp accumulates (weight and bias are neighbours).
template <class Backend, class T>
void image_norm_backward(const Backend& be, T* dx, norm_params<T> dp, const T* dy, const T* x, norm_params<const T> p,
                         index_t n, index_t c, const T* saved, T* partials) {
  std::fill_n(partials, max_chunks * 2 * c, T(0));
  parallel_tiles(be, n, max_chunks, [=](index_t chunk, index_t at, index_t count, int) {
    T* g = partials + chunk * 2 * c;
    kernel<op::layer_norm, Backend>::backward(dx + at * c, norm_params<T>{g, g + c}, dy + at * c, x + at * c, p,
                                              saved + at, saved + n + at, count, c);
  });
  reduce_partials(be, dp.weight, partials, max_chunks, 2 * c);
}

/// y [N, O] = x [N, C] W [C, O].
template <class Backend, class T>
void image_linear_forward(const Backend& be, T* y, const T* x, const T* w, index_t n, index_t c, index_t o) {
  parallel_tiles(be, n, n, [=, &be](index_t, index_t at, index_t count, int) {
    multiply(be, y + at * o, o, rows_of(x + at * c, c), w, o, count, o, c);
  });
}

/// dx accumulates (dx += dy W'), dw accumulates; `turned` holds O x C numbers.
template <class Backend, class T>
void image_linear_backward(const Backend& be, T* dx, T* dw, const T* dy, const T* x, const T* w, index_t n, index_t c,
                           index_t o, T* turned, T* partials) {
  transpose(turned, c, w, o, c, o);
  std::fill_n(partials, max_chunks * c * o, T(0));
  parallel_tiles(be, n, max_chunks, [=, &be](index_t chunk, index_t at, index_t count, int) {
    multiply_add(be, dx + at * c, c, rows_of(dy + at * o, o), static_cast<const T*>(turned), c, count, c, o);
    multiply_add(be, partials + chunk * c * o, o, transposed(x + at * c, c), dy + at * o, o, c, o, count);
  });
  reduce_partials(be, dw, partials, max_chunks, c * o);
}

}  // namespace unmask::inline UNMASK_ABI
