#pragma once

/// Sums of spectral attention over the tokens of a set: sum_n left[n, h D + j] right[n, h D + i] for every head, and
/// the squares of both. A set is cut into chunks, a block each, which `gather_chunks` adds up.

#include "../../cuda/launch.cuh"
#include "../spectral_sums.hpp"

namespace unmask::inline UNMASK_ABI {

namespace detail {

/// Blocks that the sums of an image are spread over: about as many as a GPU has processors.
inline constexpr index_t spectral_chunks = 128;

/// Sets of a batch and the chunks that their sums over tokens are cut into: windows are one chunk.
struct spectral_sets {
  token_sets sets;
  int count;          ///< sets of the batch
  int chunk, chunks;  ///< tokens of a chunk, chunks of a set
  int channels, width;
  index_t sums, matrices, gradients;  ///< numbers of a chunk's sums, and that a set keeps forward and backward

  spectral_sets(const spectral_msa& l, const window_grid& grid, index_t batch)
      : sets(token_sets::of(grid, l.scope)), channels(static_cast<int>(l.channels)), width(static_cast<int>(l.width)) {
    const int n = sets.rows * sets.cols;
    count = static_cast<int>(batch) * (sets.height / sets.rows) * (sets.width / sets.cols);
    chunk = l.scope == spectral_scope::window ? n : std::max(64, static_cast<int>(blocks_for(n, spectral_chunks)));
    chunks = static_cast<int>(blocks_for(n, chunk));
    const index_t products = l.channels * l.width;
    sums = products + 2 * l.channels;
    matrices = 2 * products + 2 * l.channels;
    gradients = products + 3 * l.channels;
  }
  int heads() const { return channels / width; }
  index_t pixels() const { return index_t(count) * sets.rows * sets.cols; }
};

template <class T>
struct spectral_sums_body {
  static constexpr int threads = 256;
  T* sums;                      ///< [sets, chunks, C D + 2 C]: products, squares of right, squares of left
  matrix<const T> left, right;  ///< rows of C numbers
  bool squares;
  spectral_sets s;

  std::size_t shared() const { return shared_bytes<int>(s.chunk); }

  template <class Thread>
  UNMASK_DEVICE void operator()(Thread& t) const {
    const int set = static_cast<int>(t.block() / s.chunks), begin = static_cast<int>(t.block() % s.chunks) * s.chunk;
    const int rest = s.sets.tokens() - begin, n = s.chunk < rest ? s.chunk : rest;
    int* const pixel = t.template shared<int>(s.chunk);
    for (int i = t.thread(); i < n; i += threads) pixel[i] = s.sets.pixel(set, begin + i);
    t.sync();
    T* const to = sums + t.block() * s.sums;
    const int products = s.channels * s.width, all = products + (squares ? 2 * s.channels : 0);
    for (int i = t.thread(); i < all; i += threads) {
      const bool product = i < products, of_right = i < products + s.channels;
      const int row = product ? i / s.width : i - products - (of_right ? 0 : s.channels);
      const int col = product ? row / s.width * s.width + i % s.width : row;
      const matrix<const T> a = product || !of_right ? left : right, b = product || of_right ? right : left;
      T sum = 0;
      for (int k = 0; k < n; ++k) sum += a.data[pixel[k] * a.ld + row] * b.data[pixel[k] * b.ld + col];
      to[i] = sum;
    }
  }
};

}  // namespace detail

template <>
struct kernel<op::spectral_sums, cuda> : no_scratch {
  static index_t size(const spectral_msa& l) { return l.channels * l.width + 2 * l.channels; }
  static index_t room(const spectral_msa& l, const batch_grid& s) {
    const detail::spectral_sets sets(l, s.grid, s.batch);
    return sets.count * sets.chunks * sets.sums;
  }

  template <class T>
  static void forward(const cuda& be, T* sums, matrix<const T> left, matrix<const T> right, const spectral_rows& s,
                      bool squares) {
    const detail::spectral_sets sets(s.l, s.part.from.grid, s.part.images);
    const detail::spectral_sums_body<T> body{sums, left, right, squares, sets};
    launch(be, index_t(sets.count) * sets.chunks, body.shared(), body);
  }
};

}  // namespace unmask::inline UNMASK_ABI
