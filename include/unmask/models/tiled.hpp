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

#include "../parallel/communicator.hpp"
#include "session.hpp"
#include "tiling.hpp"

namespace unmask::inline UNMASK_ABI {

template <Model N>
class tiled_session {
 public:
  using T = typename N::value_type;
  using Backend = typename N::backend_type;
  using config_type = typename N::config_type;

  /// Errors are those of `session::create`. The parameters are copied.
  static result<tiled_session> create(Backend be, const config_type& config, std::span<const T> parameters,
                                      tiling tiles) {
    if (auto ok = N::check(config); !ok) return ok.error();
    if (tiles.count() == 0) return error(errc::wrong_shape, "tiled_session: no tiles");
    tiled_session s(be, config, std::move(tiles));
    s.block_ = memory_block(s.bytes());
    arena real(s.block_.data(), s.block_.bytes());
    s.carve(real);
    if (auto ok = s.prepare(parameters); !ok) return ok.error();
    return s;
  }

  /// Bytes that `create` takes.
  static std::size_t bytes(const config_type& config, const tiling& tiles, int threads) {
    Backend be{};
    if constexpr (requires { Backend{.threads = threads}; }) be = Backend{.threads = threads};
    return tiled_session(be, config, tiles).bytes();
  }

  /// A plan without memory: `carve` on a measuring arena, then on a real one that outlives this, then `prepare`. The
  /// configuration has passed `check`, there is at least one tile.
  tiled_session(Backend be, const config_type& config, tiling tiles) : config_(config), tiles_(std::move(tiles)) {
    for (const tile_span& rows : tiles_.rows)
      for (const tile_span& columns : tiles_.columns)
        if (!find(rows.size(), columns.size()))
          sessions_.push_back({rows.size(), columns.size(), session<N>(be, config, {1, rows.size(), columns.size()})});
  }

  void carve(arena& a) {
    const index_t h = tiles_.height(), w = tiles_.width(), bands = config_.bands;
    cube_ = a.take<T>(h * w * bands);
    mask_ = a.take<T>(h * w);
    beside_ = a.take<T>(h * ramp_after(tiles_.columns, 0) * bands);
    above_ = a.take<T>(ramp_after(tiles_.rows, 0) * tiles_.columns.back().end * bands);
    const std::size_t start = a.level();
    for (sized& s : sessions_) {  // tiles take turns, and so do their sessions
      a.release(start);
      s.network.carve(a);
    }
    a.release(a.peak());
    memory_ = a.level() - start;
    last_ = nullptr;
  }

  /// Errors: a number of parameters that contradicts the configuration.
  result<> prepare(std::span<const T> parameters) {
    sized& any = sessions_.front();
    return any.network.prepare(parameters, in<T, 2>(mask_, any.height, any.width));
  }

  /// read(rows, columns, input [h, w, bands], mask [h, w]) fills the region [from, to) of both axes;
  /// write(rows, columns, cube [h, w, bands]) gets [begin, end), tiles of a row from left to right, rows from the top.
  /// Both return result<>; the first error ends the run. No heap.
  ///
  /// Ranks take turns on the tiles; the first of them gets all, blends and writes: only it calls `write`.
  template <class Read, class Write>
  result<> run(Read&& read, Write&& write, communicator& ranks = alone()) {
    int turn = 0;
    for (std::size_t i = 0; i < tiles_.rows.size(); ++i)
      for (std::size_t j = 0; j < tiles_.columns.size(); ++j, turn = (turn + 1) % ranks.size()) {
        const tile_span &rows = tiles_.rows[i], &columns = tiles_.columns[j];
        const array_view<T, 3> cube(cube_, rows.size(), columns.size(), config_.bands);
        if (turn == ranks.rank()) {
          if (auto done = compute(rows, columns, cube, read); !done) return done;
        } else if (!ranks.first()) {
          continue;
        }
        if (const std::span<T> numbers(cube.data(), static_cast<std::size_t>(cube.size())); !ranks.first()) {
          ranks.send(0, numbers);
          continue;
        } else if (turn != 0) {
          ranks.receive(turn, numbers);
        }
        blend(cube, rows, columns, ramp_after(tiles_.rows, i), ramp_after(tiles_.columns, j));
        if (auto done = write(rows, columns, answer(cube, rows, columns)); !done) return done;
      }
    return {};
  }

 private:
  /// Sessions of all sizes lie in the same memory, which belongs to the one that was prepared last.
  struct sized {
    index_t height, width;
    session<N> network;
  };

  /// The network on one tile's region, before it is blended with others.
  template <class Read>
  result<> compute(const tile_span& rows, const tile_span& columns, array_view<T, 3> cube, Read& read) {
    const array_view<T, 2> mask(mask_, rows.size(), columns.size());
    if (auto done = read(rows, columns, cube, mask); !done) return done;
    session<N>& network = take_turn(rows.size(), columns.size());
    if (auto done = network.prepare(network.parameters(), mask); !done) return done;
    network.run(cube, cube);
    return {};
  }

  session<N>* find(index_t height, index_t width) {
    for (sized& s : sessions_)
      if (s.height == height && s.width == width) return &s.network;
    return nullptr;
  }

  /// A session counts on memory that is zero where it has not written; behind the parameters it now has another's.
  session<N>& take_turn(index_t height, index_t width) {
    session<N>* network = find(height, width);
    if (network != last_) {
      const auto parameters = std::as_bytes(network->parameters());
      const auto kept = static_cast<index_t>(parameters.size());
      std::byte* start = reinterpret_cast<std::byte*>(const_cast<T*>(network->parameters().data()));
      std::fill(start + kept, start + memory_, std::byte{});
    }
    return *(last_ = network);
  }

  std::size_t bytes() {
    arena counting;
    carve(counting);
    return counting.peak();
  }

  static index_t ramp_after(const std::vector<tile_span>& spans, std::size_t i) {
    return i + 1 < spans.size() ? spans[i + 1].ramp : 0;
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

  config_type config_;
  tiling tiles_;
  std::vector<sized> sessions_;
  session<N>* last_ = nullptr;  ///< whose turn it is
  std::size_t memory_ = 0;      ///< bytes that they take turns in
  memory_block block_;  ///< empty where the memory is the caller's
  T *cube_ = nullptr, *mask_ = nullptr;  ///< of a tile's region: input, then reconstruction; mask
  T* beside_ = nullptr;                  ///< [h, ramp, bands] columns that the tile to the left has for this one
  T* above_ = nullptr;                   ///< [ramp, W, bands] rows that the tiles above have for these
};

}  // namespace unmask::inline UNMASK_ABI
