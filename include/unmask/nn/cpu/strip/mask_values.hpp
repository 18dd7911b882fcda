#pragma once

/// The mask embedding of a window, computed where it is used: 18 multiply-adds and one exp a value cost 1-2 % of a
/// block, while keeping the values of all blocks would cost 380 MB for the full network at 256 x 256.
///   z = b + sum over taps of K1 m + K0 [inside the image]          (nn/cpu/mask_convolutions.hpp folds K1 and K0)
///   released   e = 2^(z log2 e - n[row]),  n[row] the logarithm of the row's sum along the width, computed once a mask
///   tile_safe  e = 2 / (1 + exp(-z))

#include "../../../simd/math.hpp"
#include "../../mask_embedding.hpp"
#include "../mask_convolutions.hpp"
#include "product.hpp"

namespace unmask::inline UNMASK_ABI::strip {

inline constexpr index_t mask_taps = 18;

/// What the weights make of one block's embedding.
template <class T>
struct mask_weights {
  T *panel, *bias, *inner_bias;  ///< [18, C] as panels, [C], [C] with the sum of K0: no tap outside the image
  T* rows;                       ///< released: [B, H, C] logarithms of the rows' sums

  void carve(arena& a, index_t c, index_t image_rows) {
    panel = a.take<T>(mask_taps * c);
    for (T** p : {&bias, &inner_bias}) *p = a.take<T>(c);
    rows = a.take<T>(image_rows * c);
  }
};

/// x [strips][18][S]: mask values around each token, and 1 where the neighbour exists.
/// Whether all of them lie inside the image.
template <class T, class Place>
bool mask_neighbours(T* x, const T* mask, index_t height, index_t width_, index_t tokens, Place at) {
  constexpr index_t s = width<T>;
  bool inner = true;
  for (index_t t = 0; t < tokens; ++t) {
    const auto [h, w] = at(t);
    T* to = x + t / s * (mask_taps * s) + t % s;
    if (h > 0 && w > 0 && h + 1 < height && w + 1 < width_) {
      const T* from = mask + (h - 1) * width_ + w - 1;
      for (index_t i = 0; i < 3; ++i, from += width_)
        for (index_t j = 0; j < 3; ++j) to[(i * 3 + j) * s] = from[j];
      for (index_t tap = 9; tap < mask_taps; ++tap) to[tap * s] = 1;
      continue;
    }
    inner = false;
    for (index_t tap = 0; tap < mask_taps; ++tap) to[tap * s] = 0;
    unmask::detail::each_neighbour(h, w, height, width_, [&](index_t tap, index_t from) {
      to[tap * s] = mask[from];
      to[(9 + tap) * s] = 1;
    });
  }
  return inner;
}

/// z [strips][C][S] from what mask_neighbours left.
template <class T>
void mask_logits(T* z, const T* x, bool inner, const mask_weights<T>& m, index_t c, index_t count) {
  multiply(rows<T>{z, c * width<T>}, rows<const T>{x, mask_taps * width<T>}, m.panel, inner ? m.inner_bias : m.bias,
           inner ? 9 : mask_taps, c, count, mask_taps);
}

/// Folds both convolutions into `m`; for `released` walks the rows of the padded masks [B, H, W] too.
/// z: `slots` buffers of (C + 18) padded(W) numbers.
template <class Backend, class T>
void prepare_mask(const Backend& be, const mask_weights<T>& m, const embedding_inputs<std::type_identity_t<T>>& in,
                  T* folded, T* z) {
  using P = simd::pack<T>;
  const T* const mask = in.mask;
  const embedding_params<const T>& p = in.p;
  const mask_embedding_kind kind = in.kind;
  const mask_sizes s = in.sizes;
  const index_t c = s.channels;
  kernel<op::mask_convolutions, cpu>::fold(folded, p, c);
  const T log2e = static_cast<T>(1.44269504088896340736),
          scale = kind == mask_embedding_kind::released ? log2e : -log2e;
  for (index_t i = 0; i < mask_taps * c; ++i) folded[i] *= scale;
  pack_panel(m.panel, folded, c, 1, mask_taps, c);
  for (index_t o = 0; o < c; ++o) {
    m.bias[o] = m.inner_bias[o] = p.conv3.bias[o] * scale;
    for (index_t tap = 9; tap < mask_taps; ++tap) m.inner_bias[o] += folded[tap * c + o];
  }
  if (kind != mask_embedding_kind::released) return;
  constexpr index_t lanes = P::lanes;
  const index_t wide = padded<T>(s.width), strips = wide / width<T>;
  parallel_for(be, s.batch * s.height, [&](index_t row, int slot) {
    T *logits = z + slot * (c + mask_taps) * wide, *x = logits + c * wide;
    const bool inner =
        mask_neighbours(x, mask + row / s.height * s.height * s.width, s.height, s.width, wide, [&](index_t t) {
          return place{row % s.height, std::min(t, s.width - 1)};
        });
    mask_logits(logits, x, inner, m, c, strips);
    for (index_t k = 0; k < c; ++k) {
      // tokens past the width repeat the last one: they count for the maximum, not for the sum
      auto most = P::load(logits + k * width<T>);
      const auto each = [&](auto body) {
        for (index_t i = 0; i < wide; i += lanes)
          body(i, logits + i / width<T> * (c * width<T>)+k * width<T> + i % width<T>);
      };
      each([&](index_t, const T* at) { most = P::max(most, P::load(at)); });
      const T top = P::maximum(most);
      auto sum = P::all(T(0));
      T rest = 0;
      each([&](index_t i, const T* at) {
        const auto e = simd::exp2<T>(P::load(at) - P::all(top));
        if (i + lanes <= s.width) {
          sum = sum + e;
        } else {
          T lane[static_cast<std::size_t>(lanes)];
          P::store(lane, e);
          for (index_t j = 0; i + j < s.width; ++j) rest += lane[j];
        }
      });
      m.rows[row * c + k] = top + std::log2(P::sum(sum) + rest);
    }
  });
}

/// An image's mask [H, W], and its rows of the embedding's weights [H, C].
template <class T>
struct image_mask {
  const T *mask, *rows;
};

/// e [strips][C][S] of the window whose tokens lie at `places`.
template <class T>
void mask_values(T* e, T* x, image_mask<std::type_identity_t<T>> image, const mask_weights<T>& m,
                 mask_embedding_kind kind, const window_grid& grid, const place* places, index_t c) {
  const T *const mask = image.mask, *const rows_ = image.rows;
  using P = simd::pack<T>;
  constexpr index_t s = width<T>, lanes = P::lanes;
  const index_t n = grid.tokens();
  const bool inner = mask_neighbours(x, mask, grid.height, grid.width, n, [&](index_t t) { return places[t]; });
  mask_logits(e, x, inner, m, c, n / s);
  const auto one = P::all(T(1)), two = P::all(T(2));
  for (index_t t = 0; t < n; t += lanes) {
    T* at = e + t / s * (c * s) + t % s;
    if (kind == mask_embedding_kind::tile_safe) {
      for (index_t k = 0; k < c; ++k) P::store(at + k * s, two / (one + simd::exp2<T>(P::load(at + k * s))));
      continue;
    }
    // a pack lies in one image row, or in two: 8 x 8 windows with AVX-512
    const T *logs = rows_ + places[t].row * c, *last = rows_ + places[t + lanes - 1].row * c;
    const bool by_halves = grid.side % lanes == 0 || 2 * grid.side == lanes;
    T half[static_cast<std::size_t>(lanes)];
    for (index_t i = 0; i < lanes; ++i) half[i] = 2 * i < lanes ? T(-1) : T(1);
    for (index_t k = 0; k < c; ++k) {
      auto log = P::where_negative(P::load(half), P::all(logs[k]), P::all(last[k]));
      if (!by_halves) {
        T lane[static_cast<std::size_t>(lanes)];
        for (index_t i = 0; i < lanes; ++i) lane[i] = rows_[places[t + i].row * c + k];
        log = P::load(lane);
      }
      P::store(at + k * s, simd::exp2<T>(P::load(at + k * s) - log));
    }
  }
}

}  // namespace unmask::inline UNMASK_ABI::strip
