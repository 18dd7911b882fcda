#pragma once

/// k nearest neighbours among points of few dimensions (Friedman, Bentley and Finkel 1977): cuts at the median of the
/// widest dimension, leaves of 16 points. Equal points give equal trees, so answers do not depend on threads.

#include <algorithm>
#include <cstdint>

#include "../core/arena.hpp"

namespace unmask::inline UNMASK_ABI::clouds {

class kd_tree {
 public:
  static constexpr index_t dimensions = 8, most_neighbours = 32, leaf = 16;
  using point = float[static_cast<std::size_t>(dimensions)];

  struct neighbour {
    float squared = 0;      ///< distance squared
    std::int32_t item = 0;  ///< what `insert` was given
    bool operator<(const neighbour& o) const { return squared < o.squared || (squared == o.squared && item < o.item); }
  };

  void carve(arena& a, index_t most) {
    points_ = a.take<entry>(most);
    cuts_ = a.take<cut>(2 * (most / (leaf / 2) + 2));
  }

  void clear() noexcept { count_ = 0; }
  void insert(const float* p, index_t item) noexcept {
    std::copy_n(p, dimensions, points_[count_].at);
    points_[count_++].item = static_cast<std::int32_t>(item);
  }
  index_t size() const { return count_; }

  /// After the last insert.
  void build() noexcept { split(0, 0, count_); }

  /// The k nearest of `to`, nearest first, into found [k]; how many there are. k <= most_neighbours. A neighbour that
  /// is left out is at most 1 + slack nearer than one that was taken.
  index_t nearest(const float* to, index_t k, float slack, neighbour* found) const noexcept {
    search s{to, k, (1 + slack) * (1 + slack), found, 0, {}};
    if (count_ > 0) visit(s, 0, 0, count_, 0);
    std::sort_heap(found, found + s.count);
    return s.count;
  }

 private:
  struct entry {
    point at;
    std::int32_t item;
  };
  struct cut {
    int dimension;
    float value;
  };
  struct search {
    const float* to;
    index_t k;
    float factor;
    neighbour* found;
    index_t count;
    point beyond;  ///< how far the cell lies beyond the point, by dimension
  };

  /// A cell of the tree is [begin, end) of the points; its children share it in halves.
  void split(index_t node, index_t begin, index_t end) noexcept {
    if (end - begin <= leaf) return;
    float widest = -1;
    int along = 0;
    for (int d = 0; d < dimensions; ++d) {
      float lo = points_[begin].at[d], hi = lo;
      for (index_t i = begin + 1; i < end; ++i) {
        lo = std::min(lo, points_[i].at[d]);
        hi = std::max(hi, points_[i].at[d]);
      }
      if (hi - lo > widest) widest = hi - lo, along = d;
    }
    const index_t middle = (begin + end) / 2;
    std::nth_element(points_ + begin, points_ + middle, points_ + end, [along](const entry& x, const entry& y) {
      return x.at[along] < y.at[along] || (x.at[along] == y.at[along] && x.item < y.item);
    });
    cuts_[node] = {along, points_[middle].at[along]};
    split(2 * node + 1, begin, middle);
    split(2 * node + 2, middle, end);
  }

  void visit(search& s, index_t node, index_t begin, index_t end, float distance) const noexcept {
    if (s.count == s.k && distance * s.factor > s.found[0].squared) return;
    if (end - begin <= leaf) {
      for (index_t i = begin; i < end; ++i) {
        float sum = 0;
        for (index_t d = 0; d < dimensions; ++d) {
          const float x = points_[i].at[d] - s.to[d];
          sum += x * x;
        }
        const neighbour n{sum, points_[i].item};
        if (s.count < s.k) {
          s.found[s.count++] = n;
          std::push_heap(s.found, s.found + s.count);
        } else if (n < s.found[0]) {
          std::pop_heap(s.found, s.found + s.count);
          s.found[s.count - 1] = n;
          std::push_heap(s.found, s.found + s.count);
        }
      }
      return;
    }
    const cut& c = cuts_[node];
    const index_t middle = (begin + end) / 2;
    const float off = s.to[c.dimension] - c.value, old = s.beyond[c.dimension];
    const auto lower = [&](float d) { visit(s, 2 * node + 1, begin, middle, d); };
    const auto upper = [&](float d) { visit(s, 2 * node + 2, middle, end, d); };
    off < 0 ? lower(distance) : upper(distance);
    s.beyond[c.dimension] = off;
    const float beyond = distance - old * old + off * off;
    off < 0 ? upper(beyond) : lower(beyond);
    s.beyond[c.dimension] = old;
  }

  entry* points_ = nullptr;
  cut* cuts_ = nullptr;
  index_t count_ = 0;
};

}  // namespace unmask::inline UNMASK_ABI::clouds
