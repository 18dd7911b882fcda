#pragma once

/// What a block is made of: its arrangement, its parameters, and the memory that all blocks of a stage share.

#include "ffn.hpp"
#include "join_branches.hpp"
#include "mask_embedding.hpp"
#include "spatial_msa.hpp"
#include "spectral_msa.hpp"

namespace unmask::inline UNMASK_ABI {

/// How a block combines spatial and spectral attention (the paper's ablation); the feed-forward part follows each.
enum class arrangement {
  parallel_concat,  ///< x += [spa(x), spe(x)] W_r, the paper's choice
  parallel_sum,     ///< x += spa(x) + spe(x)
  spatial_spectral,
  spectral_spatial,
  spatial,
  spectral,
  spatial_spatial,
  spectral_spectral
};

enum class branch_kind { spatial, spectral };

template <class T>
struct block_params;

struct s2_block {
  template <class T>
  using params = block_params<T>;
  arrangement layout;
  spatial_msa spatial;
  spectral_msa spectral;
  ffn feed;
  mask_embedding_kind embedding;
  window_grid grid;

  index_t channels() const { return feed.channels; }
  index_t branches() const { return layout == arrangement::spatial || layout == arrangement::spectral ? 1 : 2; }
  bool parallel() const { return layout == arrangement::parallel_concat || layout == arrangement::parallel_sum; }
  bool sequential() const { return branches() == 2 && !parallel(); }
  branch_kind branch(index_t which) const {
    switch (layout) {
      case arrangement::spatial:
      case arrangement::spatial_spatial:
        return branch_kind::spatial;
      case arrangement::spectral:
      case arrangement::spectral_spectral:
        return branch_kind::spectral;
      case arrangement::spectral_spatial:
        return which == 0 ? branch_kind::spectral : branch_kind::spatial;
      default:
        return which == 0 ? branch_kind::spatial : branch_kind::spectral;
    }
  }
  bool has(branch_kind kind) const { return branch(0) == kind || (branches() == 2 && branch(1) == kind); }
  bool embeds_spatial() const { return has(branch_kind::spatial) && spatial.effect != mask_effect::none; }
  bool embeds_spectral() const { return has(branch_kind::spectral) && spectral.effect != mask_effect::none; }
};

/// `spatial[i]` and `spectral[i]` belong to branch i, where it is of that kind.
template <class T>
struct block_params {
  spatial_params<T> spatial[2];
  spectral_params<T> spectral[2];
  T* reduce;
  ffn_params<T> feed;
  embedding_params<T> spatial_embedding, spectral_embedding;
};

template <class Visitor, class T>
void visit_block(Visitor& v, const s2_block& l, block_params<T>& p) {
  const char* norms[] = {"norm1.", "norm2.", "norm3."};
  for (index_t i = 0; i < l.branches(); ++i) {
    const bool second = i == 1 && l.branch(0) == l.branch(1);
    if (l.branch(i) == branch_kind::spatial)
      visit_spatial(v, l.spatial, norms[i], second ? "spatial2." : "spatial.", p.spatial[i]);
    else
      visit_spectral(v, l.spectral, norms[i], second ? "spectral2." : "spectral.", p.spectral[i]);
  }
  const index_t c = l.channels();
  if (l.layout == arrangement::parallel_concat)
    v(p.reduce, "reduce.weight", {c, 2 * c}, memory_order::reversed, initial::normal);
  visit_ffn(v, l.feed, norms[l.branches()], "ffn.", p.feed);
  if (l.embeds_spatial()) visit_embedding(v, "spatial_embedding.", p.spatial_embedding, c);
  if (l.embeds_spectral()) visit_embedding(v, "spectral_embedding.", p.spectral_embedding, c);
}

template <class Visitor, class T>
void visit_parameters(Visitor& v, const s2_block& l, block_params<T>& p) {
  visit_block(v, l, p);
}

/// The mask as factors of q, k and v, [B, H, W, C] each; null where the block has no use for it.
template <class T>
struct block_embeddings {
  T *spatial = nullptr, *spectral = nullptr;

  void carve(arena& a, const s2_block& l, index_t batch) {
    const index_t image = batch * l.grid.height * l.grid.width * l.channels();
    spatial = l.embeds_spatial() ? a.take<T>(image) : nullptr;
    spectral = l.embeds_spectral() ? a.take<T>(image) : nullptr;
  }
};

/// A device keeps the embeddings of every block, made by `prepare`; a host, which has less memory, makes those of the
/// block at work.
template <class Backend>
inline constexpr bool keeps_embeddings = at_once<Backend>;

template <class T>
struct block_scratch {
  spatial_scratch<T> spatial;
  spectral_scratch<T> spectral;
  ffn_scratch<T> feed;
  embedding_scratch<T> embedding;
  block_embeddings<T> e, de;                      ///< of the block at work, and their gradients
  T *x1 = nullptr, *da = nullptr, *db = nullptr;  ///< [B, H, W, C], training only
  T* reduce = nullptr;                            ///< scratch of the products with W_r

  template <class Backend>
  void carve(arena& a, const Backend& be, const s2_block& l, index_t batch, bool training) {
    const index_t c = l.channels();
    const batch_grid s{batch, l.grid};
    if (!keeps_embeddings<Backend>) e.carve(a, l, batch);
    if (training) {
      de.carve(a, l, batch);
      for (T** p : {&x1, &da, &db}) *p = a.take<T>(s.pixels() * c);
    }
    // the parts work one after the other: their scratch lies in the same place
    const std::size_t level = a.level();
    if (training) reduce = a.take<T>(reduce_scratch(be, linear_sizes{s.pixels(), c, c}));
    a.release(level);
    if (l.has(branch_kind::spatial)) spatial.carve(a, be, l.spatial, s, training);
    a.release(level);
    if (l.has(branch_kind::spectral)) spectral.carve(a, be, l.spectral, s, training);
    a.release(level);
    feed.carve(a, be, l.feed, s.pixels(), training);
    a.release(level);
    embedding.carve(a, be, {batch, l.grid.height, l.grid.width, c});
    a.release(level);
  }
};

}  // namespace unmask::inline UNMASK_ABI
