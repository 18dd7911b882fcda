#pragma once

/// Both convolutions of the mask folded into one: z = b3 + sum over taps inside the image of (K1 m + K0), where
///   K1[i, j, o] = sum_c w1[c] W3[i, j, c, o],   K0[i, j, o] = sum_c b1[c] W3[i, j, c, o].
/// 18 E multiply-adds a pixel instead of 9 E^2 + E (30 times less for E = 60), and exact; gradients by the chain rule
///   dW3 = w1 dK1 + b1 dK0,  dw1[c] = sum W3 dK1,  db1[c] = sum W3 dK0.

#include "../../simd/loop.hpp"
#include "../depthwise3x3.hpp"
#include "../mask_convolutions.hpp"

namespace unmask::inline UNMASK_ABI {

template <>
struct kernel<op::mask_convolutions, cpu> {
  static index_t scratch(const cpu&, mask_sizes s) { return (19 * max_chunks + 18) * s.channels; }

  template <class T>
  static void forward(const cpu& be, T* z, const T* mask, embedding_params<const T> p, mask_sizes s, T* scratch) {
    using P = simd::pack<T>;
    const index_t c = s.channels;
    const T *k1 = scratch, *k0 = scratch + 9 * c;
    fold(scratch, p, c);
    parallel_for(be, s.batch * s.height, [&](index_t row, int) {
      const T* image = mask + row / s.height * s.height * s.width;
      for (index_t w = 0; w < s.width; ++w) {
        T* to = z + (row * s.width + w) * c;
        index_t taps[9], count = 0;
        T values[9];
        detail::each_neighbour(row % s.height, w, s.height, s.width, [&](index_t tap, index_t at) {
          taps[count] = tap * c;
          values[count++] = image[at];
        });
        simd::each_pack<T>(c, [&](index_t k, auto access) {
          auto sum = access.load(p.conv3.bias + k);
          for (index_t t = 0; t < count; ++t)
            sum = sum + P::fma(access.load(k1 + taps[t] + k), P::all(values[t]), access.load(k0 + taps[t] + k));
          access.store(to + k, sum);
        });
      }
    });
  }

  template <class T>
  static void backward(const cpu& be, T* dmask, embedding_params<T> d, const T* dz, const T* mask,
                       embedding_params<const T> p, mask_sizes s, T* scratch) {
    const index_t c = s.channels, rows = s.batch * s.height, size = 19 * c;
    T* folded = scratch + max_chunks * size;
    fold(folded, p, c);
    parallel_chunks(be, rows, [&](index_t chunk, index_t begin, index_t end, int) {
      T* sums = scratch + chunk * size;  // dK1 [9, C], dK0 [9, C], db3 [C]
      std::fill_n(sums, size, T(0));
      for (index_t row = begin; row < end; ++row) {
        const T* image = mask + row / s.height * s.height * s.width;
        add_row(sums, dz + row * s.width * c, image, row % s.height, s);
        if (dmask)
          for (index_t w = 0; w < s.width; ++w)
            dmask[row * s.width + w] +=
                mask_gradient(dz + row / s.height * s.height * s.width * c, folded, row % s.height, w, s);
      }
    });
    for (index_t chunk = 1; chunk < chunk_count(rows); ++chunk)
      for (index_t i = 0; i < size; ++i) scratch[i] += scratch[chunk * size + i];
    unfold(d, scratch, p, c);
  }

  /// folded [18, C]: K1 and K0.
  template <class T>
  static void fold(T* folded, embedding_params<const T> p, index_t c) {
    std::fill_n(folded, 18 * c, T(0));
    for (index_t tap = 0; tap < 9; ++tap)
      for (index_t i = 0; i < c; ++i)
        for (index_t o = 0; o < c; ++o) {
          const T w = p.conv3.weight[(tap * c + i) * c + o];
          folded[tap * c + o] += p.conv1_weight[i] * w;
          folded[(9 + tap) * c + o] += p.conv1_bias[i] * w;
        }
  }

 private:
  /// A row's part of dK1, dK0 and db3: a register of channels walks along the row with nine sums in registers. Where a
  /// neighbour is missing depends on the row and on the row's two ends only, so dK0 needs the row's sum and those ends.
  template <class T>
  static void add_row(T* sums, const T* dz, const T* image, index_t h, mask_sizes s) {
    using P = simd::pack<T>;
    const index_t c = s.channels, last = s.width - 1;
    simd::each_pack<T>(c, [&](index_t k, auto access) {
      const auto add = [&](T* to, auto value) { access.store(to + k, access.load(to + k) + value); };
      auto total = P::all(T(0));
      for (index_t w = 0; w <= last; ++w) total = total + access.load(dz + w * c + k);
      add(sums + 18 * c, total);
      const auto left = access.load(dz + k), right = access.load(dz + last * c + k);
      for (index_t i = h == 0 ? 1 : 0; i <= (h == s.height - 1 ? 1 : 2); ++i) {
        const T* m = image + (h + i - 1) * s.width;
        auto s0 = P::all(T(0)), s1 = left * P::all(m[0]), s2 = s0;
        for (index_t w = 1; w <= last; ++w) {
          const auto g = access.load(dz + w * c + k);
          s0 = P::fma(g, P::all(m[w - 1]), s0);
          s1 = P::fma(g, P::all(m[w]), s1);
          s2 = P::fma(access.load(dz + (w - 1) * c + k), P::all(m[w]), s2);
        }
        T *k1 = sums + i * 3 * c, *k0 = k1 + 9 * c;
        add(k1, s0), add(k1 + c, s1), add(k1 + 2 * c, s2);
        add(k0, total - left), add(k0 + c, total), add(k0 + 2 * c, total - right);
      }
    });
  }

  /// A pixel's mask value reached each neighbour through the opposite tap.
  template <class T>
  static T mask_gradient(const T* dz, const T* folded, index_t h, index_t w, mask_sizes s) {
    T sum = 0;
    detail::each_neighbour(h, w, s.height, s.width, [&](index_t tap, index_t at) {
      sum += simd::sum<T>(
          s.channels, [](auto a, auto b) { return a * b; }, dz + at * s.channels, folded + (8 - tap) * s.channels);
    });
    return sum;
  }

  template <class T>
  static void unfold(embedding_params<T> d, const T* sums, embedding_params<const T> p, index_t c) {
    for (index_t o = 0; o < c; ++o) d.conv3.bias[o] += sums[18 * c + o];
    for (index_t tap = 0; tap < 9; ++tap)
      for (index_t i = 0; i < c; ++i) {
        T dw = 0, db = 0;
        for (index_t o = 0; o < c; ++o) {
          const index_t at = (tap * c + i) * c + o;
          const T k1 = sums[tap * c + o], k0 = sums[(9 + tap) * c + o];
          d.conv3.weight[at] += p.conv1_weight[i] * k1 + p.conv1_bias[i] * k0;
          dw += p.conv3.weight[at] * k1;
          db += p.conv3.weight[at] * k0;
        }
        d.conv1_weight[i] += dw;
        d.conv1_bias[i] += db;
      }
  }
};

}  // namespace unmask::inline UNMASK_ABI
