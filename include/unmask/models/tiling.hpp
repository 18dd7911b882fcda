#pragma once

/// How an image is cut into tiles for a network: who answers for which pixels, what each tile reads, and how far the
/// network sees.

#include <algorithm>
#include <vector>

#include "s2_parameters.hpp"

namespace unmask::inline UNMASK_ABI {

/// One tile along one axis, in pixels of the image.
struct tile_span {
  index_t begin = 0, end = 0;  ///< answers for
  index_t ramp = 0;            ///< of these, blended with the tile before
  index_t from = 0, to = 0;    ///< reads
  index_t size() const { return to - from; }
};

struct tiling {
  std::vector<tile_span> rows, columns;

  /// The largest region that any tile reads.
  index_t height() const { return largest(rows); }
  index_t width() const { return largest(columns); }
  std::size_t count() const { return rows.size() * columns.size(); }

 private:
  static index_t largest(const std::vector<tile_span>& spans) {
    index_t most = 0;
    for (const tile_span& s : spans) most = std::max(most, s.size());
    return most;
  }
};

/// Whether every pixel of the result depends on the whole image.
inline bool spans_image(const s2_config& c) {
  const s2_block b = make_block(c, 0, 0, c.pad_multiple, c.pad_multiple);
  bool spectral = false;
  for (index_t i = 0; i < b.branches(); ++i) spectral = spectral || b.branch(i) == branch_kind::spectral;
  return spectral && c.scope == spectral_scope::image;
}

/// Whether every pixel depends on its row's whole mask.
inline bool spans_rows(const s2_config& c) {
  const s2_block b = make_block(c, 0, 0, c.pad_multiple, c.pad_multiple);
  return c.embedding == mask_embedding_kind::released && (b.embeds_spatial() || b.embeds_spectral());
}

/// How many pixels away an input pixel can change an output pixel, along one axis and through windows and 3x3
/// convolutions: 1 pixel a convolution; a block reaches to the edges of its windows.
inline index_t reach(const s2_config& c) {
  const auto floor_to = [&](index_t i, index_t shift) {
    const index_t m = c.window, r = (i - shift) % m;
    return i - (r < 0 ? r + m : r);
  };
  index_t most = 0;
  for (index_t pixel = 0; pixel < c.window; ++pixel) {
    index_t low = pixel - 2, high = pixel + 2;  // conv_last and conv_after_body
    for (int i = c.stages; i-- > 0;) {
      --low, ++high;
      for (int j = c.depths[static_cast<std::size_t>(i)]; j-- > 0;) {
        const index_t shift = make_block(c, i, j, c.pad_multiple, c.pad_multiple).grid.shift;
        low = floor_to(low, shift), high = floor_to(high, shift) + c.window - 1;
      }
    }
    most = std::max({most, pixel - low + 1, high - pixel + 1});  // conv_first, and the mask's 3x3
  }
  return most;
}

/// Cuts one axis. `tile` and `halo` are rounded up to `pad_multiple`; a tile of at least `size` is the whole axis.
template <class Config>
std::vector<tile_span> tile_spans(const Config& c, index_t size, index_t tile, index_t halo) {
  tile = c.padded(std::max<index_t>(tile, 1)), halo = c.padded(std::max<index_t>(halo, 0));
  const index_t ramp = std::min<index_t>(halo, c.padded(1));
  std::vector<tile_span> spans;
  for (index_t at = 0; at < size; at += tile) {
    const index_t end = std::min(size, at + tile);
    spans.push_back({at, end, at == 0 ? 0 : std::min(ramp, end - at), std::max<index_t>(0, at - halo),
                     std::min(size, end + ramp + halo)});
  }
  return spans;
}

}  // namespace unmask::inline UNMASK_ABI
