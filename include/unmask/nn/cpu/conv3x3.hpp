#pragma once

/// 3x3 convolution straight from the image, no im2col buffer: in a channels-last row three neighbouring pixels are 3 C
/// consecutive numbers, so a row of outputs is three products of depth 3 C whose left rows overlap. Weights are packed
/// once a call into panels of two registers of outputs, [panel][9 C][2 packs], padded with zeros: 60 outputs cost 64,
/// and no product has a narrow tail. The border is a shorter product, never a test inside one.

#include <algorithm>
#include <array>

#include "../../core/arena.hpp"
#include "../../simd/pack.hpp"
#include "../conv3x3.hpp"

namespace unmask::inline UNMASK_ABI {

namespace detail {

template <class T>
struct conv_panel {
  using P = simd::pack<T>;
  static constexpr index_t rows = 6;  ///< x 2 packs: 12 of AVX2's 16 registers, enough to hide a latency of 4
  static constexpr index_t width = 2 * P::lanes;
  static constexpr index_t strip = 64;  ///< pixels a panel is used for at once: inputs, weights, sums share L1
  static_assert(conv_sizes::padded(1) % width == 0);

  static index_t count(index_t channels) { return (channels + width - 1) / width; }

  /// sum[R][width] += A[R, k] b[k][width]; A[r, p] is a[r * stride + p], or turned a[p * stride + r].
  /// g++ 12 keeps the sums in registers only if every loop over them is unrolled; inlined into the switch below the
  /// tiles were 2 to 10 % slower.
  template <int R, bool Turned>
  [[gnu::noinline]] static void tile(T* sum, const T* a, index_t stride, const T* b, index_t k) {
    typename P::type s[R][2];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
      for (int w = 0; w < 2; ++w) s[r][w] = P::load(sum + r * width + w * P::lanes);
    for (index_t p = 0; p < k; ++p) {
      const auto b0 = P::load(b + p * width), b1 = P::load(b + p * width + P::lanes);
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) {
        const auto left = P::all(Turned ? a[p * stride + r] : a[r * stride + p]);
        s[r][0] = P::fma(left, b0, s[r][0]);
        s[r][1] = P::fma(left, b1, s[r][1]);
      }
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
      for (int w = 0; w < 2; ++w) P::store(sum + r * width + w * P::lanes, s[r][w]);
  }

  template <bool Turned>
  static void some_rows(index_t m, T* sum, const T* a, index_t stride, const T* b, index_t k) {
    switch (m) {
      case 1:
        return tile<1, Turned>(sum, a, stride, b, k);
      case 2:
        return tile<2, Turned>(sum, a, stride, b, k);
      case 3:
        return tile<3, Turned>(sum, a, stride, b, k);
      case 4:
        return tile<4, Turned>(sum, a, stride, b, k);
      case 5:
        return tile<5, Turned>(sum, a, stride, b, k);
      default:
        return tile<6, Turned>(sum, a, stride, b, k);
    }
  }

  /// body(begin, end) over [0, n) in parts of at most `most`, nearly equal: 64 is nine of 6 and two of 5, never a 1.
  template <class Body>
  static void each_part(index_t n, index_t most, Body&& body) {
    const index_t parts = (n + most - 1) / most;
    for (index_t i = 0; i < parts; ++i) body(chunk_begin(i, parts, n), chunk_begin(i + 1, parts, n));
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

  /// panel[n][width] = x[n][outputs] with rows `stride` apart, padded with zeros; total[width] += their sum.
  static void gather(T* panel, T* total, const T* x, index_t n, index_t stride, index_t outputs) {
    auto t0 = P::load(total), t1 = P::load(total + P::lanes);
    for (index_t i = 0; i < n; ++i, x += stride, panel += width) {
      if (outputs == width) {
        std::copy_n(x, width, panel);
      } else {
        std::fill_n(panel, width, T(0));
        std::copy_n(x, outputs, panel);
      }
      t0 = t0 + P::load(panel);
      t1 = t1 + P::load(panel + P::lanes);
    }
    P::store(total, t0);
    P::store(total + P::lanes, t1);
  }

  /// packed[panel][k][width] = weight(k, o) of a [depth, channels] matrix.
  template <class Weight>
  static void pack(T* packed, index_t depth, index_t channels, Weight&& weight) {
    for (index_t o = 0; o < count(channels) * width; ++o) {
      T* to = packed + o / width * depth * width + o % width;
      for (index_t k = 0; k < depth; ++k) to[k * width] = o < channels ? weight(k, o) : T(0);
    }
  }
};

}  // namespace detail

template <>
struct kernel<op::conv3x3, cpu> {
  template <class T>
  static void forward(const cpu& be, T* y, const T* x, conv_params<const T> p, conv_sizes s, T* packed,
                      const T* add = nullptr) {
    const index_t o = s.out_channels;
    detail::conv_panel<T>::pack(packed, 9 * s.in_channels, o,
                                [=](index_t k, index_t i) { return p.weight[k * o + i]; });
    convolve(be, y, x, packed, p.bias, add, s);
  }

  template <class T>
  static void backward(const cpu& be, T* dx, conv_params<T> d, const T* dy, const T* x, conv_params<const T> p,
                       conv_sizes s, T* partials, T* packed) {
    const index_t c = s.in_channels, o = s.out_channels;
    if (dx) {
      // dx is itself a convolution of dy: taps reversed, channels exchanged
      detail::conv_panel<T>::pack(packed, 9 * o, c,
                                  [=](index_t k, index_t i) { return p.weight[((8 - k / o) * c + i) * o + k % o]; });
      const conv_sizes turned{s.batch, s.height, s.width, o, c};
      convolve<T>(be, dx, dy, packed, nullptr, nullptr, turned);
    }
    parallel_chunks(be, s.batch * s.height, [&](index_t chunk, index_t begin, index_t end, int) {
      T* g = partials + chunk * s.partial();
      std::fill_n(g, s.partial(), T(0));
      for (index_t row = begin; row < end; ++row) weight_gradient(g, dy, x, row, s);
    });
    reduce(be, d.weight, partials, s);
  }

 private:
  /// Whether tap row `i` of image row `row` (counted over the batch) stays in its image.
  static bool row_inside(index_t row, index_t i, conv_sizes s) {
    const index_t h = row % s.height + i - 1;
    return h >= 0 && h < s.height;
  }

  /// y = x * packed weights + bias + add; bias and add may be null.
  template <class T>
  static void convolve(const cpu& be, T* y, const T* x, const T* packed, const T* bias, const T* add, conv_sizes s) {
    using panel = detail::conv_panel<T>;
    const index_t c = s.in_channels, o = s.out_channels;
    parallel_for(be, s.batch * s.height, [=](index_t row, int) {
      alignas(alignment) std::array<T, panel::strip * panel::width> sum;
      panel::each_part(s.width, panel::strip, [&](index_t first, index_t end) {
        for (index_t lane = 0; lane < o; lane += panel::width) {
          const index_t outputs = std::min(panel::width, o - lane);
          std::array<T, panel::width> start{};
          if (bias) std::copy_n(bias + lane, outputs, start.data());
          for (index_t i = 0; i < end - first; ++i)
            std::copy_n(start.data(), panel::width, sum.data() + i * panel::width);
          for (index_t i = 0; i < 3; ++i)
            if (row_inside(row, i, s))
              tap_row(sum.data(), x + (row + i - 1) * s.width * c, packed + (9 * lane + 3 * i * panel::width) * c,
                      first, end, s);
          for (index_t i = 0; i < end - first; ++i) {
            const index_t at = (row * s.width + first + i) * o + lane;
            panel::finish(y + at, sum.data() + i * panel::width, add ? add + at : nullptr, outputs);
          }
        }
      });
    });
  }

  /// Adds one row of taps to the sums of output columns [first, last): three taps at once where all exist.
  template <class T>
  static void tap_row(T* sum, const T* x, const T* weight, index_t first, index_t last, conv_sizes s) {
    using panel = detail::conv_panel<T>;
    const index_t c = s.in_channels;
    const auto taps = [=](index_t begin, index_t end, index_t tap, index_t count) {
      if (begin < end)
        panel::template some_rows<false>(end - begin, sum + (begin - first) * panel::width, x + (begin + tap - 1) * c,
                                         c, weight + tap * c * panel::width, count * c);
    };
    panel::each_part(last - first, panel::rows, [=](index_t from, index_t to) {
      const index_t begin = first + from, end = first + to;
      if (begin > 0 && end < s.width) return taps(begin, end, 0, 3);
      taps(std::max<index_t>(begin, 1), end, 0, 1);
      taps(begin, end, 1, 1);
      taps(begin, std::min(end, s.width - 1), 2, 1);
    });
  }

  /// Adds what one row of dy contributes to g[panel][9 C + 1][width], whose last row is the bias.
  template <class T>
  static void weight_gradient(T* g, const T* dy, const T* x, index_t row, conv_sizes s) {
    using panel = detail::conv_panel<T>;
    const index_t c = s.in_channels, o = s.out_channels;
    alignas(alignment) std::array<T, panel::strip * panel::width> right;
    panel::each_part(s.width, panel::strip, [&](index_t first, index_t last) {
      for (index_t lane = 0; lane < o; lane += panel::width) {
        T* to = g + lane * (9 * c + 1);
        panel::gather(right.data(), to + 9 * c * panel::width, dy + (row * s.width + first) * o + lane, last - first, o,
                      std::min(panel::width, o - lane));
        for (index_t tap = 0; tap < 9; ++tap) {
          if (!row_inside(row, tap / 3, s)) continue;
          const index_t shift = tap % 3 - 1, begin = std::max(first, -shift), end = std::min(last, s.width - shift);
          const T* left = x + ((row + tap / 3 - 1) * s.width + begin + shift) * c;
          if (begin < end)
            panel::each_part(c, panel::rows, [&](index_t i, index_t next) {
              panel::template some_rows<true>(next - i, to + (tap * c + i) * panel::width, left + i, c,
                                              right.data() + (begin - first) * panel::width, end - begin);
            });
        }
      }
    });
  }

  /// Adds the chunks' gradients in order; d.weight and d.bias are neighbours, [9 C + 1, O].
  template <class T>
  static void reduce(const cpu& be, T* d, const T* partials, conv_sizes s) {
    constexpr index_t width = detail::conv_panel<T>::width, slice = 32;
    const index_t rows = 9 * s.in_channels + 1, o = s.out_channels, chunks = chunk_count(s.batch * s.height);
    parallel_for(be, (rows + slice - 1) / slice, [=](index_t at, int) {
      for (index_t k = at * slice; k < std::min(rows, (at + 1) * slice); ++k)
        for (index_t chunk = 0; chunk < chunks; ++chunk)
          for (index_t lane = 0; lane < o; lane += width) {
            const T* from = partials + chunk * s.partial() + (lane * rows + k * width);
            for (index_t i = 0; i < std::min(width, o - lane); ++i) d[k * o + lane + i] += from[i];
          }
    });
  }
};

}  // namespace unmask::inline UNMASK_ABI
