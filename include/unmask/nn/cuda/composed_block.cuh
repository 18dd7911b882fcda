#pragma once

/// A block composed of the operations of the cuda backend: any arrangement, any size, training and inference.
/// s2_block.hpp has the contract. The mask embeddings depend on weights and mask only and are made by `prepare`, once a
/// session or step; backward reads them again.

#include "../s2_block.hpp"
#include "ffn.cuh"
#include "mask_embedding.cuh"
#include "spatial_msa.cuh"
#include "spectral_msa.cuh"

namespace unmask::inline UNMASK_ABI {

/// The mask as factors, [B, H, W, C] each; null where the block has no use for it.
template <class T>
struct cuda_embeddings {
  T *spatial = nullptr, *spectral = nullptr;

  void carve(arena& a, const s2_block& l, index_t batch) {
    const index_t image = batch * l.grid.height * l.grid.width * l.channels();
    spatial = l.embeds_spatial() ? a.take<T>(image) : nullptr;
    spectral = l.embeds_spectral() ? a.take<T>(image) : nullptr;
  }
};

template <class T>
struct cuda_block_scratch {
  cuda_spatial_scratch<T> spatial;
  cuda_spectral_scratch<T> spectral;
  ffn_scratch<T> feed;
  embedding_scratch<T> embedding;
  T *spatial_de = nullptr, *spectral_de = nullptr;  ///< [B, H, W, C] gradients of the embeddings
  T *x1 = nullptr, *da = nullptr, *db = nullptr;    ///< [B, H, W, C]
  T* partials = nullptr;

  void carve(arena& a, const cuda& be, const s2_block& l, index_t batch, bool training) {
    const index_t c = l.channels(), image = batch * l.grid.height * l.grid.width * c;
    if (training) {
      if (l.embeds_spatial()) spatial_de = a.take<T>(image);
      if (l.embeds_spectral()) spectral_de = a.take<T>(image);
      for (T** p : {&x1, &da, &db}) *p = a.take<T>(image);
    }
    // the parts work one after the other: their scratch lies in the same place
    const std::size_t level = a.level();
    if (training) partials = a.take<T>(gradient_chunks(be) * c * c);
    a.release(level);
    if (l.has(branch_kind::spatial)) spatial.carve(a, be, l.spatial, l.grid, batch, training);
    a.release(level);
    if (l.has(branch_kind::spectral)) spectral.carve(a, be, l.spectral, l.grid, batch, training);
    a.release(level);
    feed.carve(a, be, l.feed, training);
    a.release(level);
    embedding.carve(a, be, {batch, l.grid.height, l.grid.width, c});
    a.release(level);
  }
};

namespace detail {

template <class T>
struct add_images_each {
  T* y;
  const T *x, *a, *b;  ///< b may be null
  UNMASK_DEVICE void operator()(index_t i) const { y[i] = b ? x[i] + a[i] + b[i] : x[i] + a[i]; }
};

/// One block at work on a batch.
template <class T>
struct composed_cuda_block {
  const cuda& be;
  const s2_block& l;
  const block_params<const T>& p;
  const T *mask, *keep;
  index_t batch;
  const cuda_embeddings<T>& e;
  const cuda_block_scratch<T>& s;

  index_t pixels() const { return l.grid.height * l.grid.width; }
  index_t size() const { return batch * pixels() * l.channels(); }
  const T* kept(index_t i) const { return keep ? keep + i * batch : nullptr; }

  void branch(index_t which, T* y, const T* x) const {
    if (l.branch(which) == branch_kind::spatial)
      spatial_forward<cuda, T>(be, l.spatial, y, x, e.spatial, kept(which), p.spatial[which], batch, l.grid, s.spatial);
    else
      spectral_forward<cuda, T>(be, l.spectral, y, x, e.spectral, kept(which), p.spectral[which], batch, l.grid,
                                s.spectral);
  }

  void branch_gradient(index_t which, T* dx, const block_params<T>& dp, const T* dy, const T* x) const {
    if (l.branch(which) == branch_kind::spatial)
      spatial_backward<cuda, T>(be, l.spatial, dx, s.spatial_de, dp.spatial[which], dy, x, e.spatial, kept(which),
                                p.spatial[which], batch, l.grid, s.spatial);
    else
      spectral_backward<cuda, T>(be, l.spectral, dx, s.spectral_de, dp.spectral[which], dy, x, e.spectral, kept(which),
                                 p.spectral[which], batch, l.grid, s.spectral);
  }

  /// x1 from x and the branches' results; b may be null.
  void join(T* x1, const T* x, const T* a, const T* b) const {
    const index_t c = l.channels(), n = batch * pixels();
    if (l.layout != arrangement::parallel_concat) return launch_each(be, size(), add_images_each<T>{x1, x, a, b});
    copy(be, x1, x, size());
    for (index_t i = 0; i < 2; ++i)
      multiply(be, blas_product<T>{.c = x1,
                                   .ldc = c,
                                   .a = {i == 0 ? a : b, c},
                                   .b = {p.reduce + i * c * c, c},
                                   .m = n,
                                   .n = c,
                                   .k = c,
                                   .beta = 1});
  }

  /// da, db = d W_r' split in halves, dW_r += [a, b]' d.
  void split(T* dreduce, const T* d, const T* a, const T* b) const {
    const index_t c = l.channels(), n = batch * pixels();
    for (index_t i = 0; i < 2; ++i) {
      add_outer_product<T>(be, dreduce + i * c * c, i == 0 ? a : b, c, d, c, n, c, c, s.partials);
      multiply(be, blas_product<T>{.c = i == 0 ? s.da : s.db,
                                   .ldc = c,
                                   .a = {d, c},
                                   .b = {p.reduce + i * c * c, c, true},
                                   .m = n,
                                   .n = c,
                                   .k = c});
    }
  }

  void forward(T* y, T* a, T* b, const T* x) const {
    branch(0, a, x);
    if (l.sequential()) {
      join(y, x, a, nullptr);
      branch(1, b, y);
    } else if (l.branches() == 2) {
      branch(1, b, x);
    }
    join(y, x, a, l.branches() == 2 ? b : nullptr);
    ffn_forward<cuda, T>(be, l.feed, y, y, kept(2), p.feed, batch, pixels(), s.feed);
  }

  void backward(T* d, T* dmask, block_params<T>& dp, const T* x, const T* a, const T* b) const {
    const T* const second = l.branches() == 2 ? b : nullptr;
    join(s.x1, x, a, second);
    ffn_backward<cuda, T>(be, l.feed, d, dp.feed, s.x1, kept(2), p.feed, batch, pixels(), s.feed);
    if (l.embeds_spatial()) fill(be, s.spatial_de, size(), T(0));
    if (l.embeds_spectral()) fill(be, s.spectral_de, size(), T(0));
    if (l.layout == arrangement::parallel_concat) {
      split(dp.reduce, d, a, b);
      branch_gradient(0, d, dp, s.da, x);
      branch_gradient(1, d, dp, s.db, x);
    } else {
      // a branch reads the gradient that the residual path carries on, and adds to it
      copy<T>(be, s.da, d, size());
      if (l.sequential()) {
        join(s.x1, x, a, nullptr);
        branch_gradient(1, d, dp, s.da, s.x1);
        copy<T>(be, s.da, d, size());
      } else if (second) {
        branch_gradient(1, d, dp, s.da, x);
      }
      branch_gradient(0, d, dp, s.da, x);
    }
    const mask_sizes sizes{batch, l.grid.height, l.grid.width, l.channels()};
    if (l.embeds_spatial())
      mask_embedding_backward<cuda, T>(be, dmask, dp.spatial_embedding, s.spatial_de, e.spatial, mask,
                                       p.spatial_embedding, l.embedding, sizes, s.embedding);
    if (l.embeds_spectral())
      mask_embedding_backward<cuda, T>(be, dmask, dp.spectral_embedding, s.spectral_de, e.spectral, mask,
                                       p.spectral_embedding, l.embedding, sizes, s.embedding);
  }

  /// The embeddings.
  void prepare() const {
    const mask_sizes sizes{batch, l.grid.height, l.grid.width, l.channels()};
    if (l.embeds_spatial())
      mask_embedding_forward<cuda, T>(be, e.spatial, mask, p.spatial_embedding, l.embedding, sizes, s.embedding);
    if (l.embeds_spectral())
      mask_embedding_forward<cuda, T>(be, e.spectral, mask, p.spectral_embedding, l.embedding, sizes, s.embedding);
  }
};

}  // namespace detail

}  // namespace unmask::inline UNMASK_ABI
