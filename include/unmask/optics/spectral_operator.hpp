#pragma once

/// A L of `spectral_tv` and its transpose, row by row: from K planes of coefficients (framed_image.hpp) to what the
/// sensor measures of the spectra that they stand for; and what each measured value weighs.
///
/// Where a camera's bands were measured to land, light is shared by the columns beside: as if there were a band for
/// each column, whose rows of L are shares of the real bands'. P is the number of bands or of these columns.

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <utility>

#include "camera.hpp"
#include "framed_image.hpp"
#include "pixel_spectra.hpp"
#include "weighted_sums.hpp"

namespace unmask::inline UNMASK_ABI::optics::detail {

class spectral_operator {
 public:
  /// Both have to live as long as this; the camera is canonical, `spectral_basis` [K, C].
  spectral_operator(const camera& c, in<float, 2> spectral_basis)
      : spectral_operator(c.geometry(), spectral_basis.extent(0), c.placed()) {
    camera_ = &c;
    given_ = spectral_basis;
  }

  /// Only to tell how much memory it takes; `placed`: for a camera with positions.
  spectral_operator(const cassi_geometry& g, index_t rank, bool placed)
      : geometry_(placed ? cassi_geometry{g.height, g.width, g.step * (g.bands - 1) + 1, 1} : g),
        bands_(g.bands),
        rank_(rank) {}

  const camera& seen_by() const { return *camera_; }
  /// With columns in place of bands where these are placed.
  const cassi_geometry& geometry() const { return geometry_; }
  planes layout() const { return {geometry_.height, rank_, geometry_.width}; }
  index_t values() const { return geometry_.measurement_width(); }  ///< V, of a row of the measurement

  void carve(arena& memory) {
    const index_t K = rank_, P = geometry_.bands, C = bands_;
    rows_ = memory.take<float>(K * P);
    columns_ = memory.take<float>(P * K);
    basis_ = memory.take<float>(K * C);
    inverse_energies_ = memory.take<float>(K);
  }

  void carve_scratch(arena& memory) {
    const index_t n = geometry_.height * values();
    measured_ = memory.take<float>(n);
    odd_ = memory.take<float>(n);
    inverse_variance_ = memory.take<float>(n);
  }

  /// Another basis of the same size, for the next `prepare`.
  void change_basis(in<float, 2> spectral_basis) { given_ = spectral_basis; }

  /// One function for all callers, as is the other `prepare`: inlined copies would round differently.
  UNMASK_ONE_CODE void prepare() {
    const index_t K = rank_, P = geometry_.bands, C = bands_;
    std::fill_n(rows_, K * P, 0.f);
    std::fill_n(columns_, K * P, 0.f);
    std::fill_n(inverse_energies_, K, 0.f);
    for (index_t k = 0; k < K; ++k)
      for (index_t c = 0; c < C; ++c) {
        const float value = given_(k, c);
        basis_[k * C + c] = value;
        inverse_energies_[k] += value * value;
        const float at = camera_->placed() ? camera_->positions()[static_cast<std::size_t>(c)] : static_cast<float>(c);
        const auto first = static_cast<index_t>(at);
        const float part = at - static_cast<float>(first);
        for (const auto& [p, share] : {std::pair{first, 1 - part}, std::pair{std::min(first + 1, P - 1), part}}) {
          rows_[k * P + p] += share * value;
          columns_[p * K + k] += share * value;
        }
      }
    for (index_t k = 0; k < K; ++k) inverse_energies_[k] = 1 / inverse_energies_[k];
  }

  /// Row h of the inverse variance: that of y grows with y from `floor` times y's mean on; 1 at the mean.
  void weigh_measurement(index_t h, const float* y, float mean) {
    const index_t V = values();
    const float floor = camera_->noise().floor;
    for (index_t v = h * V; v < (h + 1) * V; ++v)
      inverse_variance_[v] = (1 + floor) / (std::max(0.f, y[v] / mean) + floor);
  }

  /// Row h of `measured` += A L x. Odd bands have a line of their own: what was just stored, shifted by a step, is slow
  /// to load.
  void forward(index_t h, const float* x) const {
    const index_t W = geometry_.width, P = geometry_.bands, V = values(), K = rank_, step = geometry_.step;
    const float* mask = camera_->mask().data() + h * W;
    float *to = measured_ + h * V, *odd = odd_ + h * V;
    std::fill_n(odd, V, 0.f);
    for (index_t c = 0; c < P; c += 2) {
      const bool pair = c + 1 < P;
      const float* a = columns_ + c * K;
      weighted_sums<2>(W, {a, pair ? K : 0, K}, x + h * K * W, W, [&](index_t i, auto access, const auto& sums) {
        const auto light = access.load(mask + i);
        const auto add = [&](float* at, auto sum) { access.store(at, pack::fma(light, sum, access.load(at))); };
        add(to + step * c + i, sums[0]);
        if (pair) add(odd + step * (c + 1) + i, sums[1]);
      });
    }
    simd::transform<float>(
        V, to, [](auto even, auto other) { return even + other; }, to, odd);
  }

  /// Row h of x = L' A' `measured`.
  void adjoint(index_t h, float* x) const {
    const index_t W = geometry_.width, P = geometry_.bands, K = rank_;
    const float *mask = camera_->mask().data() + h * W, *from = measured_ + h * values();
    const auto planes = [&]<index_t Count>(index_t k, std::integral_constant<index_t, Count>) {
      weighted_sums<Count>(W, {rows_ + k * P, P, P}, from, geometry_.step,
                           [&](index_t i, auto access, const auto& sums) {
                             const auto light = access.load(mask + i);
#pragma GCC unroll 4
                             for (index_t j = 0; j < Count; ++j)
                               access.store(x + (h * K + k + j) * W + i, light * sums[j]);
                           });
    };
    index_t k = 0;
    for (; k + 4 <= K; k += 4) planes(k, std::integral_constant<index_t, 4>{});
    for (; k < K; ++k) planes(k, std::integral_constant<index_t, 1>{});
  }

  /// Row h of `measured` times the inverse variance.
  void apply_inverse_variance(index_t h) const {
    const index_t V = values(), first = h * V;
    simd::each_pack<float>(V, [&](index_t i, auto access) {
      access.store(measured_ + first + i,
                   access.load(measured_ + first + i) * access.load(inverse_variance_ + first + i));
    });
  }

  /// Row h of z: the coefficients of x / level in the rows of the basis, which are at right angles.
  void find_coefficients(index_t h, float* z, in<float, 3> x, float level) const {
    spectra().project(geometry_.width, z + h * rank_ * geometry_.width, &x(h, 0, 0), inverse_energies_, 1 / level);
  }
  /// Those of one pixel's spectrum x [C].
  void find_coefficients(index_t h, index_t w, float* z, const float* x, float level) const {
    const index_t W = geometry_.width, C = bands_, K = rank_;
    for (index_t k = 0; k < K; ++k) {
      float sum = 0;
      for (index_t c = 0; c < C; ++c) sum += basis_[k * C + c] * x[c];
      z[(h * K + k) * W + w] = sum * inverse_energies_[k] / level;
    }
  }

  /// Row h of x + level L z, not below 0.
  void add_spectra(index_t h, out<float, 3> x, const float* z, float level) const {
    spectra().add(geometry_.width, &x(h, 0, 0), z + h * rank_ * geometry_.width, level);
  }

  float* measured() const { return measured_; }                  ///< [H, V]
  float* inverse_variance() const { return inverse_variance_; }  ///< [H, V]
  const float* columns() const { return columns_; }              ///< L of bands or columns, [P, K]

 private:
  using pack = simd::pack<float>;

  pixel_spectra spectra() const { return {basis_, rank_, bands_}; }

  const camera* camera_ = nullptr;
  in<float, 2> given_;
  cassi_geometry geometry_;
  index_t bands_, rank_;
  float *rows_ = nullptr, *columns_ = nullptr;  // L of bands or columns, [K, P] and [P, K]
  float* basis_ = nullptr;                      // L of the camera's bands, [K, C]
  float* inverse_energies_ = nullptr;           // [K]: one over the squares of the basis' rows
  float *measured_ = nullptr, *odd_ = nullptr, *inverse_variance_ = nullptr;
};

}  // namespace unmask::inline UNMASK_ABI::optics::detail
