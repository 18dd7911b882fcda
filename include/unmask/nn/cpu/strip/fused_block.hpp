#pragma once

/// The fused passes over all windows of a batch, and the memory that the blocks of a stage share.

#include "../../s2_block.hpp"
#include "../mask_convolutions.hpp"
#include "../width_softmax.hpp"
#include "block_backward.hpp"
#include "image_spectral.hpp"

namespace unmask::inline UNMASK_ABI {

namespace strip {

/// What all blocks of a stage share.
template <class T>
struct shared_memory {
  window_memory<T> windows[max_threads] = {};
  window_gradients<T> gradients[max_threads] = {};  ///< training, as the rest below `row_logits`
  T* shift_masks = nullptr;                         ///< [4][N][N]
  T* fold = nullptr;                                ///< of one block
  T* row_logits = nullptr;                          ///< one a thread
  T* partials = nullptr;                            ///< [max_chunks, gradient_size]
  T* turned = nullptr;                              ///< turned_panels of one pass
  T *e[2] = {}, *de[2] = {};  ///< [B, H, W, C] embeddings of the spatial and the spectral branch, and their gradients
  embedding_scratch<T> embedding;
  image_memory<T> image{};  ///< spectral attention over the image

  template <class Backend>
  void carve(arena& a, const Backend& be, const s2_block& l, index_t batch, bool training) {
    const index_t n = l.grid.tokens(), c = l.channels(), size = batch * l.grid.height * l.grid.width * c;
    shift_masks = a.take<T>(4 * n * n);
    const std::size_t level = a.level();
    fold = a.take<T>(std::max(fold_scratch(l), mask_taps * c));
    row_logits = a.take<T>(thread_slots(be) * (c + mask_taps) * padded<T>(l.grid.width));
    a.release(level);
    for (int slot = 0; slot < thread_slots(be); ++slot) windows[slot].carve(a, l, training);
    if (l.has(branch_kind::spectral) && l.spectral.scope == spectral_scope::image) image.carve(a, be, l);
    if (!training) return;
    for (int slot = 0; slot < thread_slots(be); ++slot) gradients[slot].carve(a, l);
    block_weights<T> weights;
    arena measure;
    weights.carve(measure, l, batch);
    turned = a.take<T>(weights.turned_size(l));
    partials = a.take<T>(max_chunks * gradient_size(l, weights));
    const bool embeds[] = {l.embeds_spatial(), l.embeds_spectral()};
    for (int i = 0; i < 2; ++i)
      if (embeds[i]) e[i] = a.take<T>(size), de[i] = a.take<T>(size);
    if (embeds[0] || embeds[1]) embedding.carve(a, be, {batch, l.grid.height, l.grid.width, c});
  }
};

/// Everything of a block that depends on weights and mask only; mask [B, H, W].
template <class Backend, class T>
void prepare(const Backend& be, const block_weights<T>& w, const s2_block& l, const block_batch<T>& in,
             const block_params<const T>& p, const shared_memory<T>& s) {
  const mask_sizes sizes{in.batch, l.grid.height, l.grid.width, l.channels()};
  fold_block(w, l, p, s.fold);
  if (l.embeds_spatial())
    prepare_mask(be, w.spatial_mask, {in.mask, p.spatial_embedding, l.embedding, sizes}, s.fold, s.row_logits);
  if (l.embeds_spectral())
    prepare_mask(be, w.spectral_mask, {in.mask, p.spectral_embedding, l.embedding, sizes}, s.fold, s.row_logits);
}

/// The embeddings of one window, into w.
template <class T>
void window_embeddings(const window_memory<T>& w, const s2_block& l, const block_weights<T>& b, const T* mask,
                       index_t image) {
  const index_t c = l.channels(), rows_ = image * l.grid.height * c;
  const T* values = mask + image * l.grid.height * l.grid.width;
  if (l.embeds_spatial())
    mask_values(w.spatial_e, w.taps, {values, b.spatial_mask.rows + rows_}, b.spatial_mask, l.embedding, l.grid,
                w.places, c);
  if (l.embeds_spectral())
    mask_values(w.spectral_e, w.taps, {values, b.spectral_mask.rows + rows_}, b.spectral_mask, l.embedding, l.grid,
                w.places, c);
}

/// x; the images after the attention steps, or null; y, which may be x, or null: no further than the attention steps.
template <class T>
struct step_images {
  const T* x;
  T* after[2];
  T* y;
  /// What step i reads; the feed-forward part is the last.
  const T* before(index_t i) const { return i == 0 ? x : after[i - 1]; }
};

/// y = block(x).
template <class Backend, class T>
void block_forward(const Backend& be, const s2_block& l, const step_images<T>& m, const block_batch<T>& in,
                   const block_params<const T>& p, const block_weights<T>& b, const shared_memory<T>& shared) {
  const T *const x = m.x, *const mask = in.mask, *const keep = in.keep;
  T *const *const after = m.after, *const y = m.y;
  const index_t batch = in.batch;
  const index_t c = l.channels(), n = l.grid.tokens(), count = n / width<T>, image = l.grid.height * l.grid.width * c;
  const auto kept = [&](index_t branch, index_t i) { return keep && branch >= 0 ? keep[branch * batch + i] : T(1); };
  const auto one = [&](index_t i, index_t window, const window_memory<T>& w) {
    const auto row = [&](auto* of) {
      return [&w, &l, of, c](index_t t) { return of + (w.places[t].row * l.grid.width + w.places[t].column) * c; };
    };
    window_places(w.places, l.grid, window);
    from_rows(w.x, row(x + i * image), n, c);
    window_embeddings(w, l, b, mask, i);
    for (index_t step = 0; step < attention_step::count(l); ++step) {
      const step_weights<T>& s = b.steps[step];
      normalise(w.n, w.rstd, w.x, c, count);
      project_step(w, l, s);
      attend_step(w, l, s, p, shift_mask(shared.shift_masks, l.grid, window));
      if (s.step.has_spectral() && s.step.over_image) place_image_spectral(w, l, s, row(shared.image.position));
      keep_step(w, l, s, kept(s.step.spatial, i), kept(s.step.spectral, i));
      add_step(w, l, s);
      if (after[step]) to_rows(row(after[step] + i * image), w.x, n, c);
    }
    if (!y) return;
    feed_forward(w, l, b, kept(2, i));
    to_rows(row(y + i * image), w.x, n, c);
  };
  fill_shift_masks(shared.shift_masks, l.grid);
  const step_weights<T>& first = b.steps[0];
  const index_t windows = l.grid.windows();
  if (first.step.has_spectral() && first.step.over_image)
    // the attention of an image is in the weights: one image after the other
    for (index_t i = 0; i < batch; ++i) {
      image_spectral(be, shared.image, l, first, x + i * image, p.spectral[first.step.spectral], shared.windows);
      parallel_for(be, windows, [&](index_t window, int slot) { one(i, window, shared.windows[slot]); });
    }
  else
    parallel_for(be, batch * windows,
                 [&](index_t item, int slot) { one(item / windows, item % windows, shared.windows[slot]); });
}

/// One backward pass over all windows: the sums of each chunk's gradients end in the first chunk.
template <class Backend, class T, class Body>
void over_windows(const Backend& be, const s2_block& l, index_t batch, index_t size, const shared_memory<T>& shared,
                  Body body) {
  const index_t items = batch * l.grid.windows();
  parallel_chunks(be, items, [&](index_t chunk, index_t begin, index_t end, int slot) {
    T* sums = shared.partials + chunk * size;
    std::fill_n(sums, size, T(0));
    for (index_t item = begin; item < end; ++item) {
      const window_memory<T>& w = shared.windows[slot];
      window_places(w.places, l.grid, item % l.grid.windows());
      body(w, shared.gradients[slot], sums, item / l.grid.windows(), item % l.grid.windows());
    }
  });
  reduce_partials(be, shared.partials, {shared.partials + size, size, chunk_count(items) - 1}, size);
}

/// The images after the steps as forward left them.
template <class Backend, class T>
void block_backward(const Backend& be, const s2_block& l, const block_gradients<T>& to, const step_images<T>& m,
                    const block_batch<T>& in, const block_params<const T>& p, const block_weights<T>& b,
                    const shared_memory<T>& shared) {
  const T *const mask = in.mask, *const keep = in.keep;
  const index_t batch = in.batch;
  T* const d = to.d;
  block_params<T>& dp = to.params;
  const index_t c = l.channels(), n = l.grid.tokens(), image = l.grid.height * l.grid.width * c;
  const index_t steps = attention_step::count(l);
  const auto kept = [&](index_t branch, index_t i) { return keep && branch >= 0 ? keep[branch * batch + i] : T(1); };
  const auto row = [&](const window_memory<T>& w, auto* of) {
    return [&w, &l, of, c](index_t t) { return of + (w.places[t].row * l.grid.width + w.places[t].column) * c; };
  };
  fill_shift_masks(shared.shift_masks, l.grid);
  feed_gradients<T> feed;
  const turned_panels<T> turned_feed(shared.turned, b.up, b.down);
  over_windows(be, l, batch, feed_gradients<T>::bind(feed, nullptr, l), shared,
               [&](const auto& w, const auto& g, T* sums, index_t i, index_t) {
                 feed_gradients<T> own;
                 feed_gradients<T>::bind(own, sums, l);
                 from_rows(w.x, row(w, m.before(steps) + i * image), n, c);
                 from_rows(g.d, row(w, d + i * image), n, c);
                 feed_backward(w, g, own, l, b, turned_feed, kept(2, i));
                 to_rows(row(w, d + i * image), g.d, n, c);
               });
  feed_gradients<T>::bind(feed, shared.partials, l);
  unfold_feed(dp, feed, l, p);
  for (index_t step = steps; step-- > 0;) {
    const step_weights<T>& s = b.steps[step];
    const turned_panels<T> turned(shared.turned, s.in, s.out);
    step_gradients<T> sum;
    over_windows(be, l, batch, step_gradients<T>::bind(sum, nullptr, l, s), shared,
                 [&](const auto& w, const auto& g, T* sums, index_t i, index_t window) {
                   step_gradients<T> own;
                   step_gradients<T>::bind(own, sums, l, s);
                   from_rows(w.x, row(w, m.before(step) + i * image), n, c);
                   from_rows(g.d, row(w, d + i * image), n, c);
                   window_embeddings(w, l, b, mask, i);
                   if (l.embeds_spatial()) to_rows(row(w, shared.e[0] + i * image), w.spatial_e, n, c);
                   if (l.embeds_spectral()) to_rows(row(w, shared.e[1] + i * image), w.spectral_e, n, c);
                   const auto put = [&](int which) {
                     return [&, which](T* de) {
                       const auto place = row(w, shared.de[which] + i * image);
                       if (step == steps - 1 || l.branch(0) != l.branch(1)) return to_rows(place, de, n, c);
                       // the second branch of its kind: its embedding has a gradient already
                       from_rows(g.dn, place, n, c);
                       map(
                           de, n * c, [](auto x, auto y) { return x + y; }, de, g.dn);
                       to_rows(place, de, n, c);
                     };
                   };
                   const step_inputs<T> given{l,
                                              s,
                                              p,
                                              turned,
                                              shift_mask(shared.shift_masks, l.grid, window),
                                              kept(s.step.spatial, i),
                                              kept(s.step.spectral, i)};
                   step_backward(w, g, own, given, put(0), put(1));
                   to_rows(row(w, d + i * image), g.d, n, c);
                 });
    step_gradients<T>::bind(sum, shared.partials, l, s);
    unfold_step(dp, sum, s, l, p, shared.fold);
  }
  const mask_sizes sizes{batch, l.grid.height, l.grid.width, c};
  const auto embedding = [&](bool embeds, int which, embedding_params<T> dpe, embedding_params<const T> pe) {
    if (!embeds) return;
    mask_embedding_backward<Backend, T>(be, to.dmask, dpe, shared.de[which], shared.e[which],
                                        {mask, pe, l.embedding, sizes}, shared.embedding);
  };
  embedding(l.embeds_spatial(), 0, dp.spatial_embedding, p.spatial_embedding);
  embedding(l.embeds_spectral(), 1, dp.spectral_embedding, p.spectral_embedding);
}

}  // namespace strip

}  // namespace unmask::inline UNMASK_ABI
