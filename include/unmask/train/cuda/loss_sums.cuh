#pragma once

/// Sums of a loss on a GPU, in double and in an order that depends on the size only: blocks first, their sums by one
/// block. What follows from the sums (the loss, the factors of its gradient) is computed there too and stays on the
/// device, so that a training step waits for nothing.

#include "../../cuda/launch.cuh"
#include "../loss_sums.hpp"

namespace unmask::inline UNMASK_ABI::train {

namespace detail {

/// The scratch of a loss: factors of its gradient stand before the partial sums, at most three of 1024 blocks.
inline constexpr index_t loss_factors = 8, loss_blocks = 1024;

/// partials [blocks, Term::sums] of term(i, sums) over [0, n).
template <class Term>
struct loss_sums_body {
  static constexpr int threads = 256;
  Term term;
  double* partials;
  index_t n;

  template <class Thread>
  UNMASK_DEVICE void operator()(Thread& t) const {
    double* between = t.template shared<double>(threads / warp_size);
    double sum[Term::sums] = {};
    for (index_t i = t.block() * threads + t.thread(); i < n; i += t.blocks() * threads) term(i, sum);
    UNMASK_UNROLL
    for (int s = 0; s < Term::sums; ++s) {
      const double all = block_sum(t, sum[s], between);
      if (t.thread() == 0) partials[t.block() * Term::sums + s] = all;
    }
  }
};

/// finish(sums), by one thread.
template <class Finish>
struct loss_finish_body {
  static constexpr int threads = 256;
  Finish finish;
  const double* partials;
  index_t count;

  template <class Thread>
  UNMASK_DEVICE void operator()(Thread& t) const {
    double* between = t.template shared<double>(threads / warp_size);
    double sum[Finish::sums] = {};
    UNMASK_UNROLL
    for (int s = 0; s < Finish::sums; ++s) {
      double own = 0;
      for (index_t i = t.thread(); i < count; i += threads) own += partials[i * Finish::sums + s];
      sum[s] = block_sum(t, own, between);
    }
    if (t.thread() == 0) finish(sum);
  }
};

template <class Term, class Finish>
void sum_up(const cuda& be, index_t n, const Term& term, const Finish& finish, double* scratch) {
  static_assert(Term::sums == Finish::sums && loss_factors + Term::sums * loss_blocks <= loss_scratch);
  using sums = loss_sums_body<Term>;
  using total = loss_finish_body<Finish>;
  const index_t wanted = blocks_for(n, 8 * sums::threads), blocks = wanted < loss_blocks ? wanted : loss_blocks;
  double* const partials = scratch + loss_factors;
  launch(be, blocks, shared_bytes<double>(sums::threads / warp_size), sums{term, partials, n});
  launch(be, 1, shared_bytes<double>(total::threads / warp_size), total{finish, partials, blocks});
}

/// Rows of [B, H, W, C] inside images [B, H', W', C] that may be padded to the right and at the bottom.
struct row_walk {
  index_t height, row, padded_height, padded_row;  ///< rows of an image, numbers of a row

  /// Where element i of the unpadded images lies in the padded ones.
  constexpr index_t padded(index_t i) const {
    const index_t line = i / row;
    return (line / height * padded_height + line % height) * padded_row + i % row;
  }
  /// The element of the unpadded images at `i` of the padded ones, or -1 in the padding.
  constexpr index_t unpadded(index_t i) const {
    const index_t line = i / padded_row, h = line % padded_height, k = i % padded_row;
    return h < height && k < row ? (line / padded_height * height + h) * row + k : -1;
  }
};

}  // namespace detail

}  // namespace unmask::inline UNMASK_ABI::train
