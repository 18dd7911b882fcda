#pragma once

/// One block of the network in any of its eight arrangements (arXiv 2209.12075; METHOD: "Block").
///   forward   parallel_concat  x1 = x + [a, b] W_r,  a = branch1(x), b = branch2(x)
///             parallel_sum     x1 = x + a + b
///             sequential       x1 = x + a, x1 += b with b = branch2(x + a); one branch: x1 = x + a
///             y = x1 + FFN(x1)
///   gradient  from the back; branches get their own copy of the gradient, the residual path keeps the rest
///   shapes    x, y, a, b [B, H, W, C]; mask [B, H, W]; W_r [2C, C]; keep [3, B] (branch1, branch2, FFN) or null
///   saved     x, a, b; everything else is computed again

#include "ffn.hpp"
#include "s2_block_parts.hpp"

namespace unmask::inline UNMASK_ABI {

namespace detail {

template <class Backend, class T>
void block_embeddings(const Backend& be, const s2_block& l, const T* mask, const block_params<const T>& p,
                      index_t batch, const block_scratch<T>& s) {
  const mask_sizes sizes{batch, l.grid.height, l.grid.width, l.channels()};
  if (l.embeds_spatial())
    mask_embedding_forward(be, s.spatial_e, mask, p.spatial_embedding, l.embedding, sizes, s.embedding);
  if (l.embeds_spectral())
    mask_embedding_forward(be, s.spectral_e, mask, p.spectral_embedding, l.embedding, sizes, s.embedding);
}

template <class Backend, class T>
void branch_forward(const Backend& be, const s2_block& l, index_t which, T* y, const T* x, const T* keep,
                    const block_params<const T>& p, index_t batch, const block_scratch<T>& s) {
  if (l.branch(which) == branch_kind::spatial)
    spatial_forward(be, l.spatial, y, x, l.embeds_spatial() ? s.spatial_e : nullptr, keep, p.spatial[which], batch,
                    l.grid, s.spatial);
  else
    spectral_forward(be, l.spectral, y, x, l.embeds_spectral() ? s.spectral_e : nullptr, keep, p.spectral[which], batch,
                     l.grid, s.spectral);
}

template <class Backend, class T>
void branch_backward(const Backend& be, const s2_block& l, index_t which, T* dx, const block_params<T>& dp, const T* dy,
                     const T* x, const T* keep, const block_params<const T>& p, index_t batch,
                     const block_scratch<T>& s) {
  if (l.branch(which) == branch_kind::spatial)
    spatial_backward(be, l.spatial, dx, l.embeds_spatial() ? s.spatial_de : nullptr, dp.spatial[which], dy, x,
                     l.embeds_spatial() ? s.spatial_e : nullptr, keep, p.spatial[which], batch, l.grid, s.spatial);
  else
    spectral_backward(be, l.spectral, dx, l.embeds_spectral() ? s.spectral_de : nullptr, dp.spectral[which], dy, x,
                      l.embeds_spectral() ? s.spectral_e : nullptr, keep, p.spectral[which], batch, l.grid, s.spectral);
}

/// x1 from x and the branches' results (a sequential block's second branch is added here too).
template <class Backend, class T>
void join_branches(const Backend& be, const s2_block& l, T* x1, const T* x, const T* a, const T* b,
                   const block_params<const T>& p, index_t batch) {
  const index_t c = l.channels(), n = batch * l.grid.height * l.grid.width;
  const bool concat = l.layout == arrangement::parallel_concat;
  parallel_tiles(be, n, n, [&](index_t, index_t at, index_t count, int) {
    const index_t from = at * c, size = count * c;
    if (concat) {
      std::copy_n(x + from, size, x1 + from);
      multiply_add(be, x1 + from, c, rows_of(a + from, c), p.reduce, c, count, c, c);
      multiply_add(be, x1 + from, c, rows_of(b + from, c), p.reduce + c * c, c, count, c, c);
    } else if (b) {
      for (index_t i = from; i < from + size; ++i) x1[i] = x[i] + a[i] + b[i];
    } else {
      for (index_t i = from; i < from + size; ++i) x1[i] = x[i] + a[i];
    }
  });
}

/// da, db = d W_r' split in halves, dW_r += [a, b]' d.
template <class Backend, class T>
void split_concat(const Backend& be, const s2_block& l, const block_params<T>& dp, const T* d, const T* a, const T* b,
                  const block_params<const T>& p, index_t batch, const block_scratch<T>& s) {
  const index_t c = l.channels(), n = batch * l.grid.height * l.grid.width, half = c * c;
  for (index_t i = 0; i < 2; ++i) transpose(s.reduce_turned + i * half, c, p.reduce + i * half, c, c, c);
  std::fill_n(s.partials, max_chunks * 2 * half, T(0));
  parallel_tiles(be, n, max_chunks, [&](index_t chunk, index_t at, index_t count, int) {
    T* g = s.partials + chunk * 2 * half;
    const T* from = d + at * c;
    linear_backward_parameters(be, g, static_cast<T*>(nullptr), from, c, a + at * c, c, count, c, c);
    linear_backward_parameters(be, g + half, static_cast<T*>(nullptr), from, c, b + at * c, c, count, c, c);
    linear_backward_input(be, s.da + at * c, c, from, c, s.reduce_turned, count, c, c);
    linear_backward_input(be, s.db + at * c, c, from, c, s.reduce_turned + half, count, c, c);
  });
  reduce_partials(be, dp.reduce, s.partials, max_chunks, 2 * half);
}

}  // namespace detail

/// y must not be x; a and b are what backward needs again.
template <class Backend, class T>
void block_forward(const Backend& be, const s2_block& l, T* y, T* a, T* b, const T* x, const T* mask, const T* keep,
                   const block_params<const T>& p, index_t batch, const block_scratch<T>& s) {
  const auto kept = [&](index_t i) { return keep ? keep + i * batch : nullptr; };
  detail::block_embeddings(be, l, mask, p, batch, s);
  detail::branch_forward(be, l, 0, a, x, kept(0), p, batch, s);
  if (l.sequential()) {
    detail::join_branches<Backend, T>(be, l, y, x, a, nullptr, p, batch);
    detail::branch_forward(be, l, 1, b, y, kept(1), p, batch, s);
  } else if (l.branches() == 2) {
    detail::branch_forward(be, l, 1, b, x, kept(1), p, batch, s);
  }
  detail::join_branches<Backend, T>(be, l, y, x, a, l.branches() == 2 ? b : nullptr, p, batch);
  ffn_forward(be, l.feed, y, y, kept(2), p.feed, batch, l.grid.height * l.grid.width, s.feed);
}

/// d holds dy on entry and dx on return. Gradients of parameters accumulate; so does dmask (may be null).
template <class Backend, class T>
void block_backward(const Backend& be, const s2_block& l, T* d, T* dmask, block_params<T>& dp, const T* x, const T* a,
                    const T* b, const T* mask, const T* keep, const block_params<const T>& p, index_t batch,
                    const block_scratch<T>& s) {
  const index_t pixels = l.grid.height * l.grid.width, size = batch * pixels * l.channels();
  const auto kept = [&](index_t i) { return keep ? keep + i * batch : nullptr; };
  detail::join_branches<Backend, T>(be, l, s.x1, x, a, l.branches() == 2 ? b : nullptr, p, batch);
  ffn_backward(be, l.feed, d, dp.feed, s.x1, kept(2), p.feed, batch, pixels, s.feed);
  detail::block_embeddings(be, l, mask, p, batch, s);
  if (l.embeds_spatial()) std::fill_n(s.spatial_de, size, T(0));
  if (l.embeds_spectral()) std::fill_n(s.spectral_de, size, T(0));
  if (l.layout == arrangement::parallel_concat) {
    detail::split_concat<Backend, T>(be, l, dp, d, a, b, p, batch, s);
    detail::branch_backward(be, l, 0, d, dp, s.da, x, kept(0), p, batch, s);
    detail::branch_backward(be, l, 1, d, dp, s.db, x, kept(1), p, batch, s);
  } else {
    std::copy_n(d, size, s.da);
    if (l.sequential()) {
      detail::join_branches<Backend, T>(be, l, s.x1, x, a, nullptr, p, batch);
      detail::branch_backward(be, l, 1, d, dp, s.da, s.x1, kept(1), p, batch, s);
      std::copy_n(d, size, s.da);
    } else if (l.branches() == 2) {
      detail::branch_backward(be, l, 1, d, dp, s.da, x, kept(1), p, batch, s);
    }
    detail::branch_backward(be, l, 0, d, dp, s.da, x, kept(0), p, batch, s);
  }
  const mask_sizes sizes{batch, l.grid.height, l.grid.width, l.channels()};
  if (l.embeds_spatial())
    mask_embedding_backward(be, dmask, dp.spatial_embedding, s.spatial_de, s.spatial_e, mask, p.spatial_embedding,
                            l.embedding, sizes, s.embedding);
  if (l.embeds_spectral())
    mask_embedding_backward(be, dmask, dp.spectral_embedding, s.spectral_de, s.spectral_e, mask, p.spectral_embedding,
                            l.embedding, sizes, s.embedding);
}

namespace op {
struct s2_block {};
}  // namespace op

/// Where a block of a plan reads and writes, [B, H, W, C] each; a and b keep what backward needs besides x.
template <class T>
struct block_images {
  T *x = nullptr, *y = nullptr, *a = nullptr, *b = nullptr;
  bool again = false;  ///< the last of a and b belongs to all blocks: backward has to compute it again
};

/// A block as a plan sees it: how much it keeps, what it prepares from weights and mask, forward and backward. This one
/// is composed of the backend's operations and prepares nothing.
template <class Backend>
struct composed_block {
  template <class T>
  struct prepared {
    void carve(arena&, const s2_block&, index_t, bool) {}
  };
  template <class T>
  using scratch = block_scratch<T>;

  /// Whether y may be x in inference.
  template <class T>
  static bool in_place(const s2_block&) {
    return false;
  }
  /// Images that it needs besides x and y.
  template <class T>
  static index_t extra_images(const s2_block& l, bool) {
    return l.branches();
  }
  /// Whether it can do without the last of them until backward.
  template <class T>
  static bool repeats(const s2_block&) {
    return false;
  }
  template <class T>
  static void prepare(const Backend&, const prepared<T>&, const s2_block&, const T*, const block_params<const T>&,
                      index_t, const scratch<T>&) {}
  template <class T>
  static void forward(const Backend& be, const s2_block& l, const block_images<T>& m, const T* mask, const T* keep,
                      const block_params<const T>& p, index_t batch, const prepared<T>&, const scratch<T>& s) {
    block_forward<Backend, T>(be, l, m.y, m.a, m.b, m.x, mask, keep, p, batch, s);
  }
  template <class T>
  static void backward(const Backend& be, const s2_block& l, T* d, T* dmask, block_params<T>& dp,
                       const block_images<T>& m, const T* mask, const T* keep, const block_params<const T>& p,
                       index_t batch, const prepared<T>&, const scratch<T>& s) {
    block_backward<Backend, T>(be, l, d, dmask, dp, m.x, m.a, m.b, mask, keep, p, batch, s);
  }
};

template <>
struct kernel<op::s2_block, ref> : composed_block<ref> {};

template <>
struct kernel<op::s2_block, cpu>;  // nn/cpu/s2_block.hpp

}  // namespace unmask::inline UNMASK_ABI
