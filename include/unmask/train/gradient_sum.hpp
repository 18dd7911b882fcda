#pragma once

/// The gradient of a batch as the mean of its samples' gradients, added in the order of sample_tree.hpp: the same bits
/// whichever rank computed which samples.
///
/// The flat block is cut into pieces, and a piece into one slice a rank. As soon as a piece of a rank's last sample is
/// there, while the rest is still being computed, its slices go to their ranks; each rank finishes the tree for its
/// slices and spreads them. Of N numbers every rank sends and receives 2 N (ranks - 1) / ranks.

#include <algorithm>
#include <cassert>
#include <vector>

#include "../core/arena.hpp"
#include "../nn/image_ops.hpp"
#include "../parallel/communicator.hpp"
#include "sample_tree.hpp"

namespace unmask::inline UNMASK_ABI::train {

template <class T, class Backend>
class gradient_sum {
 public:
  /// Bytes of a slice below which messages would cost more than they gain.
  static constexpr index_t slice_bytes = index_t{1} << 16;
  static constexpr index_t most_pieces = 8;

  gradient_sum() = default;
  gradient_sum(communicator& ranks, index_t batch, index_t size) : ranks_(&ranks), batch_(batch), size_(size) {
    sample_stack mine;
    const sample_range own = share();
    for (index_t i = 0; i < own.count; ++i) {
      blocks_ = std::max(blocks_, mine.depth() + 1);
      mine.push({own.first + i, 1}, [](std::size_t) {});
    }
    for (int r = 0; r < ranks.size(); ++r) {
      const sample_range of = share_of(r, ranks.size(), batch);
      sample_stack nodes;
      for (index_t i = 0; i < of.count; ++i) nodes.push({of.first + i, 1}, [](std::size_t) {});
      for (std::size_t k = 0; k < nodes.depth(); ++k) nodes_.push_back({nodes[k], r});
    }
    if (ranks.size() > 1) cut();
  }

  sample_range share() const { return share_of(ranks_->rank(), ranks_->size(), batch_); }

  /// Blocks beside `first`, where the mean will be.
  void carve(arena& a, T* first) {
    memory_.assign(1, first);
    for (std::size_t k = 1; k < blocks_; ++k) memory_.push_back(a.take<T>(size_));
    if (ranks_->size() == 1) return;
    packed_ = a.take<T>(own_nodes() * size_);
    received_ = a.take<T>(received_size_);
  }

  void begin() {
    stack_ = {};
    for (piece& p : pieces_) p.missing = p.end - p.begin;
  }
  /// Where the gradient of the next sample belongs.
  T* next_block() const { return memory_[stack_.depth()]; }

  /// All of the next sample is there.
  void add(const Backend& be) {
    stack_.push(sample(), [&](std::size_t k) { image_add(be, memory_[k], cast(memory_[k + 1]), size_); });
  }

  /// Instead, for the last one, as parts [from, to) of it come; each number comes once, and `finish` gets the rest.
  void add_part(const Backend& be, index_t from, index_t to) {
    if (from >= to) return;
    sample_stack stack = stack_;
    stack.push(sample(), [&](std::size_t k) { image_add(be, memory_[k] + from, memory_[k + 1] + from, to - from); });
    for (piece& p : pieces_) {
      const index_t common = std::min(to, p.end) - std::max(from, p.begin);
      if (common <= 0) continue;
      p.missing -= common;
      if (p.missing == 0) start(p);
    }
    ranks_->progress();
  }

  /// After the last sample: the mean in `first`, on every rank.
  void finish(const Backend& be) {
    stack_.push(sample(), [](std::size_t) {});
    const T scale = T(1) / static_cast<T>(batch_);
    if (ranks_->size() == 1) {
      stack_.close([&](std::size_t k) { image_add(be, memory_[k], cast(memory_[k + 1]), size_); });
      for (index_t i = 0; i < size_; ++i) memory_[0][i] *= scale;
      return;
    }
    for (piece& p : pieces_) {
      assert(p.missing == 0);
      ranks_->wait(p.exchange);
      add_received(be, p, scale);
      p.spread = ranks_->start_spread(memory_[0] + p.begin, {p.spread_counts.data(), p.spread_starts.data()});
      ranks_->progress();
    }
    for (piece& p : pieces_) ranks_->wait(p.spread);
  }

 private:
  struct owned_node {
    sample_range samples;
    int owner;
  };
  /// Numbers [begin, end) of the block; lists in bytes, one entry a rank.
  struct piece {
    index_t begin = 0, end = 0, received = 0;  ///< `received`: where in received_ it arrives
    std::vector<int> sent_counts{}, sent_starts{}, received_counts{}, received_starts{}, spread_counts{},
        spread_starts{};
    index_t missing = 0;
    communicator::ticket exchange = 0, spread = 0;

    index_t slice(int rank, int ranks) const { return rank * (end - begin) / ranks; }  ///< where it starts
  };

  static const T* cast(const T* p) { return p; }
  sample_range sample() const {
    const index_t before =
        stack_.depth() == 0 ? share().first : stack_[stack_.depth() - 1].first + stack_[stack_.depth() - 1].count;
    return {before, 1};
  }
  index_t nodes_of(int rank) const {
    return std::count_if(nodes_.begin(), nodes_.end(), [=](const owned_node& n) { return n.owner == rank; });
  }
  index_t own_nodes() const { return nodes_of(ranks_->rank()); }

  void cut() {
    const int ranks = ranks_->size(), me = ranks_->rank();
    const index_t bytes = size_ * static_cast<index_t>(sizeof(T));
    const index_t count = std::clamp<index_t>(bytes / (slice_bytes * ranks), 1, most_pieces);
    const auto in_bytes = [](index_t n) { return static_cast<int>(n * static_cast<index_t>(sizeof(T))); };
    for (index_t i = 0; i < count; ++i) {
      piece p{.begin = i * size_ / count, .end = (i + 1) * size_ / count, .received = received_size_};
      const index_t own = p.slice(me + 1, ranks) - p.slice(me, ranks);
      index_t arrived = 0;
      for (int r = 0; r < ranks; ++r) {
        const index_t at = p.slice(r, ranks), n = p.slice(r + 1, ranks) - at;
        p.sent_starts.push_back(in_bytes(own_nodes() * at)), p.sent_counts.push_back(in_bytes(own_nodes() * n));
        p.received_starts.push_back(in_bytes(arrived)), p.received_counts.push_back(in_bytes(nodes_of(r) * own));
        p.spread_starts.push_back(in_bytes(at)), p.spread_counts.push_back(in_bytes(n));
        arrived += nodes_of(r) * own;
      }
      received_size_ += arrived;
      pieces_.push_back(std::move(p));
    }
  }

  /// Slices of all nodes of this rank on their way.
  void start(piece& p) {
    const int ranks = ranks_->size();
    const index_t nodes = own_nodes();
    T* const packed = packed_ + nodes * p.begin;
    T* to = packed;
    for (int r = 0; r < ranks; ++r)
      for (index_t k = 0; k < nodes; ++k)
        to = std::copy(memory_[static_cast<std::size_t>(k)] + p.begin + p.slice(r, ranks),
                       memory_[static_cast<std::size_t>(k)] + p.begin + p.slice(r + 1, ranks), to);
    p.exchange = ranks_->start_exchange(packed, {p.sent_counts.data(), p.sent_starts.data()}, received_ + p.received,
                                        {p.received_counts.data(), p.received_starts.data()});
  }

  /// The rest of the tree, over all ranks' nodes, for this rank's slice: into its place of the block.
  void add_received(const Backend& be, const piece& p, T scale) {
    const int ranks = ranks_->size(), me = ranks_->rank();
    const index_t own = p.slice(me + 1, ranks) - p.slice(me, ranks);
    std::array<T*, sample_stack::most> entries{};
    const auto join = [&](std::size_t k) { image_add(be, entries[k], cast(entries[k + 1]), own); };
    sample_stack stack;
    T* from = received_ + p.received;
    for (const owned_node& n : nodes_) {
      entries[stack.depth()] = from;
      stack.push(n.samples, join);
      from += own;
    }
    stack.close(join);
    T* const to = memory_[0] + p.begin + p.slice(me, ranks);
    for (index_t i = 0; i < own; ++i) to[i] = entries[0][i] * scale;
  }

  communicator* ranks_ = nullptr;
  index_t batch_ = 0, size_ = 0, received_size_ = 0;
  std::size_t blocks_ = 1;
  std::vector<owned_node> nodes_;  ///< of all ranks, in the order of samples
  std::vector<piece> pieces_;
  std::vector<T*> memory_;  ///< entry k of the stack
  T *packed_ = nullptr, *received_ = nullptr;
  sample_stack stack_;
};

}  // namespace unmask::inline UNMASK_ABI::train
