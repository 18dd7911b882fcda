#pragma once

/// Harmonic fill: values inside hidden areas that solve Laplace's equation with what is known around them (Perez et al.
/// 2003, "Poisson image editing", applied to the difference from a prediction). Conjugate gradients, preconditioned by
/// a V-cycle of multigrid; a few bands at once, each on a lane.

#include <cmath>

#include "../parallel/parallel_for.hpp"
#include "harmonic_levels.hpp"

namespace unmask::inline UNMASK_ABI::clouds {

class harmonic_fill {
 public:
  static constexpr index_t lanes = 8;

  /// Memory for images of this size, `bands` at most, on `slots` threads.
  void carve(arena& a, grid g, index_t bands, int slots) {
    levels_.carve(a, g);
    rows_ = detail::harmonic_levels::rows(g);
    const index_t width = bands == 1 ? 1 : bands <= 4 ? 4 : lanes;
    scratch_ = (2 * rows_ + 3 * (g.size() + 1)) * width;
    values_ = a.take<float>(slots * scratch_);
  }

  /// unknown [H, W], not 0 where a value is wanted; at least one pixel must be known.
  void build(const std::uint8_t* unknown) noexcept { levels_.build(unknown); }

  /// image [H, W, bands]: unknown pixels are overwritten. The residual falls to 1e-4 of what it was, which is far below
  /// what the values are worth.
  template <class Backend>
  void solve(const Backend& be, float* image, index_t bands) const noexcept {
    if (levels_[0].count == 0) return;
    const index_t groups = (bands + lanes - 1) / lanes;
    parallel_for(be, groups, [&](index_t group, int slot) {
      float* memory = values_ + slot * scratch_;
      const index_t from = group * lanes, width = std::min(lanes, bands - from);
      if (width == 1)
        run<1>(image + from, bands, width, memory);
      else if (width <= 4 && bands <= 4)
        run<4>(image + from, bands, width, memory);
      else
        run<lanes>(image + from, bands, width, memory);
    });
  }

 private:
  template <index_t L>
  using pack = float[static_cast<std::size_t>(L)];

  /// x = (b + sum of weight x beside) / diagonal over unknowns [begin, end).
  template <index_t L>
  static void sweep(const detail::harmonic_level& v, pack<L>* x, const pack<L>* b, index_t begin,
                    index_t end) noexcept {
    for (index_t i = begin; i < end; ++i) {
      float sum[L];
      for (index_t c = 0; c < L; ++c) sum[c] = b[i][c];
      for (index_t k = 0; k < 4; ++k) {
        const float w = v.weight[4 * i + k];
        const pack<L>& from = x[v.beside[4 * i + k]];
        for (index_t c = 0; c < L; ++c) sum[c] += w * from[c];
      }
      const float scale = 1 / v.diagonal[i];
      for (index_t c = 0; c < L; ++c) x[i][c] = sum[c] * scale;
    }
  }

  /// x = V-cycle(b): symmetric, so that it may precondition. x and b go on with the coarser levels' rows.
  template <index_t L>
  void cycle(std::size_t l, pack<L>* x, pack<L>* b) const noexcept {
    const detail::harmonic_level& v = levels_[l];
    std::fill_n(x[0], (v.count + 1) * L, 0.f);
    if (l + 1 == levels_.count()) {
      for (int pass = 0; pass < 4; ++pass) sweep<L>(v, x, b, 0, v.reds), sweep<L>(v, x, b, v.reds, v.count);
      for (int pass = 0; pass < 4; ++pass) sweep<L>(v, x, b, v.reds, v.count), sweep<L>(v, x, b, 0, v.reds);
      return;
    }
    sweep<L>(v, x, b, 0, v.reds);
    sweep<L>(v, x, b, v.reds, v.count);
    const detail::harmonic_level& coarse = levels_[l + 1];
    pack<L>*below = x + v.count + 1, *residual = b + v.count + 1;
    std::fill_n(residual[0], (coarse.count + 1) * L, 0.f);
    for (index_t i = 0; i < v.reds; ++i) {  // the other colour has just been solved: its residual is zero
      float sum[L];
      for (index_t c = 0; c < L; ++c) sum[c] = b[i][c] - v.diagonal[i] * x[i][c];
      for (index_t k = 0; k < 4; ++k) {
        const float w = v.weight[4 * i + k];
        const pack<L>& from = x[v.beside[4 * i + k]];
        for (index_t c = 0; c < L; ++c) sum[c] += w * from[c];
      }
      pack<L>& to = residual[v.parent[i]];
      for (index_t c = 0; c < L; ++c) to[c] += sum[c];
    }
    cycle<L>(l + 1, below, residual);
    // piecewise constants are too stiff by about two; 1.6 took the fewest iterations on cloud masks
    for (index_t i = 0; i < v.count; ++i)
      for (index_t c = 0; c < L; ++c) x[i][c] += 1.6f * below[v.parent[i]][c];
    sweep<L>(v, x, b, v.reds, v.count);
    sweep<L>(v, x, b, 0, v.reds);
  }

  template <index_t L>
  static void dot(const pack<L>* x, const pack<L>* y, index_t n, double* sum) noexcept {
    std::fill_n(sum, L, 0.);
    for (index_t from = 0; from < n; from += 256) {
      float part[L] = {};
      for (index_t i = from; i < std::min(n, from + 256); ++i)
        for (index_t c = 0; c < L; ++c) part[c] += x[i][c] * y[i][c];
      for (index_t c = 0; c < L; ++c) sum[c] += static_cast<double>(part[c]);
    }
  }

  template <index_t L>
  void run(float* image, index_t stride, index_t width, float* memory) const noexcept {
    const detail::harmonic_level& v = levels_[0];
    const index_t n = v.count;
    auto* z = reinterpret_cast<pack<L>*>(memory);
    auto *r = z + rows_, *x = r + rows_, *p = x + n + 1, *q = p + n + 1;
    std::fill_n(x[0], (n + 1) * L, 0.f);
    std::fill_n(p[0], (n + 1) * L, 0.f);
    for (index_t i = 0; i < n; ++i) {
      std::fill_n(r[i], L, 0.f);
      const index_t at = v.place[i], row = at / v.size.width, column = at % v.size.width;
      for (std::size_t k = 0; k < 4; ++k) {
        const index_t h = row + detail::harmonic_levels::steps[k][0], w = column + detail::harmonic_levels::steps[k][1];
        if (h < 0 || h >= v.size.height || w < 0 || w >= v.size.width) continue;
        if (v.beside[4 * i + static_cast<index_t>(k)] != n) continue;
        for (index_t c = 0; c < width; ++c) r[i][c] += image[(h * v.size.width + w) * stride + c];
      }
    }
    double start[L], rr[L], rz[L], before[L], pq[L];
    dot<L>(r, r, n, start);
    for (int iteration = 0; iteration < 60; ++iteration) {
      cycle<L>(0, z, r);
      std::copy_n(rz, iteration > 0 ? L : 0, before);
      dot<L>(r, z, n, rz);
      for (index_t c = 0; c < L; ++c) pq[c] = iteration > 0 && before[c] > 0 ? rz[c] / before[c] : 0;
      for (index_t i = 0; i < n; ++i)
        for (index_t c = 0; c < L; ++c) p[i][c] = z[i][c] + static_cast<float>(pq[c]) * p[i][c];
      for (index_t i = 0; i < n; ++i) {
        float sum[L];
        for (index_t c = 0; c < L; ++c) sum[c] = v.diagonal[i] * p[i][c];
        for (index_t k = 0; k < 4; ++k) {
          const float w = v.weight[4 * i + k];
          const pack<L>& from = p[v.beside[4 * i + k]];
          for (index_t c = 0; c < L; ++c) sum[c] -= w * from[c];
        }
        for (index_t c = 0; c < L; ++c) q[i][c] = sum[c];
      }
      dot<L>(p, q, n, pq);
      float alpha[L];
      for (index_t c = 0; c < L; ++c) alpha[c] = pq[c] > 0 ? static_cast<float>(rz[c] / pq[c]) : 0.f;
      for (index_t i = 0; i < n; ++i)
        for (index_t c = 0; c < L; ++c) x[i][c] += alpha[c] * p[i][c], r[i][c] -= alpha[c] * q[i][c];
      dot<L>(r, r, n, rr);
      bool done = true;
      for (index_t c = 0; c < L; ++c) done = done && !(rr[c] > 1e-8 * start[c]);
      if (done) break;
    }
    for (index_t i = 0; i < n; ++i)
      for (index_t c = 0; c < width; ++c) image[v.place[i] * stride + c] = x[i][c];
  }

  detail::harmonic_levels levels_;
  index_t rows_ = 0, scratch_ = 0;
  float* values_ = nullptr;
};

}  // namespace unmask::inline UNMASK_ABI::clouds
