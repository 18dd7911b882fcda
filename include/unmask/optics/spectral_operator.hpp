#pragma once

/// A L of `spectral_tv` and its transpose, row by row: from K planes of coefficients (framed_image.hpp) to what the
/// sensor measures of the spectra that they stand for; and what each measured value weighs.
///
/// Where a camera's bands were measured to land, light is shared by the columns beside: as if there were a band for
/// each column, whose rows of L are shares of the real bands'. P is the number of bands or of these columns.

#include <algorithm>
#include <cmath>
#include <utility>

#include "camera.hpp"
#include "framed_image.hpp"
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
    transposed_ = memory.take<float>(C * K);
    energies_ = memory.take<float>(K);
  }

  void carve_scratch(arena& memory) {
    const index_t n = geometry_.height * values();
    measured_ = memory.take<float>(n);
    odd_ = memory.take<float>(n);
    inverse_variance_ = memory.take<float>(n);
  }

  /// One function for all callers, as is the other `prepare`: inlined copies would round differently.
  UNMASK_ONE_CODE void prepare() {
    const index_t K = rank_, P = geometry_.bands, C = bands_;
    std::fill_n(rows_, K * P, 0.f);
    std::fill_n(columns_, K * P, 0.f);
    std::fill_n(energies_, K, 0.f);
    for (index_t k = 0; k < K; ++k)
      for (index_t c = 0; c < C; ++c) {
        const float value = given_(k, c);
        basis_[k * C + c] = transposed_[c * K + k] = value;
        energies_[k] += value * value;
        const float at = camera_->placed() ? camera_->positions()[static_cast<std::size_t>(c)] : static_cast<float>(c);
        const auto first = static_cast<index_t>(at);
        const float part = at - static_cast<float>(first);
        for (const auto& [p, share] : {std::pair{first, 1 - part}, std::pair{std::min(first + 1, P - 1), part}}) {
          rows_[k * P + p] += share * value;
          columns_[p * K + k] += share * value;
        }
      }
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
      weighted_sums(
          W, {a, pair ? a + K : a, K}, x + h * K * W, W, [&](index_t i, auto access, auto first, auto second) {
            const auto light = access.load(mask + i);
            const auto add = [&](float* at, auto sum) { access.store(at, pack::fma(light, sum, access.load(at))); };
            add(to + step * c + i, first);
            if (pair) add(odd + step * (c + 1) + i, second);
          });
    }
    simd::transform<float>(
        V, to, [](auto even, auto other) { return even + other; }, to, odd);
  }

  /// Row h of x = L' A' `measured`.
  void adjoint(index_t h, float* x) const {
    const index_t W = geometry_.width, P = geometry_.bands, K = rank_;
    const float *mask = camera_->mask().data() + h * W, *from = measured_ + h * values();
    for (index_t k = 0; k < K; k += 2) {
      const bool pair = k + 1 < K;
      const float* a = rows_ + k * P;
      weighted_sums(W, {a, pair ? a + P : a, P}, from, geometry_.step,
                    [&](index_t i, auto access, auto first, auto second) {
                      const auto light = access.load(mask + i);
                      float* at = x + (h * K + k) * W + i;
                      access.store(at, light * first);
                      if (pair) access.store(at + W, light * second);
                    });
    }
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
    for (index_t w = 0; w < geometry_.width; ++w) find_coefficients(h, w, z, &x(h, w, 0), level);
  }
  /// Those of one pixel's spectrum x [C].
  void find_coefficients(index_t h, index_t w, float* z, const float* x, float level) const {
    const index_t W = geometry_.width, C = bands_, K = rank_;
    for (index_t k = 0; k < K; ++k) {
      float sum = 0;
      for (index_t c = 0; c < C; ++c) sum += basis_[k * C + c] * x[c];
      z[(h * K + k) * W + w] = sum / (level * energies_[k]);
    }
  }

  /// Row h of x + level L z, not below 0.
  void add_spectra(index_t h, out<float, 3> x, const float* z, float level) const {
    const index_t W = geometry_.width, C = bands_, K = rank_;
    for (index_t w = 0; w < W; ++w)
      for (index_t c = 0; c < C; ++c) {
        float sum = 0;
        for (index_t k = 0; k < K; ++k) sum += transposed_[c * K + k] * z[(h * K + k) * W + w];
        const float to = x(h, w, c) + level * sum;
        x(h, w, c) = to < 0 ? 0 : to;
      }
  }

  float* measured() const { return measured_; }                  ///< [H, V]
  float* inverse_variance() const { return inverse_variance_; }  ///< [H, V]
  const float* columns() const { return columns_; }              ///< L of bands or columns, [P, K]

 private:
  using pack = simd::pack<float>;

  const camera* camera_ = nullptr;
  in<float, 2> given_;
  cassi_geometry geometry_;
  index_t bands_, rank_;
  float *rows_ = nullptr, *columns_ = nullptr;      // L of bands or columns, [K, P] and [P, K]
  float *basis_ = nullptr, *transposed_ = nullptr;  // L of the camera's bands, [K, C] and [C, K]
  float* energies_ = nullptr;                       // [K]: squares of the basis' rows
  float *measured_ = nullptr, *odd_ = nullptr, *inverse_variance_ = nullptr;
};

}  // namespace unmask::inline UNMASK_ABI::optics::detail
