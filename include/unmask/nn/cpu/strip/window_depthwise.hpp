#pragma once

/// The positional term of spectral attention in one window: depthwise 3x3, GELU, depthwise 3x3, zeros around the
/// window.
///   forward   y = dw2(GELU(dw1(v)))
///   gradient  dv = dw1'(GELU'(..) dw2'(dy)),  dw += sums of products
/// A channel is an M x M plane with one column of zeros between its rows and zero rows around, [M + 2][M + 1] numbers:
/// on it every tap is an unaligned load at a fixed distance, for any M and any number of lanes.

#include "window_depthwise_rows.hpp"

namespace unmask::inline UNMASK_ABI::strip {

namespace detail {

template <class T>
struct plane_walk {
  using P = simd::pack<T>;
  using planes = window_planes<T>;
  index_t side;

  /// body(place in the plane, place on the strips, count) for pieces of rows that are contiguous in both.
  template <class Body>
  void each_piece(index_t stride, Body body) const {
    for (index_t i = 0, t = 0; i < side; ++i)
      for (index_t j = 0; j < side;) {
        const index_t count = std::min(side - j, width<T> - t % width<T>);
        body(planes::first(side) + i * (side + 1) + j, t / width<T> * stride + t % width<T>, count);
        j += count, t += count;
      }
  }
  static void copy(T* to, const T* from, index_t n) {
    if (n == P::lanes)
      P::store(to, P::load(from));
    else
      std::copy_n(from, n, to);
  }
  /// Plane of a channel from strips, zeros around it.
  void load(T* plane, const T* x, index_t stride) const {
    std::fill_n(plane, planes::first(side), T(0));
    each_piece(stride, [&](index_t to, index_t from, index_t n) { copy(plane + to, x + from, n); });
    clear_margins(plane);
  }
  void store(T* x, index_t stride, const T* plane) const {
    each_piece(stride, [&](index_t from, index_t to, index_t n) { copy(x + to, plane + from, n); });
  }
  void clear_margins(T* plane) const {
    for (index_t i = 0; i < side; ++i) plane[planes::first(side) + i * (side + 1) + side] = 0;
    const index_t end = planes::first(side) + side * (side + 1);
    std::fill(plane + end, plane + planes::size(side), T(0));
  }
  /// put(place, sum of taps) for packs of pixels; `sign` -1 walks the taps the other way (the gradient).
  template <class Put>
  void convolve(const T* plane, const T* taps, index_t ld, index_t sign, Put put) const {
    typename P::type w[9];
#pragma GCC unroll 9
    for (index_t tap = 0; tap < 9; ++tap) w[tap] = P::all(taps[tap * ld]);
    const T* from = plane + planes::first(side);
    for (index_t i = 0; i < side * (side + 1); i += P::lanes) {
      auto sum = P::all(T(0));
#pragma GCC unroll 9
      for (index_t tap = 0; tap < 9; ++tap) sum = P::fma(w[tap], P::load(from + i + sign * distance(tap)), sum);
      put(planes::first(side) + i, sum);
    }
  }
  /// dtaps += sum of d times the neighbours of x.
  void add_taps(T* dtaps, index_t ld, const T* d, const T* x) const {
    typename P::type sum[9];
#pragma GCC unroll 9
    for (auto& one : sum) one = P::all(T(0));
    for (index_t i = 0; i < side * (side + 1); i += P::lanes) {
      const auto g = P::load(d + planes::first(side) + i);
#pragma GCC unroll 9
      for (index_t tap = 0; tap < 9; ++tap)
        sum[tap] = P::fma(g, P::load(x + planes::first(side) + i + distance(tap)), sum[tap]);
    }
#pragma GCC unroll 9
    for (index_t tap = 0; tap < 9; ++tap) dtaps[tap * ld] += P::sum(sum[tap]);
  }

 private:
  index_t distance(index_t tap) const { return (tap / 3 - 1) * (side + 1) + tap % 3 - 1; }
};

}  // namespace detail

/// y overwrites; y, v [C] on the strips of one window; taps [9, C].
template <class T>
void positional_forward(rows<T> y, std::type_identity_t<rows<const T>> v, const T* first, const T* second, index_t side,
                        index_t c, const window_planes<T>& w) {
  using P = simd::pack<T>;
  if constexpr (P::lanes > 1)
    if (side == simd::row_pack<T>::lanes) return detail::positional_forward_by_rows<T>(y, v, first, second, c, w);
  const detail::plane_walk<T> walk{side};
  for (index_t k = 0; k < c; ++k) {
    walk.load(w.in, v.from(k).data, v.stride);
    std::fill_n(w.hidden, w.first(side), T(0));
    walk.convolve(w.in, first + k, c, 1, [&](index_t at, auto sum) { P::store(w.hidden + at, sum); });
    for (index_t i = w.first(side); i < w.first(side) + w.plane(side); i += 2 * P::lanes) {
      const auto g = simd::gelu<T>(std::array{P::load(w.hidden + i), P::load(w.hidden + i + P::lanes)});
      P::store(w.hidden + i, g[0]), P::store(w.hidden + i + P::lanes, g[1]);
    }
    walk.clear_margins(w.hidden);
    walk.convolve(w.hidden, second + k, c, 1, [&](index_t at, auto sum) { P::store(w.in + at, sum); });
    walk.store(y.from(k).data, y.stride, w.in);
  }
}

/// dv accumulates, and so do the gradients of both kernels.
template <class T>
void positional_backward(rows<T> dv, tap_pair<T> d, rows<const T> dy, rows<const T> v, tap_pair<const T> taps,
                         index_t side, index_t c, const window_planes<T>& w) {
  using P = simd::pack<T>;
  if constexpr (P::lanes > 1)
    if (side == simd::row_pack<T>::lanes) return detail::positional_backward_by_rows<T>(dv, d, dy, v, taps, c, w);
  T *const dfirst = d.first, *const dsecond = d.second;
  const T *const first = taps.first, *const second = taps.second;
  const detail::plane_walk<T> walk{side};
  for (index_t k = 0; k < c; ++k) {
    walk.load(w.in, v.from(k).data, v.stride);
    std::fill_n(w.hidden, w.first(side), T(0));
    walk.convolve(w.in, first + k, c, 1, [&](index_t at, auto sum) {
      const auto [value, slope] = simd::gelu_with_derivative<T>(sum);
      P::store(w.hidden + at, value);
      P::store(w.slope + at, slope);
    });
    walk.clear_margins(w.hidden);
    walk.load(w.dout, dy.from(k).data, dy.stride);
    walk.add_taps(dsecond + k, c, w.dout, w.hidden);
    walk.convolve(w.dout, second + k, c, -1,
                  [&](index_t at, auto sum) { P::store(w.hidden + at, sum * P::load(w.slope + at)); });
    walk.clear_margins(w.hidden);
    walk.add_taps(dfirst + k, c, w.hidden, w.in);
    walk.convolve(w.hidden, first + k, c, -1, [&](index_t at, auto sum) { P::store(w.dout + at, sum); });
    walk.each_piece(dv.stride, [&, to = dv.from(k).data](index_t from, index_t at, index_t n) {
      for (index_t i = 0; i < n; ++i) to[at + i] += w.dout[from + i];
    });
  }
}

}  // namespace unmask::inline UNMASK_ABI::strip
