#pragma once

/// Between cubes [H, W, C], whose spectra are pieces, and coefficients [H, K, W], whose planes are: row by row, by a
/// matrix [K, C].

#include <algorithm>

#include "../simd/loop.hpp"
#include "../simd/transpose.hpp"

namespace unmask::inline UNMASK_ABI::optics::detail {

class pixel_spectra {
 public:
  using pack = simd::pack<float>;

  pixel_spectra(const float* matrix, index_t planes, index_t bands) : matrix_(matrix), planes_(planes), bands_(bands) {}

  /// z [K, W] from a row x [W, C]: z_k = scale factor[k] times the sum of row k of the matrix times a pixel's spectrum.
  void project(index_t width, float* z, const float* x, const float* factor, float scale) const {
    constexpr index_t lanes = pack::lanes;
    for (index_t k = 0; k < planes_; k += together) {
      index_t w = 0;
      for (; w + lanes <= width; w += lanes) project_pack(k, width, z + w, x + w * bands_, factor, scale);
      for (; w < width; ++w)
        for (index_t i = k; i < std::min(k + together, planes_); ++i) {
          float sum = 0;
          for (index_t c = 0; c < bands_; ++c) sum += matrix_[i * bands_ + c] * x[w * bands_ + c];
          z[i * width + w] = sum * factor[i] * scale;
        }
    }
  }

  /// A row x [W, C] plus factor times the spectra that z [K, W] stands for, not below 0.
  void add(index_t width, float* x, const float* z, float factor) const {
    const auto zero = pack::all(0.f);
    for (index_t w = 0; w < width; ++w, x += bands_)
      simd::each_pack<float>(bands_, [&](index_t i, auto access) {
        auto sum = zero;
        for (index_t k = 0; k < planes_; ++k)
          sum = pack::fma(pack::all(z[k * width + w]), access.load(matrix_ + k * bands_ + i), sum);
        const auto to = pack::fma(pack::all(factor), sum, access.load(x + i));
        access.store(x + i, pack::where_negative(to, zero, to));  // a NaN stays
      });
  }

 private:
  static constexpr index_t together = 8;  // planes whose sums stay in registers

  /// Planes k.. of a register's pixels: a few bands at a time are turned.
  void project_pack(index_t k, index_t width, float* z, const float* x, const float* factor, float scale) const {
    constexpr index_t lanes = pack::lanes, size = simd::groups<float>::size;
    const index_t planes = std::min(together, planes_ - k);
    const float* matrix = matrix_ + k * bands_;
    pack::type sum[together];
    for (auto& s : sum) s = pack::all(0.f);
    float turned[size][lanes];
    for (index_t c = 0; c < bands_; c += size) {
      const index_t count = std::min(size, bands_ - c);
      if (count == size)
        simd::turn_rows_to_columns<float>([&](index_t j) { return turned[j]; },
                                          [&](index_t i) { return x + i * bands_ + c; });
      else
        for (index_t j = 0; j < count; ++j)
          for (index_t i = 0; i < lanes; ++i) turned[j][i] = x[i * bands_ + c + j];
      for (index_t j = 0; j < count; ++j) {
        const auto band = pack::load(turned[j]);
        for (index_t i = 0; i < planes; ++i) sum[i] = pack::fma(pack::all(matrix[i * bands_ + c + j]), band, sum[i]);
      }
    }
    for (index_t i = 0; i < planes; ++i)
      pack::store(z + (k + i) * width, sum[i] * pack::all(factor[k + i]) * pack::all(scale));
  }

  const float* matrix_;
  index_t planes_, bands_;
};

}  // namespace unmask::inline UNMASK_ABI::optics::detail
