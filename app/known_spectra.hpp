#pragma once

/// For a camera that no network fits: spectral TV, which needs no network, with the spectra of the one that comes with
/// the program, at this camera's wavelengths.

#include <unmask/optics/spectral.hpp>

#include "known_wavelengths.hpp"
#include "methods.hpp"
#include "models.hpp"

namespace program {

/// nm beyond the ends of the network's wavelengths at which its first or last band still speaks for a band: at 33 nm
/// spectral TV is 1.4 to 4.2 dB ahead of GAP-TV, at 53 nm behind (docs/decisions.md).
inline constexpr double spectra_reach = 35;

/// The model: an estimate without a network. Errors: wavelengths that its spectra do not reach.
inline result<unmask::model> known_spectra(const unmask::model& general, const unmask::optics::cassi_geometry& g,
                                           const std::vector<double>& nm) {
  const auto rows = unmask::optics::rows_for<float>(general.initial.spectral_basis.view(), g.bands);
  if (general.initial.kind != initial_kind::spectral_tv || rows.extent(0) > g.bands)
    return error(errc::bad_argument,
                 "the spectra that come with the program need at least " + std::to_string(rows.extent(0)) + " bands");
  auto basis = unmask::optics::resample_spectral_basis<float>(rows, general.wavelengths, nm, spectra_reach);
  if (!basis) return basis.error();
  unmask::model m = without_network({initial_kind::spectral_tv, std::move(*basis)}, g.bands);
  m.dispersion_step = static_cast<int>(g.step);
  m.direction = g.direction;
  m.wavelengths = nm;
  return m;
}

}  // namespace program
