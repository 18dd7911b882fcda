#pragma once

/// The part of a batch that a layer's operations work on at once. A layer is one loop over parts; how a batch is cut is
/// the backend's:
///   host, windows   one window, gathered: its tokens follow one another and stay in cache from operation to operation
///   host, image     one image, where it lies; operations cut it into tiles and share it among the threads
///   device          the whole batch, where it lies: windows are index arithmetic inside the operations (token_sets)

#include <algorithm>

#include "../parallel/parallel_for.hpp"
#include "token_sets.hpp"

namespace unmask::inline UNMASK_ABI {

struct token_part {
  batch_grid from;  ///< the batch that it is a part of
  spectral_scope scope;
  index_t image, images;  ///< the first image, and how many
  index_t window = -1;    ///< of the image, where it is gathered

  constexpr bool gathered() const { return window >= 0; }
  constexpr index_t tokens() const { return gathered() ? from.grid.tokens() : images * from.image(); }
  /// Rows of the part that belong to one image.
  constexpr index_t tokens_of_image() const { return gathered() ? from.grid.tokens() : from.image(); }
  /// The sets of tokens of an image of the part; a gathered window is an image that is one set.
  token_sets sets() const {
    if (!gathered()) return token_sets::of(from.grid, scope);
    const int side = static_cast<int>(from.grid.side);
    return {side, side, side, side, 0};
  }
  /// Sets of the whole part.
  index_t count() const { return gathered() ? 1 : images * sets().sets(); }
};

/// Calls body(backend for its operations, part, slot of scratch, chunk of gradients) for every part. With `chunks`,
/// parts of one chunk follow one another, and there are at most max_chunks of them.
template <class Backend, class Body>
void each_part(const Backend& be, const batch_grid& all, spectral_scope scope, bool chunks, Body&& body) {
  if constexpr (at_once<Backend>) {
    body(be, token_part{all, scope, 0, all.batch}, 0, index_t{0});
  } else if (scope == spectral_scope::image) {
    for (index_t b = 0; b < all.batch; ++b) body(be, token_part{all, scope, b, 1}, 0, index_t{0});
  } else {
    const index_t windows = all.grid.windows();
    const auto one = [&](index_t i, int slot, index_t chunk) {
      body(serial(be), token_part{all, scope, i / windows, 1, i % windows}, slot, chunk);
    };
    if (!chunks) return parallel_for(be, all.batch * windows, [&](index_t i, int slot) { one(i, slot, 0); });
    parallel_chunks(be, all.batch * windows, [&](index_t chunk, index_t begin, index_t end, int slot) {
      for (index_t i = begin; i < end; ++i) one(i, slot, chunk);
    });
  }
}

/// Tokens of the largest part.
template <class Backend>
constexpr index_t part_tokens(const Backend&, const batch_grid& all, spectral_scope scope) {
  if (at_once<Backend>) return all.pixels();
  return scope == spectral_scope::image ? all.image() : all.grid.tokens();
}
/// Parts that work side by side.
template <class Backend>
int part_slots(const Backend& be, spectral_scope scope) {
  return !at_once<Backend> && scope == spectral_scope::image ? 1 : thread_slots(be);
}
/// Whether parts are gathered, and so need room for it.
template <class Backend>
constexpr bool gathers(const Backend&, spectral_scope scope) {
  return !at_once<Backend> && scope == spectral_scope::window;
}

/// A part of an image [.., C]: gathered into `room` [N, C], or where it lies. Null stays null.
template <class T>
const T* part_input(T* room, const T* image, const token_part& part, index_t c) {
  if (!image) return nullptr;
  const T* const from = image + part.image * part.from.image() * c;
  if (!part.gathered()) return from;
  gather_window(room, from, part.from.grid, part.window, c);
  return room;
}

/// Where a part's result goes before `part_store`.
template <class T>
T* part_output(T* room, T* image, const token_part& part, index_t c) {
  return part.gathered() ? room : image + part.image * part.from.image() * c;
}
template <class T>
void part_store(T* image, const T* rows, const token_part& part, index_t c) {
  if (part.gathered())
    scatter_window(image + part.image * part.from.image() * c, rows, T(1), part.from.grid, part.window, c);
}

/// Where what a part adds to an image goes before `part_add`: zeros, or the image itself.
template <class T>
T* part_sum(T* room, T* image, const token_part& part, index_t c) {
  if (!image) return nullptr;
  if (!part.gathered()) return image + part.image * part.from.image() * c;
  std::fill_n(room, part.tokens() * c, T(0));
  return room;
}
template <class T>
void part_add(T* image, const T* rows, const token_part& part, index_t c) {
  if (image && part.gathered())
    scatter_add_window(image + part.image * part.from.image() * c, rows, part.from.grid, part.window, c);
}

}  // namespace unmask::inline UNMASK_ABI
