#pragma once

/// What a pixel of the other dates tells: all their bands, standardised, and their leading principal components.

#include <array>
#include <cmath>

#include "../core/arena.hpp"
#include "../parallel/parallel_for.hpp"
#include "dense.hpp"

namespace unmask::inline UNMASK_ABI::clouds {

/// Components of the squares and of the similarity of pixels.
inline constexpr index_t most_components = 6;

class features {
 public:
  /// `pixels` of F = dates x bands values.
  void carve(arena& a, index_t pixels, index_t F) {
    pixels_ = pixels, F_ = F, q_ = std::min(most_components, F);
    values_ = a.take<float>(pixels * F);
    components_ = a.take<float>(pixels * q_);
    mean_ = a.take<double>(F);
    scale_ = a.take<double>(F);
    sums_ = a.take<double>(max_chunks * F);
    moments_ = a.take<double>(F * F);
    directions_ = a.take<double>(2 * q_ * F);
  }

  /// Values [pixels, F] are to be written here, then `standardise` be called.
  float* values() const { return values_; }
  index_t count() const { return F_; }
  index_t components() const { return q_; }
  const float* row(index_t pixel) const { return values_ + pixel * F_; }

  /// What was written as value f of a pixel, after `standardise`.
  double value(index_t pixel, index_t f) const { return static_cast<double>(row(pixel)[f]) / scale_[f] + mean_[f]; }

  /// q components of a pixel, each of its own deviation.
  const float* component_row(index_t pixel) const { return components_ + pixel * q_; }

  /// Mean 0 and deviation 1 of each value, and the components, from every few pixels.
  template <class Backend>
  void standardise(const Backend& be) noexcept {
    moments_of(be, mean_, [](float x, double) { return static_cast<double>(x); });
    moments_of(be, scale_, [](float x, double mean) { return (x - mean) * (x - mean); });
    for (index_t f = 0; f < F_; ++f) scale_[f] = 1 / (std::sqrt(scale_[f]) + 1e-6);
    parallel_chunks(be, pixels_, [&](index_t, index_t begin, index_t end, int) {
      for (index_t i = begin; i < end; ++i)
        for (index_t f = 0; f < F_; ++f) {
          float& x = values_[i * F_ + f];
          x = static_cast<float>((static_cast<double>(x) - mean_[f]) * scale_[f]);
        }
    });
    // 4000 pixels tell the directions as well as all; a matrix of F x F is filled by rows
    const index_t stride = std::max<index_t>(1, pixels_ / 4000);
    parallel_for(be, F_, [&](index_t f, int) {
      std::fill_n(moments_ + f * F_, F_, 0.);
      for (index_t i = 0; i < pixels_; i += stride)
        for (index_t g = 0; g < F_; ++g)
          moments_[f * F_ + g] += static_cast<double>(values_[i * F_ + f]) * static_cast<double>(values_[i * F_ + g]);
    });
    leading_eigenvectors(moments_, F_, directions_, q_, directions_ + q_ * F_);
    parallel_chunks(be, pixels_, [&](index_t, index_t begin, index_t end, int) {
      for (index_t i = begin; i < end; ++i)
        for (index_t j = 0; j < q_; ++j) {
          double sum = 0;
          for (index_t f = 0; f < F_; ++f) sum += directions_[j * F_ + f] * static_cast<double>(values_[i * F_ + f]);
          components_[i * q_ + j] = static_cast<float>(sum);
        }
    });
    for (index_t j = 0; j < q_; ++j) {
      double sum = 0;
      for (index_t i = 0; i < pixels_; ++i) {
        const double x = static_cast<double>(components_[i * q_ + j]);
        sum += x * x;
      }
      deviation_[static_cast<std::size_t>(j)] = std::sqrt(sum / static_cast<double>(pixels_)) + 1e-9;
    }
  }

  /// The deviation of component j.
  double deviation(index_t j) const { return deviation_[static_cast<std::size_t>(j)]; }
  /// What makes each of the first three components of deviation 1; 0 where there are fewer.
  std::array<float, 3> component_scales() const {
    std::array<float, 3> scale{};
    for (index_t j = 0; j < std::min<index_t>(3, q_); ++j)
      scale[static_cast<std::size_t>(j)] = static_cast<float>(1 / deviation(j));
    return scale;
  }

 private:
  template <class Backend, class Term>
  void moments_of(const Backend& be, double* out, Term term) noexcept {
    parallel_chunks(be, pixels_, [&](index_t chunk, index_t begin, index_t end, int) {
      double* sum = sums_ + chunk * F_;
      std::fill_n(sum, F_, 0.);
      for (index_t i = begin; i < end; ++i)
        for (index_t f = 0; f < F_; ++f) sum[f] += term(values_[i * F_ + f], mean_[f]);
    });
    std::fill_n(out, F_, 0.);
    for (index_t c = 0; c < chunk_count(pixels_); ++c)
      for (index_t f = 0; f < F_; ++f) out[f] += sums_[c * F_ + f];
    for (index_t f = 0; f < F_; ++f) out[f] /= static_cast<double>(pixels_);
  }

  index_t pixels_ = 0, F_ = 0, q_ = 0;
  float *values_ = nullptr, *components_ = nullptr;
  double *mean_ = nullptr, *scale_ = nullptr, *sums_ = nullptr, *moments_ = nullptr, *directions_ = nullptr;
  std::array<double, static_cast<std::size_t>(most_components)> deviation_{};
};

}  // namespace unmask::inline UNMASK_ABI::clouds
