#pragma once

/// Where `spectral_tv` starts: the smoothest image of few coefficients that explains the measurement. Conjugate
/// gradients spread what they know by about a pixel an iteration, so what is smooth over dozens of pixels arrives last;
/// a coarse image has it at once:
///
///   z_c = argmin sum of t (A L R z_c - y)^2 + mu sum |z_i - z_j|^2   over neighbouring blocks i, j
///
/// over the sensor's columns but those at its sides, where a real camera has light from beyond the mask: they gave dark
/// backgrounds a tint from side to side. R repeats a block's K coefficients in its pixels. The result is read between
/// the blocks' middles, linearly. The matrix has the band of one row of blocks; its Cholesky factor is exact.

#include <algorithm>
#include <cmath>
#include <utility>

#include "../core/finite.hpp"
#include "held_out.hpp"
#include "spectral_operator.hpp"

namespace unmask::inline UNMASK_ABI::optics::detail {

class coarse_start {
 public:
  /// Blocks have a side of 16 pixels, more where a row would have over 384 coefficients: the factor takes their square
  /// for each coefficient of the image.
  explicit coarse_start(const spectral_operator& a)
      : layout_(a.layout()),
        side_(std::max<index_t>(16, (layout_.width * layout_.count + most_of_row - 1) / most_of_row)),
        rows_((layout_.height + side_ - 1) / side_),
        columns_((layout_.width + side_ - 1) / side_),
        reach_(side_ + a.values() - layout_.width) {}

  void carve_scratch(arena& memory) {
    matrix_ = memory.take<float>(unknowns() * (band() + 1));
    right_ = memory.take<float>(unknowns());
    light_ = memory.take<float>(rows_ * columns_ * reach_ * layout_.count);  // of each row of blocks
  }

  /// z [H, K, W] for the measurement y [H, V] over `level`, weighed by the operator's inverse variance. As it was where
  /// the matrix is not positive in these numbers.
  template <class Backend>
  void run(const Backend& be, const spectral_operator& a, float* z, const float* y, float level) const noexcept {
    parallel_for(be, rows_, [&](index_t row, int) {
      const index_t n = columns_ * layout_.count;
      std::fill_n(matrix_ + row * n * (band() + 1), n * (band() + 1), 0.f);
      std::fill_n(right_ + row * n, n, 0.f);
      for (index_t h = row * side_; h < std::min(layout_.height, (row + 1) * side_); ++h)
        add_row(a, h, light_ + row * columns_ * reach_ * layout_.count, y + h * a.values(), level);
      smooth(row);
    });
    if (!solve()) return;
    parallel_for(be, layout_.height, [&](index_t h, int) { interpolate(h, z + h * layout_.row()); });
  }

 private:
  static constexpr index_t most_of_row = 384;
  static constexpr float mu = 15;  ///< 4 gains more on smooth scenes and loses on others (docs/decisions.md)

  index_t band() const { return columns_ * layout_.count; }
  index_t unknowns() const { return rows_ * band(); }
  /// Of coefficients i <= j < i + band: the lower triangle by columns.
  float& at(index_t i, index_t j) const { return matrix_[i * (band() + 1) + j - i]; }

  /// What row h of the sensor sees of each block's coefficients, [blocks, reach, K] from the block's first column on,
  /// and with it the row's part of the matrix and of the right-hand side.
  void add_row(const spectral_operator& a, index_t h, float* light, const float* y, float level) const {
    const index_t K = layout_.count, W = layout_.width, P = a.geometry().bands, step = a.geometry().step,
                  V = a.values(), first = h / side_ * band(), margin = held_out_margin(V, W);
    const float *mask = a.seen_by().mask().data() + h * W, *t = a.inverse_variance() + h * V;
    std::fill_n(light, columns_ * reach_ * K, 0.f);
    for (index_t w = 0; w < W; ++w) {
      float* block = light + (w / side_ * reach_ + w % side_) * K;
      for (index_t c = 0; c < P; ++c)
        for (index_t k = 0; k < K; ++k) block[step * c * K + k] += mask[w] * a.columns()[c * K + k];
    }
    for (index_t i = 0; i < columns_; ++i)
      for (index_t v = std::max(i * side_, margin); v < std::min(V - margin, i * side_ + reach_); ++v) {
        const float* one = light + (i * reach_ + v - i * side_) * K;
        for (index_t k = 0; k < K; ++k) {
          const float weighed = t[v] * one[k];
          right_[first + i * K + k] += weighed * y[v] / level;
          for (index_t l = k; l < K; ++l) at(first + i * K + k, first + i * K + l) += weighed * one[l];
          for (index_t j = i + 1; j < columns_ && j * side_ <= v; ++j) {
            const float* other = light + (j * reach_ + v - j * side_) * K;
            float* to = &at(first + i * K + k, first + j * K);
            for (index_t l = 0; l < K; ++l) to[l] += weighed * other[l];
          }
        }
      }
  }

  /// The differences between a row's blocks, and to the row below.
  void smooth(index_t row) const {
    const index_t K = layout_.count;
    for (index_t i = row * band(); i < (row + 1) * band(); ++i) {
      const index_t column = i % band() / K;
      const int neighbours = (row > 0) + (row + 1 < rows_) + (column > 0) + (column + 1 < columns_);
      at(i, i) += mu * (static_cast<float>(neighbours) + 1e-3f);
      if (column + 1 < columns_) at(i, i + K) -= mu;
      if (row + 1 < rows_) at(i, i + band()) -= mu;
    }
  }

  /// Cholesky's factor in the matrix' place, the solution in the right-hand side's.
  bool solve() const {
    const index_t n = unknowns(), B = band();
    for (index_t j = 0; j < n; ++j) {
      float* column = &at(j, j);
      const index_t below = std::min(B, n - 1 - j);
      if (!(column[0] > 0) || !is_finite(column[0])) return false;
      const float scale = 1 / std::sqrt(column[0]);
      for (index_t p = 0; p <= below; ++p) column[p] *= scale;
      right_[j] *= scale;
      for (index_t p = 1; p <= below; ++p) {
        right_[j + p] -= column[p] * right_[j];
        float* to = &at(j + p, j + p);
        for (index_t q = p; q <= below; ++q) to[q - p] -= column[p] * column[q];
      }
      column[0] = scale;  // one over the diagonal from now on
    }
    for (index_t j = n - 1; j >= 0; --j) {
      const float* column = &at(j, j);
      float sum = right_[j];
      for (index_t p = 1; p <= std::min(B, n - 1 - j); ++p) sum -= column[p] * right_[j + p];
      right_[j] = sum * column[0];
    }
    return true;
  }

  /// Where pixel p lies between the middles of blocks: the first of them, and how far beyond it.
  std::pair<index_t, float> between(index_t p, index_t blocks) const {
    const float place = (static_cast<float>(p) + .5f) / static_cast<float>(side_) - .5f,
                inside = std::clamp(place, 0.f, static_cast<float>(blocks - 1));
    const index_t first = std::min(static_cast<index_t>(inside), std::max<index_t>(blocks - 2, 0));
    return {first, inside - static_cast<float>(first)};
  }

  void interpolate(index_t h, float* z) const {
    const index_t K = layout_.count, W = layout_.width;
    const auto [row, down] = between(h, rows_);
    const float* upper = right_ + row * band();
    const float* lower = right_ + std::min(row + 1, rows_ - 1) * band();
    for (index_t w = 0; w < W; ++w) {
      const auto [column, right] = between(w, columns_);
      const index_t left_at = column * K, right_at = std::min(column + 1, columns_ - 1) * K;
      for (index_t k = 0; k < K; ++k) {
        const float above = upper[left_at + k] + right * (upper[right_at + k] - upper[left_at + k]),
                    below = lower[left_at + k] + right * (lower[right_at + k] - lower[left_at + k]);
        z[k * W + w] = above + down * (below - above);
      }
    }
  }

  planes layout_;
  index_t side_, rows_, columns_;  ///< of a block in pixels; of blocks
  index_t reach_;                  ///< columns of the sensor that see a block
  float *matrix_ = nullptr, *right_ = nullptr, *light_ = nullptr;
};

}  // namespace unmask::inline UNMASK_ABI::optics::detail
