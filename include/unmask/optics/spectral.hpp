#pragma once

/// Moving a cube from one list of wavelengths to another.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "../core/finite.hpp"
#include "../core/result.hpp"
#include "../core/tensor.hpp"

namespace unmask::inline UNMASK_ABI::optics {

/// The 28 bands (nm) of the simulation benchmark of snapshot imaging.
inline constexpr std::array<double, 28> benchmark_wavelengths{
    453.3, 457.6, 462.1, 466.8, 471.6, 476.5, 481.6, 486.9, 492.4, 498.0, 503.9, 509.9, 516.2, 522.7,
    529.5, 536.5, 543.8, 551.4, 558.6, 567.5, 575.3, 584.3, 594.4, 604.2, 614.4, 625.1, 636.3, 648.1};

inline std::vector<double> benchmark_wavelength_list() {
  return {benchmark_wavelengths.begin(), benchmark_wavelengths.end()};
}

/// Linear interpolation of `cube` [H, W, C] from its wavelengths `from` (C of them, nm, strictly ascending) to `to`.
/// A target outside `from` is refused (`wrong_value`): nothing was measured there. The ends count as inside with a
/// slack of 1e-3 nm, because files store wavelengths as float.
template <class T>
result<tensor<T, 3>> resample_bands(const tensor<T, 3>& cube, const std::vector<double>& from,
                                    const std::vector<double>& to) {
  const index_t C = cube.extent(2), N = static_cast<index_t>(to.size());
  const auto refuse = [](errc code, const char* format, auto... values) {
    char text[160];
    std::snprintf(text, sizeof text, format, values...);
    return error(code, text);
  };
  if (C < 1 || static_cast<index_t>(from.size()) != C)
    return refuse(errc::wrong_shape, "wavelengths: found %zu, expected %td, one for each band of the cube", from.size(),
                  C);
  if (N < 1) return refuse(errc::wrong_shape, "target wavelengths: found %d, expected at least 1", 0);
  for (std::size_t c = 0; c < from.size(); ++c)
    if (!is_finite(from[c]) || (c > 0 && !(from[c] > from[c - 1])))
      return refuse(errc::wrong_value, "wavelengths: number %zu is %g, expected finite, ascending values", c, from[c]);

  std::vector<index_t> left(to.size());
  std::vector<T> weight(to.size());
  for (std::size_t n = 0; n < to.size(); ++n) {
    if (!(to[n] >= from.front() - 1e-3 && to[n] <= from.back() + 1e-3))
      return refuse(errc::wrong_value, "target wavelength %g nm is outside the cube's %g..%g nm", to[n], from.front(),
                    from.back());
    std::size_t c = 0;
    while (c + 2 < from.size() && from[c + 1] <= to[n]) ++c;
    left[n] = static_cast<index_t>(c);
    if (C > 1) {
      const double t = (to[n] - from[c]) / (from[c + 1] - from[c]);
      weight[n] = static_cast<T>(t < 0 ? 0 : t > 1 ? 1 : t);
    }
  }

  tensor<T, 3> resampled({cube.extent(0), cube.extent(1), N});
  const T* source = cube.data();
  T* target = resampled.data();
  for (index_t pixel = 0; pixel < cube.extent(0) * cube.extent(1); ++pixel, source += C, target += N)
    for (std::size_t n = 0; n < to.size(); ++n) {
      const T* at = source + left[n];
      target[n] = C > 1 ? (1 - weight[n]) * at[0] + weight[n] * at[1] : at[0];
    }
  return resampled;
}

/// The leading rows of a spectral basis that are used where all of them would be too many.
inline constexpr index_t few_spectra = 8;

/// The rows of a basis [K, C] that a camera of so many bands has use for: all, or where it has fewer bands the first 8.
template <class T>
in<T, 2> rows_for(in<T, 2> basis, index_t bands) {
  const index_t K = basis.extent(0);
  return in<T, 2>(basis.data(), K <= bands ? K : std::min(K, few_spectra), basis.extent(1));
}

/// A spectral basis [K, C] (learn_spectra.hpp) at other wavelengths, ascending: real spectra vary slowly, so their
/// principal directions may be read off between bands. Outside `from` by at most `reach` nm the nearest band's values
/// count. Errors: targets further outside, lists that are not ascending.
template <class T>
result<tensor<T, 2>> resample_spectral_basis(in<T, 2> basis, const std::vector<double>& from, std::vector<double> to,
                                             double reach) {
  const index_t K = basis.extent(0), C = basis.extent(1);
  if (!from.empty())
    for (double& nm : to) {
      if (nm >= from.front() - reach && nm < from.front()) nm = from.front();
      if (nm <= from.back() + reach && nm > from.back()) nm = from.back();
    }
  tensor<T, 3> rows({K, 1, C});
  std::copy(basis.begin(), basis.end(), rows.begin());
  auto moved = resample_bands(rows, from, to);
  if (!moved) return moved.error();
  tensor<T, 2> result_basis({K, static_cast<index_t>(to.size())});
  std::copy(moved->begin(), moved->end(), result_basis.begin());
  return result_basis;
}

}  // namespace unmask::inline UNMASK_ABI::optics
