#pragma once

/// The positional term where a row of the window is one register, as 8 x 8 windows of floats with AVX2, or half of one,
/// with AVX-512: half the time of window_depthwise.hpp's planes. Here is the memory of both.

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <type_traits>

#include "../../../core/arena.hpp"
#include "../../../simd/math.hpp"
#include "product.hpp"

namespace unmask::inline UNMASK_ABI::strip {

/// The kernels of the two convolutions, [9, C] each, or their gradients.
template <class T>
struct tap_pair {
  T *first, *second;
};

/// Channels worked on in step: what is stored is read a few hundred cycles later, one number to the side, which a
/// processor cannot forward from a store that is still under way.
inline constexpr index_t channels_in_step = 4;

template <class T>
struct window_planes {
  T *in, *hidden, *slope, *dout;  ///< planes; the last two training only

  void carve(arena& a, index_t side, bool training) {
    for (T** p : {&in, &hidden}) *p = a.take<T>(size(side));
    if (!training) return;
    for (T** p : {&slope, &dout}) *p = a.take<T>(size(side));
  }
  /// With room for a pack past both ends; as rows of registers, for the channels that are worked on in step.
  static index_t size(index_t side) {
    return std::max(plane(side) + 2 * first(side), channels_in_step * side * side) + 2 * simd::pack<T>::lanes;
  }
  static index_t plane(index_t side) { return padded<T>(side * (side + 1)); }
  /// Pixel (0, 0): behind a row of zeros.
  static index_t first(index_t side) { return side + 2; }
};

namespace detail {

/// All bits of the lanes that stay when a row's neighbours come from one number to the left, or to the right.
template <class T>
struct row_edges {
  T left[simd::row_pack<T>::lanes], right[simd::row_pack<T>::lanes];
};
template <class T>
inline constexpr row_edges<T> edges = [] {
  using bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  constexpr index_t lanes = simd::row_pack<T>::lanes;
  row_edges<T> e{};
  for (index_t i = 0; i < lanes; ++i) {
    e.left[i] = std::bit_cast<T>(i == 0 ? bits{0} : ~bits{0});
    e.right[i] = std::bit_cast<T>(i == lanes - 1 ? bits{0} : ~bits{0});
  }
  return e;
}();

/// Neighbours are loads one number to the side, with the lane that fell off the row set to zero. Three rows of sums are
/// kept, so a row is read once for all of its nine uses: 24 loads for a channel instead of 72, and no copies.
template <class T>
struct row_walk {
  using P = simd::row_pack<T>;
  using type = typename P::type;
  static constexpr int side = static_cast<int>(P::lanes);
  static constexpr index_t size = P::lanes * P::lanes;

  struct neighbours {
    type left, middle, right;
  };
  /// `row` is surrounded by numbers that may be read, whatever they are.
  static neighbours load(const T* row) {
    return {P::load(row - 1) & P::load(edges<T>.left), P::load(row), P::load(row + 1) & P::load(edges<T>.right)};
  }

  /// put(i, sum of taps) for the rows from(i); `sign` -1 walks the taps the other way (the gradient).
  template <class From, class Put>
  static void convolve(From from, const T* taps, index_t ld, index_t sign, Put put) {
    type w[9], above = P::all(T(0)), here = above;
#pragma GCC unroll 9
    for (index_t tap = 0; tap < 9; ++tap) w[tap] = P::all(taps[(sign > 0 ? tap : 8 - tap) * ld]);
#pragma GCC unroll 8
    for (int i = 0; i < side; ++i) {
      const neighbours x = load(from(i));
      // this row is below `above`, and above the row that comes next
      above = P::fma(w[8], x.right, P::fma(w[7], x.middle, P::fma(w[6], x.left, above)));
      if (i > 0) put(i - 1, above);
      above = P::fma(w[5], x.right, P::fma(w[4], x.middle, P::fma(w[3], x.left, here)));
      here = P::fma(w[2], x.right, P::fma(w[1], x.middle, w[0] * x.left));
    }
    put(side - 1, above);
  }

  /// dtaps += sum of d times the neighbours of x.
  template <class FromD, class FromX>
  static void add_taps(T* dtaps, index_t ld, FromD d, FromX from) {
    type sum[9];
#pragma GCC unroll 9
    for (auto& one : sum) one = P::all(T(0));
#pragma GCC unroll 8
    for (int i = 0; i < side; ++i) {
      const neighbours x = load(from(i));
      // row i of x is below row i - 1 of d: tap row 2
#pragma GCC unroll 3
      for (int tap = 0; tap < 3; ++tap) {
        const int row = i + 1 - tap;
        if (row < 0 || row >= side) continue;
        const type g = P::load(d(row));
        sum[3 * tap] = P::fma(g, x.left, sum[3 * tap]);
        sum[3 * tap + 1] = P::fma(g, x.middle, sum[3 * tap + 1]);
        sum[3 * tap + 2] = P::fma(g, x.right, sum[3 * tap + 2]);
      }
    }
#pragma GCC unroll 9
    for (index_t tap = 0; tap < 9; ++tap) dtaps[tap * ld] += P::sum(sum[tap]);
  }
};

/// Row i of a channel on strips.
template <class T>
auto rows_of_channel(T* x, index_t stride) {
  using U = std::remove_const_t<T>;
  constexpr index_t side = simd::row_pack<U>::lanes, rows = width<U> / side;
  return [=](int i) { return x + i / rows * stride + i % rows * side; };
}
/// Row i of a channel that lies by itself.
template <class T>
auto rows_in_turn(T* x) {
  return [=](int i) { return x + i * simd::row_pack<std::remove_const_t<T>>::lanes; };
}

template <class T>
void positional_forward_by_rows(rows<T> y, rows<const T> v, const T* first, const T* second, index_t c,
                                const window_planes<T>& w) {
  using P = simd::pack<T>;
  using R = simd::row_pack<T>;
  using walk = row_walk<T>;
  T* hidden = w.hidden + P::lanes;
  for (index_t begin = 0; begin < c; begin += channels_in_step) {
    const index_t end = std::min(c, begin + channels_in_step);
    for (index_t k = begin; k < end; ++k)
      walk::convolve(rows_of_channel(v.from(k).data, v.stride), first + k, c, 1,
                     [to = rows_in_turn(hidden + (k - begin) * walk::size)](int i, auto sum) { R::store(to(i), sum); });
    for (T* h = hidden; h < hidden + (end - begin) * walk::size; h += 4 * P::lanes) {
      const auto g = simd::gelu<T>(
          std::array{P::load(h), P::load(h + P::lanes), P::load(h + 2 * P::lanes), P::load(h + 3 * P::lanes)});
      for (std::size_t i = 0; i < 4; ++i) P::store(h + static_cast<index_t>(i) * P::lanes, g[i]);
    }
    for (index_t k = begin; k < end; ++k)
      walk::convolve(rows_in_turn(hidden + (k - begin) * walk::size), second + k, c, 1,
                     [to = rows_of_channel(y.from(k).data, y.stride)](int i, auto sum) { R::store(to(i), sum); });
  }
}

template <class T>
void positional_backward_by_rows(rows<T> dv, tap_pair<T> d_taps, rows<const T> dy, rows<const T> v,
                                 tap_pair<const T> taps, index_t c, const window_planes<T>& w) {
  T *const dfirst = d_taps.first, *const dsecond = d_taps.second;
  const T *const first = taps.first, *const second = taps.second;
  using P = simd::pack<T>;
  using R = simd::row_pack<T>;
  using walk = row_walk<T>;
  T *hidden = w.hidden + P::lanes, *slope = w.slope + P::lanes, *dhidden = w.dout + P::lanes;
  for (index_t begin = 0; begin < c; begin += channels_in_step) {
    const index_t end = std::min(c, begin + channels_in_step);
    for (index_t k = begin; k < end; ++k)
      walk::convolve(rows_of_channel(v.from(k).data, v.stride), first + k, c, 1,
                     [to = rows_in_turn(hidden + (k - begin) * walk::size)](int i, auto sum) { R::store(to(i), sum); });
    for (index_t i = 0; i < (end - begin) * walk::size; i += 2 * P::lanes) {
      T *h = hidden + i, *d = slope + i;
      const auto [value, derivative] = simd::gelu_with_derivative<T>(std::array{P::load(h), P::load(h + P::lanes)});
      P::store(h, value[0]), P::store(h + P::lanes, value[1]);
      P::store(d, derivative[0]), P::store(d + P::lanes, derivative[1]);
    }
    for (index_t k = begin; k < end; ++k) {
      const index_t at = (k - begin) * walk::size;
      const auto d = rows_of_channel(dy.from(k).data, dy.stride);
      walk::add_taps(dsecond + k, c, d, rows_in_turn(hidden + at));
      walk::convolve(d, second + k, c, -1,
                     [to = rows_in_turn(dhidden + at), factor = rows_in_turn(slope + at)](int i, auto sum) {
                       R::store(to(i), sum * R::load(factor(i)));
                     });
    }
    for (index_t k = begin; k < end; ++k) {
      const auto d = rows_in_turn(dhidden + (k - begin) * walk::size);
      walk::add_taps(dfirst + k, c, d, rows_of_channel(v.from(k).data, v.stride));
      walk::convolve(d, first + k, c, -1, [to = rows_of_channel(dv.from(k).data, dv.stride)](int i, auto sum) {
        R::store(to(i), R::load(to(i)) + sum);
      });
    }
  }
}

}  // namespace detail

}  // namespace unmask::inline UNMASK_ABI::strip
