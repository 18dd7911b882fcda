#pragma once

/// The transforms of Winograd's F(2 x 2, 3 x 3) (Lavin and Gray, arXiv 1509.09308, section 4.1). A tile of 2 x 2
/// outputs y sees 4 x 4 inputs x through 3 x 3 weights w:
///   y = A' [(G w G') * (B' x B)] A, element by element inside the brackets, summed over channels there
/// so that sixteen products, one for each point of a transformed tile, cost 4 multiply-adds an output instead of 9, and
///   dw = G' [sum over tiles of (B' x B) * (A dy A')] G
/// All coefficients are 0, 1, -1 and 1/2.

#include <array>
#include <cstddef>

#include "../conv3x3.hpp"
#include "conv_panel.hpp"

namespace unmask::inline UNMASK_ABI::detail {

/// Neighbouring tiles of one row of tiles.
struct tile_strip {
  index_t image, row, first, count;  ///< row and first in tiles
};

template <class T>
struct winograd {
  using P = simd::pack<T>;
  using V = typename P::type;
  using panel = conv_panel<T>;
  static constexpr index_t points = conv_sizes::points, strip = conv_sizes::strip, width = panel::width,
                           apart = conv_sizes::apart(width);

  static void spread_input(V (&to)[4], const V (&x)[4]) {
    to[0] = x[0] - x[2], to[1] = x[1] + x[2], to[2] = x[2] - x[1], to[3] = x[1] - x[3];
  }
  static void spread_output(V (&to)[4], const V (&y)[2]) {
    to[0] = y[0], to[1] = y[0] + y[1], to[2] = y[0] - y[1], to[3] = P::all(T(0)) - y[1];
  }
  static void gather_output(V (&to)[2], const V (&m)[4]) { to[0] = m[0] + m[1] + m[2], to[1] = m[1] - m[2] - m[3]; }
  static void spread_weight(V (&to)[4], const V (&w)[3]) {
    const V half = P::all(T(0.5)), outer = half * (w[0] + w[2]), middle = half * w[1];
    to[0] = w[0], to[1] = outer + middle, to[2] = outer - middle, to[3] = w[2];
  }
  static void gather_weight(V (&to)[3], const V (&m)[4]) {
    const V half = P::all(T(0.5)), sum = half * (m[1] + m[2]);
    to[0] = m[0] + sum, to[1] = half * (m[1] - m[2]), to[2] = sum + m[3];
  }

  /// to[j] = f(column j of `from`).
  template <std::size_t C, std::size_t N, std::size_t M, class F>
  static void each_column(V (&to)[C][N], const V (&from)[M][C], F f) {
#pragma GCC unroll 4
    for (std::size_t j = 0; j < C; ++j) {
      V column[M];
#pragma GCC unroll 4
      for (std::size_t i = 0; i < M; ++i) column[i] = from[i][j];
      f(to[j], column);
    }
  }

  /// Both directions of a tile: the second pass meets the rows as columns and turns the tile back.
  template <std::size_t N, std::size_t M, class F>
  static void both_ways(V (&out)[N][N], const V (&in)[M][M], F f) {
    V turned[M][N];
    each_column(turned, in, f);
    each_column(out, turned, f);
  }

  /// to[point][strip][padded channels] = B' x B; zeros outside the image. `zeros` holds as many as there are channels.
  static void input(T* to, const T* x, const T* zeros, const conv_sizes& s, const tile_strip& at) {
    const index_t c = s.in_channels, ld = conv_sizes::padded(c);
    for (index_t tile = 0; tile < at.count; ++tile, to += ld) {
      const T* pixel[4][4];
      for (index_t i = 0; i < 4; ++i)
        for (index_t j = 0; j < 4; ++j) {
          const index_t h = 2 * at.row + i - 1, w = 2 * (at.first + tile) + j - 1;
          const bool inside = h >= 0 && h < s.height && w >= 0 && w < s.width;
          pixel[i][j] = inside ? x + ((at.image * s.height + h) * s.width + w) * c : zeros;
        }
      if (c < P::lanes) {
        spread_pixels(to, ld, pixel, [=](const T* p) { return P::load_part(p, c, T(0)); });
        continue;
      }
      for (index_t k = 0; k < c; k += P::lanes) {
        const index_t lane = std::min(k, c - P::lanes);  // the last register may repeat channels
        spread_pixels(to + lane, ld, pixel, [=](const T* p) { return P::load(p + lane); });
      }
    }
  }

  /// packed[panel][point][depth][width] = G w G' of weight(tap, k, o), o < channels.
  template <class Weight>
  static void weights(T* packed, index_t depth, index_t channels, Weight&& weight) {
    for (index_t lane = 0; lane < channels; lane += width)
      for (index_t k = 0; k < depth; ++k) {
        std::array<T, static_cast<std::size_t>(9 * width)> taps{};
        for (index_t tap = 0; tap < 9; ++tap)
          for (index_t i = 0; i < std::min(width, channels - lane); ++i)
            taps[static_cast<std::size_t>(tap * width + i)] = weight(tap, k, lane + i);
        T* const to = packed + (lane * points * depth + k * width);
        for (index_t l = 0; l < width; l += P::lanes) {
          V w[3][3], u[4][4];
          for (index_t i = 0; i < 9; ++i) w[i / 3][i % 3] = P::load(taps.data() + i * width + l);
          both_ways(u, w, spread_weight);
          for (index_t i = 0; i < points; ++i) P::store(to + i * depth * width + l, u[i / 4][i % 4]);
        }
      }
  }

  /// y = A' m A + bias + add for outputs [lane, lane + width) of a strip; m [point][apart]; bias and add may be null.
  static void output(T* y, const T* m, const T* bias, const T* add, const conv_sizes& s, const tile_strip& at,
                     index_t lane) {
    const index_t outputs = std::min(width, s.out_channels - lane);
    const V start[2] = {some(bias ? bias + lane : nullptr, outputs, 0), some(bias ? bias + lane : nullptr, outputs, 1)};
    for (index_t tile = 0; tile < at.count; ++tile) {
      std::array<T, static_cast<std::size_t>(4 * width)> sum;
      for (index_t half = 0; half < 2; ++half) {
        V of_point[4][4], of_pixel[2][2];
#pragma GCC unroll 16
        for (index_t i = 0; i < points; ++i)
          of_point[i / 4][i % 4] = P::load(m + i * apart + tile * width + half * P::lanes);
        both_ways(of_pixel, of_point, gather_output);
#pragma GCC unroll 4
        for (index_t i = 0; i < 4; ++i)
          P::store(sum.data() + i * width + half * P::lanes, of_pixel[i / 2][i % 2] + start[half]);
      }
      for (index_t i = 0; i < 4; ++i)
        if (const index_t pixel = pixel_of(i, s, at, tile); pixel >= 0) {
          const index_t o = pixel * s.out_channels + lane;
          finish(y + o, sum.data() + i * width, add ? add + o : nullptr, outputs);
        }
    }
  }

  /// to[point][apart] = A dy A' for outputs [lane, lane + width); zeros outside the image.
  static void output_gradient(T* to, const T* dy, const conv_sizes& s, const tile_strip& at, index_t lane) {
    const index_t outputs = std::min(width, s.out_channels - lane);
    for (index_t tile = 0; tile < at.count; ++tile)
      for (index_t half = 0; half < 2; ++half) {
        V of_pixel[2][2], of_point[4][4];
#pragma GCC unroll 4
        for (index_t i = 0; i < 4; ++i) {
          const index_t pixel = pixel_of(i, s, at, tile);
          of_pixel[i / 2][i % 2] = some(pixel < 0 ? nullptr : dy + pixel * s.out_channels + lane, outputs, half);
        }
        both_ways(of_point, of_pixel, spread_output);
#pragma GCC unroll 16
        for (index_t i = 0; i < points; ++i)
          P::store(to + i * apart + tile * width + half * P::lanes, of_point[i / 4][i % 4]);
      }
  }

  /// taps[9][width] = G' m G of the sum of `chunks` partial sums m[point * stride][width], `size` from each other.
  static void weight_sums(T* taps, const T* m, index_t chunks, index_t size, index_t stride) {
    for (index_t l = 0; l < width; l += P::lanes) {
      V sum[4][4], w[3][3];
      for (index_t i = 0; i < points; ++i) {
        const T* const from = m + i * stride + l;
        V all = P::load(from);
        for (index_t chunk = 1; chunk < chunks; ++chunk) all = all + P::load(from + chunk * size);
        sum[i / 4][i % 4] = all;
      }
      both_ways(w, sum, gather_weight);
      for (index_t i = 0; i < 9; ++i) P::store(taps + i * width + l, w[i / 3][i % 3]);
    }
  }

 private:
  /// Where output i of a tile lies, -1 outside the image.
  static index_t pixel_of(index_t i, const conv_sizes& s, const tile_strip& at, index_t tile) {
    const index_t h = 2 * at.row + i / 2, w = 2 * (at.first + tile) + i % 2;
    return h < s.height && w < s.width ? (at.image * s.height + h) * s.width + w : -1;
  }

  /// Half 0 or 1 of a panel's numbers of which `count` exist, the rest and all of none are zero.
  static V some(const T* p, index_t count, index_t half) {
    const index_t left = count - half * P::lanes;
    if (!p || left <= 0) return P::all(T(0));
    return left < P::lanes ? P::load_part(p + half * P::lanes, left, T(0)) : P::load(p + half * P::lanes);
  }

  template <class Load>
  static void spread_pixels(T* to, index_t ld, const T* const (&pixel)[4][4], Load load) {
    V in[4][4], out[4][4];
#pragma GCC unroll 16
    for (index_t i = 0; i < points; ++i) in[i / 4][i % 4] = load(pixel[i / 4][i % 4]);
    both_ways(out, in, spread_input);
#pragma GCC unroll 16
    for (index_t i = 0; i < points; ++i) P::store(to + i * conv_sizes::apart(ld), out[i / 4][i % 4]);
  }

  /// y[outputs] = sum[outputs] + add[outputs]; add may be null or y. The second pack may overlap the first.
  static void finish(T* y, const T* sum, const T* add, index_t outputs) {
    const index_t second = outputs - P::lanes;
    if (second < 0) {
      const auto value = P::load(sum);
      return P::store_part(y, outputs, add ? value + P::load_part(add, outputs, T(0)) : value);
    }
    auto v0 = P::load(sum), v1 = P::load(sum + second);
    if (add) v0 = v0 + P::load(add), v1 = v1 + P::load(add + second);
    P::store(y, v0);
    P::store(y + second, v1);
  }
};

}  // namespace unmask::inline UNMASK_ABI::detail
