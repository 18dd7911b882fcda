#pragma once

/// The kernels of a fused block; a thread block is one window.
///   window  everything, where spectral attention is that of the window
///   head    spatial attention, and what spectral attention of an image needs from each window: v and sums of products
///   tail    the rest, when the sums of all windows have become a matrix and v has gone through its convolutions

#include "../../cuda/launch.cuh"
#include "fused_parts.cuh"
#include "spectral_matrix.cuh"

namespace unmask::inline UNMASK_ABI::detail {

template <class Math>
struct fused_window_body {
  using T = typename Math::number;
  using memory = window_memory<Math>;
  static constexpr int threads = memory::threads, least_blocks = memory::least_blocks;
  fused_parts<Math> a;

  constexpr index_t room() const { return std::max(a.spatial_room(), a.spectral_room()); }
  std::size_t shared() const { return memory::shared(room()); }

  template <class Thread>
  UNMASK_DEVICE void operator()(Thread& t) const {
    const int window = static_cast<int>(t.block());
    const memory m(t, room());
    tile_stream<Math> weights(t, a.tiles, m.w, 9 + a.feed_tiles());
    m.find(t, a.sets, window);
    tile<Math> out;
    out.clear();
    a.spatial(t, m, weights, out, window);
    a.spectral_projections(t, m, weights);
    const window_spectral<Math> spectral(m, a.sets.rows, a.channels, a.spectral_width);
    const auto& p = a.p.spectral[1];
    spectral.attend(t, m, p.rescale, p.position0, p.position2, a.kept(window, 1));
    a.spectral_products(t, m, weights, out);
    a.add_branches(t, m, a.x, out, a.kept(window, 0), a.kept(window, 1));
    a.feed(t, m, weights, out, a.kept(window, 2));
    m.store(t, m.x, a.y, a.sets, a.channels);
  }
};

template <class Math>
struct fused_head_body {
  using T = typename Math::number;
  using memory = window_memory<Math>;
  static constexpr int threads = memory::threads, least_blocks = memory::least_blocks;
  fused_parts<Math> a;
  T* v;     ///< [B, H, W, C]
  T* sums;  ///< [B, windows, C D + 2C]
  index_t size;

  constexpr index_t room() const { return a.spatial_room(); }
  std::size_t shared() const { return memory::shared(room()); }

  template <class Thread>
  UNMASK_DEVICE void operator()(Thread& t) const {
    const int window = static_cast<int>(t.block());
    const memory m(t, room());
    tile_stream<Math> weights(t, a.tiles, m.w, 7);
    m.find(t, a.sets, window);
    tile<Math> out;
    out.clear();
    a.spatial(t, m, weights, out, window);
    a.spectral_projections(t, m, weights);
    m.store(t, m.v, v, a.sets, a.channels);
    T* const to = sums + t.block() * size;
    window_products<Math>(t, m, a.sets.tokens(), a.channels, a.spectral_width, [to](int i, T sum) { to[i] = sum; });
    a.add_branches(t, m, a.x, out, a.kept(window, 0), T(0));
    m.store(t, m.x, a.y, a.sets, a.channels);
  }
};

/// In place: x is what the head left.
template <class Math>
struct fused_tail_body {
  using T = typename Math::number;
  using memory = window_memory<Math>;
  static constexpr int threads = memory::threads, least_blocks = memory::least_blocks;
  fused_parts<Math> a;
  const T *v, *pos;  ///< [B, H, W, C], pos through both convolutions
  T* matrices;       ///< of each image; read only
  spectral_sets s;

  static constexpr std::size_t shared() { return memory::shared(0); }

  template <class Thread>
  UNMASK_DEVICE void operator()(Thread& t) const {
    const int window = static_cast<int>(t.block());
    const memory m(t, 0);
    tile_stream<Math> weights(t, a.tiles + 7 * memory::tile_size, m.w, 2 + a.feed_tiles());
    m.find(t, a.sets, window);
    const T factor = a.kept(window, 1);
    const spectral_matrices<T> matrix(matrices, s, window / a.sets.sets());
    m.read(t, m.v, v, a.sets, a.channels);
    t.sync();
    apply_window<Math>(t, m, a.sets.tokens(), a.channels, a.spectral_width, matrix.attention, factor);
    const int n = a.sets.tokens();
    auto* const to = memory::elements(m.k);
    for (int row = t.warp(); row < memory::tokens; row += threads / warp_size)
      for (int c = t.lane(); c < tile_cols; c += warp_size)
        to[row * memory::lda + c] =
            Math::store(row < n && c < a.channels ? pos[index_t(m.pixel[row]) * a.channels + c] * factor : T(0));
    tile<Math> out;
    out.clear();
    a.spectral_products(t, m, weights, out);
    a.add_branches(t, m, a.y, out, T(0), factor);
    a.feed(t, m, weights, out, a.kept(window, 2));
    m.store(t, m.x, a.y, a.sets, a.channels);
  }
};

}  // namespace unmask::inline UNMASK_ABI::detail
