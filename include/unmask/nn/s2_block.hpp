#pragma once

/// One block of the network in any of its eight arrangements (arXiv 2209.12075; METHOD: "Block").
///   forward   parallel_concat  x1 = x + [a, b] W_r,  a = branch1(x), b = branch2(x)
///             parallel_sum     x1 = x + a + b
///             sequential       x1 = x + a, x1 += b with b = branch2(x + a); one branch: x1 = x + a
///             y = x1 + FFN(x1)
///   gradient  from the back; branches get their own copy of the gradient, the residual path keeps the rest
///   shapes    x, y, a, b [B, H, W, C]; mask [B, H, W]; W_r [2C, C]; keep [3, B] (branch1, branch2, FFN) or null
///   saved     x, a, b; everything else is computed again

#include "s2_block_parts.hpp"

namespace unmask::inline UNMASK_ABI {

namespace op {
struct s2_block {};
}  // namespace op

/// Where a block of a plan reads and writes, [B, H, W, C] each; a and b keep what backward needs besides x.
template <class T>
struct block_images {
  T *x = nullptr, *y = nullptr, *a = nullptr, *b = nullptr;
  bool again = false;  ///< the last of a and b belongs to all blocks: backward has to compute it again
};

/// What a block is given besides images; keep may be null.
template <class T>
struct block_batch {
  const T *mask, *keep;
  index_t batch;
  const T* kept(index_t branch) const { return keep ? keep + branch * batch : nullptr; }
};

/// d holds dy on entry and dx on return. Gradients of parameters accumulate; so does dmask (may be null).
template <class T>
struct block_gradients {
  T *d, *dmask;
  block_params<T>& params;
};

namespace detail {

/// A block at work, composed of the backend's operations.
template <class Backend, class T>
struct block_pass {
  const Backend& be;
  const s2_block& l;
  const block_params<const T>& p;
  const block_batch<T>& in;
  const block_embeddings<T>& e;
  const block_scratch<T>& s;

  batch_grid sizes() const { return {in.batch, l.grid}; }
  row_sizes rows() const { return {sizes().pixels(), l.channels()}; }
  index_t numbers() const { return sizes().pixels() * l.channels(); }
  ffn_batch<T> feed() const { return {in.kept(2), in.batch, sizes().image()}; }
  joined_branches<T> joined(const T* x, const T* a, const T* b) const {
    return {x, a, b, l.layout == arrangement::parallel_concat ? p.reduce : nullptr};
  }
  embedding_inputs<T> embedding(const embedding_params<const T>& params) const {
    return {in.mask, params, l.embedding, {in.batch, l.grid.height, l.grid.width, l.channels()}};
  }

  void embeddings() const {
    if (l.embeds_spatial()) mask_embedding_forward(be, e.spatial, embedding(p.spatial_embedding), s.embedding);
    if (l.embeds_spectral()) mask_embedding_forward(be, e.spectral, embedding(p.spectral_embedding), s.embedding);
  }

  void branch(index_t which, T* y, const T* x) const {
    if (l.branch(which) == branch_kind::spatial)
      spatial_forward(be, l.spatial, branch_images<T>{y, x, e.spatial, in.kept(which)}, p.spatial[which], sizes(),
                      s.spatial);
    else
      spectral_forward(be, l.spectral, branch_images<T>{y, x, e.spectral, in.kept(which)}, p.spectral[which], sizes(),
                       s.spectral);
  }

  /// y must not be x; a and b are what backward needs again.
  void forward(const block_images<T>& m) const {
    const T* const b = l.branches() == 2 ? m.b : nullptr;
    branch(0, m.a, m.x);
    if (l.sequential()) {
      join_branches(be, m.y, joined(m.x, m.a, nullptr), rows());
      branch(1, m.b, m.y);
    } else if (b) {
      branch(1, m.b, m.x);
    }
    join_branches(be, m.y, joined(m.x, m.a, b), rows());
    ffn_forward(be, l.feed, m.y, static_cast<const T*>(m.y), p.feed, feed(), s.feed);
  }

  void branch_gradient(index_t which, const block_gradients<T>& to, const T* dy, const T* x) const {
    if (l.branch(which) == branch_kind::spatial)
      spatial_backward(be, l.spatial, branch_gradients<T>{to.d, s.de.spatial, dy, x, e.spatial, in.kept(which)},
                       to.params.spatial[which], p.spatial[which], sizes(), s.spatial);
    else
      spectral_backward(be, l.spectral, branch_gradients<T>{to.d, s.de.spectral, dy, x, e.spectral, in.kept(which)},
                        to.params.spectral[which], p.spectral[which], sizes(), s.spectral);
  }

  void backward(const block_gradients<T>& to, const block_images<T>& m) const {
    const T* const b = l.branches() == 2 ? m.b : nullptr;
    join_branches(be, s.x1, joined(m.x, m.a, b), rows());
    ffn_backward(be, l.feed, to.d, to.params.feed, static_cast<const T*>(s.x1), p.feed, feed(), s.feed);
    if constexpr (!keeps_embeddings<Backend>) embeddings();
    if (l.embeds_spatial()) fill(be, s.de.spatial, numbers(), T(0));
    if (l.embeds_spectral()) fill(be, s.de.spectral, numbers(), T(0));
    if (l.layout == arrangement::parallel_concat) {
      split_gradient(be, split_branches<T>{s.da, s.db, to.params.reduce}, static_cast<const T*>(to.d),
                     joined(m.x, m.a, b), rows(), s.reduce);
      branch_gradient(0, to, s.da, m.x);
      branch_gradient(1, to, s.db, m.x);
    } else {
      // a branch reads the gradient that the residual path carries on, and adds to it
      copy(be, s.da, static_cast<const T*>(to.d), numbers());
      if (l.sequential()) {
        join_branches(be, s.x1, joined(m.x, m.a, nullptr), rows());
        branch_gradient(1, to, s.da, s.x1);
        copy(be, s.da, static_cast<const T*>(to.d), numbers());
      } else if (b) {
        branch_gradient(1, to, s.da, m.x);
      }
      branch_gradient(0, to, s.da, m.x);
    }
    if (l.embeds_spatial())
      mask_embedding_backward(be, to.dmask, to.params.spatial_embedding, s.de.spatial, static_cast<const T*>(e.spatial),
                              embedding(p.spatial_embedding), s.embedding);
    if (l.embeds_spectral())
      mask_embedding_backward(be, to.dmask, to.params.spectral_embedding, s.de.spectral,
                              static_cast<const T*>(e.spectral), embedding(p.spectral_embedding), s.embedding);
  }
};

}  // namespace detail

/// A block as a plan sees it: how much it keeps, what it prepares from weights and mask, forward and backward. This one
/// is composed of the backend's operations.
template <class Backend>
struct composed_block {
  template <class T>
  struct prepared {
    block_embeddings<T> embeddings;
    void carve(arena& a, const s2_block& l, index_t batch, bool) {
      if (keeps_embeddings<Backend>) embeddings.carve(a, l, batch);
    }
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
  static void prepare(const Backend& be, const prepared<T>& made, const s2_block& l, const block_batch<T>& in,
                      const block_params<const T>& p, const block_scratch<T>& s) {
    if constexpr (keeps_embeddings<Backend>)
      detail::block_pass<Backend, T>{be, l, p, in, made.embeddings, s}.embeddings();
  }
  template <class T>
  static void forward(const Backend& be, const s2_block& l, const block_images<T>& m, const block_batch<T>& in,
                      const block_params<const T>& p, const prepared<T>& made, const block_scratch<T>& s) {
    const detail::block_pass<Backend, T> pass{be, l, p, in, embeddings(made, s), s};
    if constexpr (!keeps_embeddings<Backend>) pass.embeddings();
    pass.forward(m);
  }
  template <class T>
  static void backward(const Backend& be, const s2_block& l, const block_gradients<T>& to, const block_images<T>& m,
                       const block_batch<T>& in, const block_params<const T>& p, const prepared<T>& made,
                       const block_scratch<T>& s) {
    detail::block_pass<Backend, T>{be, l, p, in, embeddings(made, s), s}.backward(to, m);
  }

 private:
  template <class T>
  static const block_embeddings<T>& embeddings(const prepared<T>& made, const block_scratch<T>& s) {
    return keeps_embeddings<Backend> ? made.embeddings : s.e;
  }
};

template <>
struct kernel<op::s2_block, ref> : composed_block<ref> {};

template <>
struct kernel<op::s2_block, cpu>;  // nn/cpu/s2_block.hpp

}  // namespace unmask::inline UNMASK_ABI
