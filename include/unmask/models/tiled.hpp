#pragma once

/// Inference tile by tile, for images whose session would not fit into memory: peak memory depends on the tile and (by
/// a few rows of the cube) on the width of the image, not on its height.
///
///   tile       answers for rows [begin, end) and the same of columns; borders are multiples of `pad_multiple`, so that
///              plain and shifted windows are those of the whole image
///   reads      [from, to): a halo more on each side, cut off at the image's edge
///   blends     the first `ramp` rows and columns behind a border: linear from the tile before to the tile after
///
/// A result is the untiled one, to the bit, where the halo is at least `reach`, with three exceptions that no halo
/// mends (docs/architecture.md):
///   `spans_image`  spectral attention over the image sees one tile only
///   `spans_rows`   the released mask embedding is a softmax along the width: tiles must be as wide as the image
///   image edge     shifted windows hold pixels of the opposite edge, which spectral attention does not mask

#include <vector>

#include "session.hpp"

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
inline std::vector<tile_span> tile_spans(const s2_config& c, index_t size, index_t tile, index_t halo) {
  tile = c.padded(std::max<index_t>(tile, 1)), halo = c.padded(std::max<index_t>(halo, 0));
  const index_t ramp = std::min<index_t>(halo, c.pad_multiple);
  std::vector<tile_span> spans;
  for (index_t at = 0; at < size; at += tile) {
    const index_t end = std::min(size, at + tile);
    spans.push_back({at, end, at == 0 ? 0 : std::min(ramp, end - at), std::max<index_t>(0, at - halo),
                     std::min(size, end + ramp + halo)});
  }
  return spans;
}

template <class T, class Backend>
class tiled_session {
 public:
  /// Errors are those of `session::create`; `parameters` must outlive the object.
  static result<tiled_session> create(Backend be, const s2_config& config, std::span<const T> parameters,
                                      tiling tiles) {
    if (auto ok = check(config); !ok) return ok.error();
    if (tiles.count() == 0) return error(errc::wrong_shape, "tiled_session: no tiles");
    tiled_session s(be, config, parameters, std::move(tiles));
    s.block_ = memory_block(s.own_bytes());
    arena real(s.block_.data(), s.block_.bytes());
    s.carve(real);
    return s;
  }

  /// Bytes that `create` and `run` take together.
  static std::size_t bytes(const s2_config& config, const tiling& tiles, int threads) {
    return session<T, Backend>::bytes(config, tiles.height(), tiles.width(), threads) +
           tiled_session(Backend{}, config, {}, tiles).own_bytes();
  }

  /// read(rows, columns, input [h, w, bands], mask [h, w]) fills the region [from, to) of both axes;
  /// write(rows, columns, cube [h, w, bands]) gets [begin, end), tiles of a row from left to right, rows from the top.
  /// Both return result<>; the first error ends the run.
  template <class Read, class Write>
  result<> run(Read&& read, Write&& write) {
    for (std::size_t i = 0; i < tiles_.rows.size(); ++i)
      for (std::size_t j = 0; j < tiles_.columns.size(); ++j) {
        const tile_span &rows = tiles_.rows[i], &columns = tiles_.columns[j];
        const array_view<T, 3> cube(cube_, rows.size(), columns.size(), config_.bands);
        const array_view<T, 2> mask(mask_, rows.size(), columns.size());
        if (auto done = read(rows, columns, cube, mask); !done) return done;
        auto network = session<T, Backend>::create(be_, config_, parameters_, rows.size(), columns.size(), mask);
        if (!network) return network.error();
        network->run(cube, cube);
        blend(cube, rows, columns, ramp_after(tiles_.rows, i), ramp_after(tiles_.columns, j));
        if (auto done = write(rows, columns, answer(cube, rows, columns)); !done) return done;
      }
    return {};
  }

 private:
  tiled_session(Backend be, const s2_config& config, std::span<const T> parameters, tiling tiles)
      : be_(be), config_(config), parameters_(parameters), tiles_(std::move(tiles)) {}

  static index_t ramp_after(const std::vector<tile_span>& spans, std::size_t i) {
    return i + 1 < spans.size() ? spans[i + 1].ramp : 0;
  }

  std::size_t own_bytes() {
    arena counting;
    carve(counting);
    return counting.peak();
  }

  void carve(arena& a) {
    const index_t h = tiles_.height(), w = tiles_.width(), bands = config_.bands;
    cube_ = a.take<T>(h * w * bands);
    mask_ = a.take<T>(h * w);
    beside_ = a.take<T>(h * ramp_after(tiles_.columns, 0) * bands);
    above_ = a.take<T>(ramp_after(tiles_.rows, 0) * tiles_.columns.back().end * bands);
  }

  /// to = from at the border, its own value a ramp later. Equal values stay what they are, to the bit.
  static void mix(T* to, const T* from, index_t count, index_t step, index_t ramp) {
    const T weight = static_cast<T>(step + 1) / static_cast<T>(ramp + 1);
    for (index_t i = 0; i < count; ++i) to[i] = from[i] + weight * (to[i] - from[i]);
  }

  /// Blends with the tile to the left, then with the row of tiles above, and keeps what the next ones need.
  void blend(array_view<T, 3> x, const tile_span& rows, const tile_span& columns, index_t below, index_t right) {
    const index_t bands = config_.bands, top = rows.begin - rows.from, bottom = rows.end - rows.from,
                  left = columns.begin - columns.from, edge = columns.end - columns.from,
                  width = columns.end - columns.begin, all = tiles_.columns.back().end;
    for (index_t h = top; h < bottom + below; ++h) {
      T* kept = beside_ + (h - top) * ramp_after(tiles_.columns, 0) * bands;
      for (index_t k = 0; k < columns.ramp; ++k) mix(&x(h, left + k, 0), kept + k * bands, bands, k, columns.ramp);
      std::copy_n(x.data() + (h * x.extent(1) + edge) * bands, right * bands, kept);
    }
    for (index_t k = 0; k < rows.ramp; ++k)
      mix(&x(top + k, left, 0), above_ + (k * all + columns.begin) * bands, width * bands, k, rows.ramp);
    for (index_t k = 0; k < below; ++k)
      std::copy_n(&x(bottom + k, left, 0), width * bands, above_ + (k * all + columns.begin) * bands);
  }

  /// What a tile answers for, moved to the front of its memory.
  array_view<const T, 3> answer(array_view<T, 3> x, const tile_span& rows, const tile_span& columns) {
    const index_t h = rows.end - rows.begin, w = columns.end - columns.begin, bands = config_.bands;
    for (index_t r = 0; r < h; ++r)
      std::copy_n(&x(rows.begin - rows.from + r, columns.begin - columns.from, 0), w * bands, cube_ + r * w * bands);
    return array_view<const T, 3>(cube_, h, w, index_t{bands});
  }

  Backend be_;
  s2_config config_;
  std::span<const T> parameters_;
  tiling tiles_;
  memory_block block_;
  T *cube_ = nullptr, *mask_ = nullptr;  ///< of a tile's region: input, then reconstruction; mask
  T* beside_ = nullptr;                  ///< [h, ramp, bands] columns that the tile to the left has for this one
  T* above_ = nullptr;                   ///< [ramp, W, bands] rows that the tiles above have for these
};

}  // namespace unmask::inline UNMASK_ABI
