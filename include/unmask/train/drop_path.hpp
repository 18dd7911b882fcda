#pragma once

/// Stochastic depth (Huang et al., arXiv 1603.09382), a sample and residual branch at a time: the branch counts 0 times
/// with probability p, else 1 / (1 - p) times. p grows linearly from 0 at the first block to `rate` at the last.
/// The factors are a pure function of (seed, step), so that resume is exact.

#include <cstdint>

#include "../core/random.hpp"

namespace unmask::inline UNMASK_ABI::train {

/// `keep` [branches, batch]; every block has branches / blocks of them.
template <class T>
void draw_keep(T* keep, index_t branches, index_t batch, index_t blocks, double rate, std::uint64_t seed,
               index_t step) {
  unmask::random draw(seed ^ 0x64726f7070617468u, static_cast<std::uint64_t>(step));
  for (index_t branch = 0; branch < branches; ++branch) {
    const index_t block = branch * blocks / branches;
    const double p = blocks > 1 ? rate * static_cast<double>(block) / static_cast<double>(blocks - 1) : 0;
    for (index_t b = 0; b < batch; ++b) *keep++ = draw.uniform() < p ? T{0} : static_cast<T>(1 / (1 - p));
  }
}

}  // namespace unmask::inline UNMASK_ABI::train
