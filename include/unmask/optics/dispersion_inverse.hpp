#pragma once

/// The inverse of D + A't A, where D is a number for each pixel and A = dispersion of m L z: what preconditions the
/// conjugate gradients of `spectral_tv`. By Woodbury's identity it is
///
///   D^-1 - D^-1 A' T^-1 A D^-1,   T = t^-1 + A D^-1 A'
///
/// and T is small and banded: an image row's V measured values see each other only through a pixel that sends light to
/// both, so value v is coupled with v + s d, d < C, for dispersion step s. With A't A exact only the differences
/// between neighbours are left to the iteration: 20 steps come nearer to the minimum than 160 with the diagonal of A't
/// A (lambda 5e-4; docs/decisions.md). Cholesky's factors of as many rows as a register has lanes lie side by side.

#include <algorithm>

#include "../core/arena.hpp"
#include "../simd/loop.hpp"
#include "cassi.hpp"

namespace unmask::inline UNMASK_ABI::optics::detail {

class dispersion_inverse {
 public:
  using pack = simd::pack<float>;
  static constexpr index_t lanes = pack::lanes;  ///< rows that are solved together

  dispersion_inverse(const cassi_geometry& g, index_t rank)
      : geometry_(g), rank_(rank), bandwidth_(g.step > 0 ? g.bands : 1), values_(g.measurement_width()) {}

  index_t groups() const { return (geometry_.height + lanes - 1) / lanes; }

  void carve(arena& memory) { products_ = memory.take<float>(geometry_.bands * geometry_.bands); }

  void carve_scratch(arena& memory) {
    factors_ = memory.take<float>(groups() * values_ * bandwidth_ * lanes);
    lines_ = memory.take<float>(groups() * values_ * lanes);
    spectra_ = memory.take<float>(groups() * (geometry_.bands + rank_) * lanes);
  }

  /// L [C, K], which stays.
  UNMASK_ONE_CODE void prepare(const float* basis) {
    const index_t C = geometry_.bands, rank = rank_;
    basis_ = basis;
    for (index_t c = 0; c < C; ++c)
      for (index_t b = 0; b < C; ++b) {
        float sum = 0;
        for (index_t k = 0; k < rank; ++k) sum += basis[c * rank + k] * basis[b * rank + k];
        products_[c * C + b] = sum;
      }
  }

  /// T's factors for the rows of one group, from the mask and t [H, V], the inverse variance. D^-1 is a I + b u u' at
  /// each pixel: diagonal(h, w) gives {a, b} and direction(k, h, w) u_k.
  template <class Diagonal, class Direction>
  void factor(index_t group, const float* mask, const float* inverse_variance, Diagonal&& diagonal,
              Direction&& direction) {
    const index_t W = geometry_.width, C = geometry_.bands, s = geometry_.step, first = group * lanes;
    const index_t rows = std::min(lanes, geometry_.height - first);
    std::fill_n(column_of(group, 0), values_ * bandwidth_ * lanes, 0.f);
    for (index_t v = 0; v < values_; ++v)
      for (index_t i = 0; i < lanes; ++i)
        column_of(group, v)[i] = i < rows ? 1 / inverse_variance[(first + i) * values_ + v] : 1.f;
    float *spectra = spectra_ + group * (C + rank_) * lanes, *directions = spectra + C * lanes;
    std::fill_n(directions, rank_ * lanes, 0.f);
    for (index_t w = 0; w < W; ++w) {
      float every[lanes] = {}, along[lanes] = {};
      for (index_t i = 0; i < rows; ++i) {
        const float m = mask[(first + i) * W + w];
        const auto [a, b] = diagonal(first + i, w);
        every[i] = m * m * a, along[i] = m * m * b;
        for (index_t k = 0; k < rank_; ++k) directions[k * lanes + i] = direction(k, first + i, w);
      }
      for (index_t c = 0; c < C; ++c) {
        auto sum = pack::all(0.f);
        for (index_t k = 0; k < rank_; ++k)
          sum = pack::fma(pack::all(basis_[c * rank_ + k]), pack::load(directions + k * lanes), sum);
        pack::store(spectra + c * lanes, sum);  // L u
      }
      const auto a = pack::load(every), b = pack::load(along);
      for (index_t c = 0; c < C; ++c) {
        const auto first_band = b * pack::load(spectra + c * lanes);
        for (index_t e = c; e < C; ++e) {
          float* to = column_of(group, w + s * c) + (bandwidth_ > 1 ? e - c : 0) * lanes;
          // with no dispersion all pairs of bands meet in one value, in both orders
          const auto twice = pack::all(bandwidth_ == 1 && e > c ? 2.f : 1.f);
          const auto both = pack::fma(first_band, pack::load(spectra + e * lanes), a * pack::all(products_[c * C + e]));
          pack::store(to, pack::fma(twice, both, pack::load(to)));
        }
      }
    }
    // Cholesky by columns; a column keeps 1 / its diagonal first
    for (index_t v = 0; v < values_; ++v) {
      float* here = column_of(group, v);
      const auto inverse = pack::all(1.f) / pack::sqrt(pack::load(here));
      pack::store(here, inverse);
      for (index_t d = 1; d < bandwidth_; ++d) pack::store(here + d * lanes, pack::load(here + d * lanes) * inverse);
      for (index_t d = 1; d < bandwidth_ && v + s * d < values_; ++d) {
        float* later = column_of(group, v + s * d);
        const auto factor = pack::load(here + d * lanes);
        for (index_t e = d; e < bandwidth_; ++e)
          pack::store(later + (e - d) * lanes,
                      pack::fnma(factor, pack::load(here + e * lanes), pack::load(later + (e - d) * lanes)));
      }
    }
  }

  /// T^-1 times the rows of a group in measured [H, V], in place.
  void solve(index_t group, float* measured) {
    const index_t s = geometry_.step, first = group * lanes, rows = std::min(lanes, geometry_.height - first);
    float* x = lines_ + group * values_ * lanes;
    for (index_t v = 0; v < values_; ++v)
      for (index_t i = 0; i < lanes; ++i) x[v * lanes + i] = i < rows ? measured[(first + i) * values_ + v] : 0.f;
    // both ways go through the columns, which come from far memory, from end to end
    const index_t next = s * lanes;
    for (index_t v = 0; v < values_; ++v) {
      const float* here = column_of(group, v);
      float* later = x + v * lanes;
      const auto solved = pack::load(later) * pack::load(here), minus = pack::all(0.f) - solved;
      pack::store(later, solved);
      for (index_t d = 1, n = coupled(v); d < n; ++d) {
        later += next, here += lanes;
        pack::store(later, pack::fma(pack::load(here), minus, pack::load(later)));
      }
    }
    for (index_t v = values_ - 1; v >= 0; --v) {
      const float *here = column_of(group, v), *later = x + v * lanes;
      auto sum = pack::all(0.f), other = sum;
      const index_t n = coupled(v);
      index_t d = 1;
      for (; d + 1 < n; d += 2) {
        sum = pack::fma(pack::load(here + d * lanes), pack::load(later + d * next), sum);
        other = pack::fma(pack::load(here + (d + 1) * lanes), pack::load(later + (d + 1) * next), other);
      }
      if (d < n) sum = pack::fma(pack::load(here + d * lanes), pack::load(later + d * next), sum);
      pack::store(x + v * lanes, (pack::load(later) - (sum + other)) * pack::load(here));
    }
    for (index_t i = 0; i < rows; ++i)
      for (index_t v = 0; v < values_; ++v) measured[(first + i) * values_ + v] = x[v * lanes + i];
  }

 private:
  /// How many columns, itself among them, v is coupled with to its right.
  index_t coupled(index_t v) const {
    return bandwidth_ == 1 ? 1 : std::min(bandwidth_, (values_ - v + geometry_.step - 1) / geometry_.step);
  }

  /// Column v of a group's factors: [bandwidth][lanes], entry d couples v with v + step d.
  float* column_of(index_t group, index_t v) const { return factors_ + (group * values_ + v) * bandwidth_ * lanes; }

  cassi_geometry geometry_;
  index_t rank_, bandwidth_, values_;
  const float* basis_ = nullptr;
  float *factors_ = nullptr, *lines_ = nullptr, *products_ = nullptr, *spectra_ = nullptr;
};

}  // namespace unmask::inline UNMASK_ABI::optics::detail
