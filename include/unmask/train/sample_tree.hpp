#pragma once

/// The order in which the gradients of a batch's samples are added: a binary tree over the samples, whoever computed
/// them. A node holds 2^k samples, the first of which has a number that 2^k divides; it is the sum of its halves. Nodes
/// that have no sibling left, because the batch is no power of two, are added from the right. So a rank adds what is
/// whole nodes of its own samples, the ranks together add the rest, and the bits are those of one process.

#include <array>

#include "../core/view.hpp"

namespace unmask::inline UNMASK_ABI::train {

/// Samples [first, first + count) of a batch.
struct sample_range {
  index_t first = 0, count = 0;
};

/// The samples of one of `ranks` ranks, of which there are at most as many as samples.
inline sample_range share_of(int rank, int ranks, index_t batch) {
  const index_t first = rank * batch / ranks;
  return {first, (rank + 1) * batch / ranks - first};
}

/// Sums on their way up the tree, at most 2 log2(65536) + 1. Entry k of the caller's blocks belongs to node k.
class sample_stack {
 public:
  static constexpr std::size_t most = 36;

  /// A node on top; `add(k)` where entry k becomes the sum of k and k + 1, which is then free.
  template <class Add>
  void push(sample_range node, Add&& add) {
    nodes_[depth_++] = node;
    while (depth_ > 1 && siblings(nodes_[depth_ - 2], nodes_[depth_ - 1])) join(add);
  }
  /// After the last sample of the batch: all that is left becomes entry 0.
  template <class Add>
  void close(Add&& add) {
    while (depth_ > 1) join(add);
  }

  std::size_t depth() const { return depth_; }
  sample_range operator[](std::size_t k) const { return nodes_[k]; }

 private:
  static bool siblings(sample_range a, sample_range b) {
    return a.count == b.count && a.first % (2 * a.count) == 0 && a.first + a.count == b.first;
  }
  template <class Add>
  void join(Add&& add) {
    --depth_;
    add(depth_ - 1);
    nodes_[depth_ - 1].count += nodes_[depth_].count;
  }

  std::array<sample_range, most> nodes_{};
  std::size_t depth_ = 0;
};

}  // namespace unmask::inline UNMASK_ABI::train
