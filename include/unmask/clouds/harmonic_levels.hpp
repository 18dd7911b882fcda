#pragma once

/// Laplace's equation on the unknown pixels of a grid, and its coarser versions for multigrid. An unknown's neighbours
/// are the four beside it; known pixels are Dirichlet values, the image's edge lets nothing through. A coarse unknown
/// is a 2 x 2 block of finer ones, its matrix the Galerkin product of piecewise constants, so it is the same five-point
/// form with weights: any shape of hidden area works.

#include <algorithm>
#include <array>
#include <cstdint>

#include "../core/arena.hpp"
#include "blur.hpp"

namespace unmask::inline UNMASK_ABI::clouds::detail {

struct harmonic_level {
  index_t count = 0;               ///< unknowns
  index_t reds = 0;                ///< the first `reds` have an even sum of coordinates; they neighbour only the others
  grid size;                       ///< of this level
  std::int32_t* place = nullptr;   ///< [count] y * width + x
  std::int32_t* beside = nullptr;  ///< [count, 4] unknowns left, right, above, below; `count` where there is none
  float* weight = nullptr;         ///< [count, 4]
  float* diagonal = nullptr;       ///< [count]
  std::int32_t* parent = nullptr;  ///< [count] unknown of the next level
};

class harmonic_levels {
 public:
  static constexpr std::size_t most = 16;
  static constexpr std::array<std::array<int, 2>, 4> steps{{{0, -1}, {0, 1}, {-1, 0}, {1, 0}}};

  void carve(arena& a, grid g) {
    size_ = g;
    map_ = a.take<std::int32_t>(g.size());
    index_t count = g.size();
    grid at = g;
    for (std::size_t l = 0; l < most; ++l) {
      harmonic_level& v = levels_[l];
      v.size = at;
      v.place = a.take<std::int32_t>(count);
      v.beside = a.take<std::int32_t>(4 * count);
      v.weight = a.take<float>(4 * count);
      v.diagonal = a.take<float>(count);
      v.parent = a.take<std::int32_t>(count);
      depth_ = l + 1;
      if (at.height == 1 && at.width == 1) break;
      at = {(at.height + 1) / 2, (at.width + 1) / 2};
      count = at.size();
    }
  }

  /// Rows that vectors over all levels need: a spare zero row stands in for missing neighbours.
  static index_t rows(grid g) {
    index_t total = 0;
    for (std::size_t l = 0; l < most; ++l) {
      total += g.size() + 1;
      if (g.height == 1 && g.width == 1) break;
      g = {(g.height + 1) / 2, (g.width + 1) / 2};
    }
    return total;
  }

  /// unknown [H, W]: not 0 where a value is wanted. At least one pixel must be known.
  void build(const std::uint8_t* unknown) noexcept {
    harmonic_level& fine = levels_[0];
    number(fine, [&](index_t p) { return unknown[p] != 0; });
    for (index_t i = 0; i < fine.count; ++i) {
      const index_t p = fine.place[i], y = p / size_.width, x = p % size_.width;
      float neighbours = 0;
      for (std::size_t k = 0; k < 4; ++k) {
        const index_t v = y + steps[k][0], u = x + steps[k][1];
        const bool inside = v >= 0 && v < size_.height && u >= 0 && u < size_.width;
        const bool joined = inside && unknown[v * size_.width + u] != 0;
        fine.beside[4 * i + static_cast<index_t>(k)] =
            joined ? map_[v * size_.width + u] : static_cast<std::int32_t>(fine.count);
        fine.weight[4 * i + static_cast<index_t>(k)] = joined ? 1.f : 0.f;
        neighbours += inside ? 1.f : 0.f;
      }
      fine.diagonal[i] = neighbours;
    }
    used_ = 1;
    while (used_ < depth_ && levels_[used_ - 1].count > 4) coarsen(levels_[used_ - 1], levels_[used_]), ++used_;
  }

  std::size_t count() const { return used_; }
  const harmonic_level& operator[](std::size_t l) const { return levels_[l]; }

 private:
  /// Gives the chosen places their numbers, reds first.
  template <class Chosen>
  void number(harmonic_level& v, const Chosen& chosen) noexcept {
    v.count = 0;
    for (index_t colour = 0; colour < 2; ++colour) {
      for (index_t y = 0; y < v.size.height; ++y)
        for (index_t x = (y + colour) % 2; x < v.size.width; x += 2) {
          const index_t p = y * v.size.width + x;
          if (!chosen(p)) continue;
          map_[p] = static_cast<std::int32_t>(v.count);
          v.place[v.count++] = static_cast<std::int32_t>(p);
        }
      if (colour == 0) v.reds = v.count;
    }
  }

  void coarsen(harmonic_level& fine, harmonic_level& coarse) noexcept {
    const auto block = [&](index_t i) {
      const index_t p = fine.place[i], y = p / fine.size.width, x = p % fine.size.width;
      return y / 2 * coarse.size.width + x / 2;
    };
    std::fill_n(map_, coarse.size.size(), -1);
    for (index_t i = 0; i < fine.count; ++i) map_[block(i)] = 0;
    number(coarse, [&](index_t p) { return map_[p] >= 0; });
    for (index_t i = 0; i < fine.count; ++i) fine.parent[i] = map_[block(i)];
    std::fill_n(coarse.weight, 4 * coarse.count, 0.f);
    std::fill_n(coarse.beside, 4 * coarse.count, static_cast<std::int32_t>(coarse.count));
    std::fill_n(coarse.diagonal, coarse.count, 0.f);
    // whole numbers below 2^24 as floats: the sums are exact
    for (index_t i = 0; i < fine.count; ++i) {
      const index_t to = fine.parent[i];
      coarse.diagonal[to] += fine.diagonal[i];
      for (index_t k = 0; k < 4; ++k) {
        const index_t j = fine.beside[4 * i + k];
        if (j == fine.count) continue;
        if (fine.parent[j] == to) {
          coarse.diagonal[to] -= fine.weight[4 * i + k];
        } else {
          coarse.beside[4 * to + k] = fine.parent[j];
          coarse.weight[4 * to + k] += fine.weight[4 * i + k];
        }
      }
    }
  }

  grid size_;
  std::int32_t* map_ = nullptr;
  std::array<harmonic_level, most> levels_;
  std::size_t depth_ = 0, used_ = 0;
};

}  // namespace unmask::inline UNMASK_ABI::clouds::detail
