#pragma once

/// A block in few kernels, for inference: a window is read once, goes through its parts in shared memory
/// (fused_kernels.cuh) and is written where it was. Both branches are parallel, the paper's arrangement. One kernel
/// where spectral attention is that of the window; over the image two, and between them the small ones that its sums
/// and convolutions need.
///   prepared  every matrix as tiles that a block copies to shared memory as they are, projections folded with the
///   halves
///             of W_r:  x1 = x + y_a (P_a R_a) + y_b (P_b R_b) + pos R_b + (p_a R_a + p_b R_b)
///   limits    64 tokens and 64 channels a window, 16 channels a head
/// In the network of the paper a thread block has 92 KB of shared memory in float and tf32 and 75 KB in bf16, so that
/// two or three fit into a multiprocessor of an H100 (228 KB, of which each takes 1 KB more), and one into any GPU's.

#include "fused_kernels.cuh"
#include "positional_term.cuh"
#include "rows.cuh"

namespace unmask::inline UNMASK_ABI {

/// Weights of a block as its kernel reads them.
template <class T>
struct cuda_block_weights {
  T* tiles = nullptr;   ///< q, k, v, P_a R_a; q, k, v, P_b R_b, R_b of spectral attention; W1 and W2 in turns
  T* bias = nullptr;    ///< [2, C] p_a R_a, p_b R_b
  T* folded = nullptr;  ///< [2, C, C]

  static index_t count(const s2_block& l) { return 9 + 2 * blocks_for(l.feed.hidden, detail::tile_cols); }
  void carve(arena& a, const s2_block& l) {
    const index_t c = l.channels();
    // 16 bytes more: tiles are moved by the 16 bytes, wherever the arena's memory begins
    tiles = a.take<T>(count(l) * detail::tile_cols * detail::tile_ldb + 16 / static_cast<index_t>(sizeof(T)));
    bias = a.take<T>(2 * c);
    folded = a.take<T>(2 * c * c);
  }
  template <class Element>
  Element* aligned() const {
    const auto address = reinterpret_cast<std::uintptr_t>(tiles);
    return reinterpret_cast<Element*>((address + 15) / 16 * 16);
  }
};

/// Where spectral attention over an image keeps what its kernels hand on.
template <class T>
struct cuda_fused_scratch {
  T *v = nullptr, *active = nullptr, *pos = nullptr;  ///< [B, H, W, C]
  T *sums = nullptr, *matrices = nullptr;             ///< [B, windows, C D + 2C]; spectral_matrices

  void carve(arena& a, const s2_block& l, index_t batch) {
    if (l.spectral.scope == spectral_scope::window) return;
    const detail::spectral_sets s(l.spectral, l.grid, batch);
    for (T** p : {&v, &active, &pos}) *p = a.take<T>(s.pixels() * l.channels());
    sums = a.take<T>(batch * l.grid.windows() * s.sums);
    matrices = a.take<T>(batch * s.matrices);
  }
};

namespace detail {

/// One block at work on a batch, fused.
template <class T>
struct fused_cuda_block {
  const cuda& be;
  const s2_block& l;
  const block_params<const T>& p;
  const cuda_block_weights<T>& w;
  const cuda_fused_scratch<T>& s;

  static bool fits(const s2_block& l) {
    return l.layout == arrangement::parallel_concat && !affects(l.spectral.effect, mask_effect::v) &&
           l.grid.tokens() <= 64 && l.channels() <= tile_cols && l.spatial.width() <= 16 && l.spectral.width <= 16;
  }

  void prepare() const {
    const index_t c = l.channels();
    const T *const proj[] = {p.spatial[0].proj_weight, p.spectral[1].proj_weight}, *const bias[] = {
                                                                                       p.spatial[0].proj_bias,
                                                                                       p.spectral[1].proj_bias};
    for (index_t i = 0; i < 2; ++i) {
      const blas_factor<T> half{p.reduce + i * c * c, c};
      multiply(be, blas_product<T>{
                       .c = w.folded + i * c * c, .ldc = c, .a = {proj[i], c}, .b = half, .m = c, .n = c, .k = c});
      multiply(be,
               blas_product<T>{.c = w.bias + i * c, .ldc = c, .a = {bias[i], c}, .b = half, .m = 1, .n = c, .k = c});
    }
    with_math<T>(be, [&](auto math) { pack(math); });
  }

  void forward(const block_images<T>& m, const block_embeddings<T>& e, const block_batch<T>& in) const {
    const auto small = [](auto n) { return static_cast<int>(n); };
    with_math<T>(be, [&](auto math) {
      using parts = fused_parts<decltype(math)>;
      const parts a{m.y,
                    m.x,
                    e.spatial,
                    e.spectral,
                    in.keep,
                    w.template aligned<const typename parts::element>(),
                    w.bias,
                    p,
                    token_sets::windows(l.grid),
                    small(in.batch),
                    small(l.channels()),
                    small(l.feed.hidden),
                    small(l.spatial.heads),
                    small(l.spectral.width),
                    small(l.spatial.effect),
                    small(l.spectral.effect),
                    l.spatial.template scale<T>()};
      if (l.spectral.scope == spectral_scope::image) return over_image(a);
      const fused_window_body<decltype(math)> body{a};
      launch(be, in.batch * l.grid.windows(), body.shared(), body);
    });
  }

 private:
  template <class Math>
  void over_image(const fused_parts<Math>& a) const {
    const index_t windows = l.grid.windows(), blocks = a.batch * windows, c = l.channels();
    spectral_sets sets(l.spectral, l.grid, a.batch);
    sets.chunks = static_cast<int>(windows);
    const spectral_params<const T>& q = p.spectral[1];
    const fused_head_body<Math> head{a, s.v, s.sums, sets.sums};
    launch(be, blocks, head.shared(), head);
    gather_chunks(be, s.sums, a.batch, windows, sets.sums);
    launch(be, a.batch, 0, spectral_matrix_body<T>{s.matrices, s.sums, q.rescale, sets});
    launch_rows(be, sets.pixels(), c,
                set_depthwise_each<T>{nullptr, s.active, s.v, c, q.position0, sets.sets, a.channels});
    launch_rows(be, sets.pixels(), c,
                set_depthwise_each<T>{s.pos, nullptr, s.active, c, q.position2, sets.sets, a.channels});
    const fused_tail_body<Math> tail{a, s.v, s.pos, s.matrices, sets};
    launch(be, blocks, tail.shared(), tail);
  }

  template <class Math>
  void pack(Math) const {
    using element = typename Math::element;
    constexpr int size = window_memory<Math>::tile_size;
    const int c = static_cast<int>(l.channels());
    const index_t hidden = l.feed.hidden;
    element* to = w.template aligned<element>();
    const auto add = [&](const T* from, index_t ld, index_t rows, index_t cols) {
      launch_each(be, size, pack_each<Math>{to, from, ld, static_cast<int>(rows), static_cast<int>(cols)});
      to += size;
    };
    for (index_t i = 0; i < 3; ++i) add(p.spatial[0].qkv_weight + i * c, 3 * c, c, c);
    add(w.folded, c, c, c);
    const T* const spectral[] = {p.spectral[1].to_q, p.spectral[1].to_k, p.spectral[1].to_v};
    for (const T* from : spectral) add(from, c, c, c);
    add(w.folded + c * c, c, c, c);
    add(p.reduce + c * c, c, c, c);
    for (index_t h = 0; h < hidden; h += tile_cols) {
      const index_t used = std::min<index_t>(tile_cols, hidden - h);
      add(p.feed.fc1_weight + h, hidden, c, used);
      add(p.feed.fc2_weight + h * c, c, used, c);
    }
  }
};

}  // namespace detail

}  // namespace unmask::inline UNMASK_ABI
