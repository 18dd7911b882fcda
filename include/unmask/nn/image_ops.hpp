#pragma once

/// Row-wise operations over whole images, cut into tiles: layer norm, linear map (conv1x1), sum.
/// Shapes: x [N, C] with N the pixels of all images.

#include "../core/arena.hpp"
#include "linear.hpp"
#include "visit.hpp"

namespace unmask::inline UNMASK_ABI {

namespace op {
struct image_add {};
}  // namespace op

template <>
struct kernel<op::image_add, ref> : no_scratch {
  /// x += y.
  template <class Backend, class T>
  static void forward(const Backend& be, T* x, const T* y, index_t size) {
    constexpr index_t slice = 8192;
    parallel_for(be, (size + slice - 1) / slice, [=](index_t s, int) {
      for (index_t i = s * slice; i < std::min(size, (s + 1) * slice); ++i) x[i] += y[i];
    });
  }
};

template <class Backend, class T>
void image_add(const Backend& be, T* x, const T* y, index_t size) {
  kernel<op::image_add, Backend>::forward(be, x, y, size);
}

namespace detail {

/// Layers of one operation, as `gradient_copies` wants them.
struct norm_layer {
  index_t channels;
  template <class T>
  using params = norm_params<T>;
};
template <class Visitor, class T>
void visit_parameters(Visitor& v, const norm_layer& l, norm_params<T>& p) {
  visit_norm(v, "", p, l.channels);
}

struct linear_layer {
  index_t in, out;
  template <class T>
  using params = linear_params<T>;
};
template <class Visitor, class T>
void visit_parameters(Visitor& v, const linear_layer& l, linear_params<T>& p) {
  v(p.weight, "weight", {l.out, l.in}, memory_order::reversed, initial::normal);
}

}  // namespace detail

/// Numbers of scratch of image_norm_backward and image_linear_backward.
template <class Backend>
index_t image_norm_scratch(const Backend& be, row_sizes s) {
  return gradient_room(be, detail::norm_layer{s.channels}) + kernel<op::layer_norm, Backend>::scratch(be, s);
}
template <class Backend>
index_t image_linear_scratch(const Backend& be, linear_sizes s) {
  return gradient_room(be, detail::linear_layer{s.in, s.out}) + kernel<op::linear, Backend>::turned(s.in, s.out) +
         kernel<op::linear, Backend>::scratch(be, s);
}

template <class Backend, class T>
void image_norm_forward(const Backend& be, T* y, norm_saved<T> saved, const T* x, norm_params<const T> p, row_sizes s) {
  const index_t c = s.channels;
  parallel_tiles(be, s.rows, s.rows, [=, &be](index_t, index_t at, index_t count, int) {
    kernel<op::layer_norm, Backend>::forward(be, y + at * c, norm_saved<T>{saved.mean + at, saved.rstd + at},
                                             x + at * c, p, row_sizes{count, c});
  });
}

/// dx accumulates, dp accumulates.
template <class Backend, class T>
void image_norm_backward(const Backend& be, T* dx, norm_params<T> dp, const T* dy, const norm_input<T>& in, row_sizes s,
                         T* scratch) {
  const index_t c = s.channels;
  const detail::norm_layer layer{c};
  const auto copies = copies_for(be, layer, dp, scratch);
  copies.clear(be);
  parallel_tiles(be, s.rows, max_chunks, [&](index_t chunk, index_t at, index_t count, int) {
    const norm_input<T> tile{in.x + at * c, in.p, {in.saved.mean + at, in.saved.rstd + at}};
    kernel<op::layer_norm, Backend>::backward(be, dx + at * c, copies.of(chunk), dy + at * c, tile, row_sizes{count, c},
                                              scratch);
  });
  copies.add(be);
}

/// y [N, O] = x [N, I] W [I, O].
template <class Backend, class T>
void image_linear_forward(const Backend& be, T* y, const T* x, const T* w, linear_sizes s) {
  parallel_tiles(be, s.rows, s.rows, [=, &be](index_t, index_t at, index_t count, int) {
    linear_forward<Backend, T>(be, {y + at * s.out, s.out}, {x + at * s.in, s.in}, {w, nullptr}, {count, s.in, s.out});
  });
}

/// dx accumulates (dx += dy W'), dw accumulates.
template <class Backend, class T>
void image_linear_backward(const Backend& be, T* dx, T* dw, const T* dy, const T* x, const T* w, linear_sizes s,
                           T* scratch) {
  const detail::linear_layer layer{s.in, s.out};
  const linear_params<T> own{dw, nullptr};
  const auto copies = copies_for(be, layer, own, scratch);
  T* const rest = scratch + gradient_room(be, layer);
  const T* const turned = kernel<op::linear, Backend>::turn(be, rest, w, s.in, s.out);
  copies.clear(be);
  parallel_tiles(be, s.rows, max_chunks, [&](index_t chunk, index_t at, index_t count, int) {
    const linear_sizes tile{count, s.in, s.out};
    linear_backward_input<Backend, T>(be, {dx + at * s.in, s.in}, {dy + at * s.out, s.out}, turned, tile, true);
    linear_backward_parameters<Backend, T>(be, copies.of(chunk), {dy + at * s.out, s.out}, {x + at * s.in, s.in}, tile,
                                           rest);
  });
  copies.add(be);
}

}  // namespace unmask::inline UNMASK_ABI
