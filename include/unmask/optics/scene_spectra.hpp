#pragma once

/// The spectra of one scene: how neighbours differ in an estimate of it, and a spectral basis made of that. What all
/// scenes have in common needs many directions, what a scene has needs few, and in these it may differ more: with the
/// basis of the true scene spectral TV gains 1.6 dB (docs/decisions.md, "The scene's own spectra"). Taken from an
/// estimate, mixed with what is known of all scenes: empirical Bayes with a shrunken covariance.
///
///   S = share S_e + (1 - share) I,   S_e ~ sum over neighbours of d d' / max(|B' d|, .01),   d = z_i - z_j
///
/// in the coordinates z of a basis B [K, C] whose rows are at right angles; S_e and I have the same trace in spectra.
/// The new rows are the principal directions of B' S B, each times its deviation, as learn_spectra.hpp has them.

#include <algorithm>
#include <cmath>

#include "../core/arena.hpp"
#include "../parallel/parallel_for.hpp"
#include "framed_image.hpp"
#include "symmetric_eigen.hpp"

namespace unmask::inline UNMASK_ABI::optics::detail {

class scene_spectra {
 public:
  /// Of images [H, K, W] that are strips of `strip` rows, one below the other, with no neighbours in the next one.
  scene_spectra(const planes& layout, index_t strip) : layout_(layout), strip_(strip) {}

  void carve_scratch(arena& memory) {
    const index_t K = layout_.count;
    sums_ = memory.take<double>(layout_.height * K * K);
    matrix_ = memory.take<double>(K * K);
    vectors_ = memory.take<double>(K * K);
    lengths_ = memory.take<double>(K);
  }

  /// `rows` <= K new rows [rows, C] for the image z and the basis [K, C] it is in; z null: no light. A scene without
  /// differences has those of all scenes; numbers that are not finite stay so. The same bits on any number of threads.
  template <class Backend>
  void find(const Backend& be, float* to, index_t rows, const float* z, in<float, 2> basis, double share) {
    const index_t K = layout_.count, C = basis.extent(1);
    for (index_t k = 0; k < K; ++k) {
      double square = 0;
      for (index_t c = 0; c < C; ++c) square += static_cast<double>(basis(k, c)) * static_cast<double>(basis(k, c));
      lengths_[k] = std::sqrt(square);
    }
    std::fill_n(sums_, layout_.height * K * K, 0.);
    if (z) parallel_for(be, layout_.height, [&](index_t h, int) { add_differences(h, z); });
    mix(share);
    diagonalise(matrix_, vectors_, K);
    double trace = 0;
    for (index_t k = 0; k < K; ++k) trace += matrix_[k * K + k];
    for (index_t i = 0; i < rows; ++i) {
      index_t largest = 0;
      for (index_t k = 1; k < K; ++k)
        if (matrix_[k * K + k] > matrix_[largest * K + largest]) largest = k;
      write_row(to + i * C, std::sqrt(std::max(0., matrix_[largest * K + largest]) / trace), largest, basis);
      matrix_[largest * K + largest] = -1;  // has had its turn
    }
  }

 private:
  static constexpr double least_difference = .01;  // of the scene's level: below it is noise

  /// Row h of S_e: the differences of its pixels to the right and below.
  void add_differences(index_t h, const float* z) {
    const index_t K = layout_.count, W = layout_.width;
    double* sum = sums_ + h * K * K;
    for (index_t w = 0; w < W; ++w)
      for (const index_t way : {index_t{0}, index_t{1}}) {
        if (way == 0 ? w + 1 >= W : (h + 1) % strip_ == 0) continue;
        const float* here = z + h * layout_.row() + w;
        const index_t other = way == 0 ? 1 : layout_.row();
        const auto difference = [&](index_t k) {
          return static_cast<double>(here[k * W + other]) - static_cast<double>(here[k * W]);
        };
        double square = 0;
        for (index_t k = 0; k < K; ++k) square += lengths_[k] * lengths_[k] * difference(k) * difference(k);
        const double weight = 1 / std::max(std::sqrt(square), least_difference);
        for (index_t k = 0; k < K; ++k) {
          const double one = weight * difference(k);
          for (index_t l = 0; l <= k; ++l) sum[k * K + l] += one * difference(l);
        }
      }
  }

  /// The matrix of B' S B in unit coordinates.
  void mix(double share) {
    const index_t K = layout_.count;
    for (index_t h = 1; h < layout_.height; ++h)
      for (index_t i = 0; i < K * K; ++i) sums_[i] += sums_[h * K * K + i];
    double found = 0, common = 0;
    for (index_t k = 0; k < K; ++k) {
      const double square = lengths_[k] * lengths_[k];
      found += square * sums_[k * K + k], common += square;
    }
    const double factor = found == 0 ? 0 : share * common / found, rest = found == 0 ? 1 : 1 - share;
    for (index_t k = 0; k < K; ++k)
      for (index_t l = 0; l <= k; ++l)
        matrix_[k * K + l] = matrix_[l * K + k] =
            lengths_[k] * lengths_[l] * (factor * sums_[k * K + l] + (k == l ? rest : 0));
  }

  void write_row(float* to, double deviation, index_t vector, in<float, 2> basis) const {
    const index_t K = layout_.count, C = basis.extent(1);
    float light = 0;
    for (index_t c = 0; c < C; ++c) {
      double sum = 0;
      for (index_t k = 0; k < K; ++k)
        sum += vectors_[vector * K + k] / std::max(lengths_[k], 1e-30) * static_cast<double>(basis(k, c));
      to[c] = static_cast<float>(deviation * sum);
      light += to[c];
    }
    if (light < 0)  // a direction has no sign, light has
      for (index_t c = 0; c < C; ++c) to[c] = -to[c];
  }

  planes layout_;
  index_t strip_;
  double *sums_ = nullptr, *matrix_ = nullptr, *vectors_ = nullptr, *lengths_ = nullptr;
};

}  // namespace unmask::inline UNMASK_ABI::optics::detail
