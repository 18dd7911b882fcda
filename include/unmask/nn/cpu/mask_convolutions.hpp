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
  static index_t scratch(mask_sizes s) { return (19 * max_chunks + 18) * s.channels; }

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
    using P = simd::pack<T>;
    const index_t c = s.channels, rows = s.batch * s.height, size = 19 * c;
    T* folded = scratch + max_chunks * size;
    fold(folded, p, c);
    parallel_chunks(be, rows, [&](index_t chunk, index_t begin, index_t end, int) {
      T* sums = scratch + chunk * size;  // dK1 [9, C], dK0 [9, C], db3 [C]
      std::fill_n(sums, size, T(0));
      for (index_t row = begin; row < end; ++row) {
        const index_t first = row / s.height * s.height * s.width;
        for (index_t w = 0; w < s.width; ++w) {
          const T* g = dz + (row * s.width + w) * c;
          const auto add = [&](T* to) {
            simd::transform<T>(
                c, to, [](auto a, auto b) { return a + b; }, to, g);
          };
          add(sums + 18 * c);
          T dm = 0;
          detail::each_neighbour(row % s.height, w, s.height, s.width, [&](index_t tap, index_t at) {
            const auto m = P::all(mask[first + at]);
            simd::transform<T>(
                c, sums + tap * c, [&](auto a, auto b) { return P::fma(b, m, a); }, sums + tap * c, g);
            add(sums + (9 + tap) * c);
            // this pixel's mask value reached the neighbour through the opposite tap
            if (dmask)
              dm += simd::sum<T>(
                  c, [](auto a, auto b) { return a * b; }, dz + (first + at) * c, folded + (8 - tap) * c);
          });
          if (dmask) dmask[row * s.width + w] += dm;
        }
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
