#pragma once

/// Ridge regression of the cloudy date's bands on all bands of all other dates, and the same with the products of their
/// leading components (quadratic). Fitted on open pixels:
///   W = (A'A + lambda n / 100 I)^-1 A'Y,   A [n, F (+ squares) + 1]; the constant is not shrunk.

#include "features.hpp"

namespace unmask::inline UNMASK_ABI::clouds {

class regression {
 public:
  void carve(arena& a, index_t F, index_t bands) {
    F_ = F, bands_ = bands;
    const index_t q = std::min(most_components, F);
    all_ = F + q * (q + 1) / 2 + 1;
    gram_ = a.take<double>(max_chunks * (all_ * all_ + all_ * bands));
    system_ = a.take<double>(all_ * all_);
    linear_ = a.take<double>((F + 1) * bands);
    quadratic_ = a.take<double>(all_ * bands);
    rows_ = a.take<double>(max_chunks * all_);
  }

  /// Both fits. y [pixels, bands]; used [pixels]: not 0 where y may be believed.
  template <class Backend>
  void fit(const Backend& be, const features& x, const float* y, const std::uint8_t* used, index_t pixels,
           double lambda) noexcept {
    const index_t n = all_, block = n * n + n * bands_;
    parallel_chunks(be, pixels, [&](index_t chunk, index_t begin, index_t end, int) {
      double *gram = gram_ + chunk * block, *products = gram + n * n, *row = rows_ + chunk * n;
      std::fill_n(gram, block, 0.);
      for (index_t i = begin; i < end; ++i) {
        if (used[i] == 0) continue;
        expand(x, i, row);
        for (index_t r = 0; r < n; ++r) {
          const double v = row[r];
          for (index_t c = 0; c <= r; ++c) gram[r * n + c] += v * row[c];
          for (index_t b = 0; b < bands_; ++b) products[r * bands_ + b] += v * static_cast<double>(y[i * bands_ + b]);
        }
      }
    });
    for (index_t c = 1; c < chunk_count(pixels); ++c)
      for (index_t i = 0; i < block; ++i) gram_[i] += gram_[c * block + i];
    const double count = gram_[0];  // the constant's square, summed
    solve(F_ + 1, linear_, lambda * count * 1e-2);
    solve(n, quadratic_, lambda * count * 1e-2);
  }

  /// Prediction of one pixel, bands values. `row` [width()] is scratch.
  void linear(const features& x, index_t pixel, float* out, double* row) const noexcept {
    expand(x, pixel, row);
    product(row, linear_, F_ + 1, out);
  }
  void quadratic(const features& x, index_t pixel, float* out, double* row) const noexcept {
    expand(x, pixel, row);
    product(row, quadratic_, all_, out);
  }

  /// Every pixel's predictions into linear and quadratic [pixels, bands]; the second may be null.
  template <class Backend>
  void predict(const Backend& be, const features& x, index_t pixels, float* linear, float* quadratic) const noexcept {
    parallel_chunks(be, pixels, [&](index_t chunk, index_t begin, index_t end, int) {
      double* row = rows_ + chunk * all_;
      for (index_t i = begin; i < end; ++i) {
        expand(x, i, row);
        product(row, linear_, F_ + 1, linear + i * bands_);
        if (quadratic) product(row, quadratic_, all_, quadratic + i * bands_);
      }
    });
  }

  index_t width() const { return all_; }

 private:
  /// [1, values, products of components]: the linear part is a prefix.
  void expand(const features& x, index_t pixel, double* row) const noexcept {
    const float* v = x.row(pixel);
    row[0] = 1;
    for (index_t f = 0; f < F_; ++f) row[1 + f] = static_cast<double>(v[f]);
    const float* p = x.component_row(pixel);
    index_t at = 1 + F_;
    for (index_t i = 0; i < x.components(); ++i)
      for (index_t j = i; j < x.components(); ++j)
        row[at++] = static_cast<double>(p[i]) * static_cast<double>(p[j]) / (x.deviation(i) * x.deviation(j));
  }

  void product(const double* row, const double* W, index_t n, float* out) const noexcept {
    for (index_t b = 0; b < bands_; ++b) {
      double sum = 0;
      for (index_t r = 0; r < n; ++r) sum += row[r] * W[r * bands_ + b];
      out[b] = static_cast<float>(sum);
    }
  }

  void solve(index_t n, double* W, double shrink) noexcept {
    for (index_t r = 0; r < n; ++r) {
      std::copy_n(gram_ + r * all_, r + 1, system_ + r * n);
      if (r > 0) system_[r * n + r] += shrink;
      std::copy_n(gram_ + all_ * all_ + r * bands_, bands_, W + r * bands_);
    }
    if (!cholesky_solve(system_, n, W, bands_)) std::fill_n(W, n * bands_, 0.);
  }

  index_t F_ = 0, bands_ = 0, all_ = 0;
  double *gram_ = nullptr, *system_ = nullptr, *linear_ = nullptr, *quadratic_ = nullptr, *rows_ = nullptr;
};

}  // namespace unmask::inline UNMASK_ABI::clouds
