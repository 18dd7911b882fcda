#pragma once

/// Smooth spectra for generated scenes: illuminants and reflectances over a list of wavelengths in nm.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "../core/random.hpp"

namespace unmask::inline UNMASK_ABI::scenes {

using spectrum = std::vector<double>;

/// A black body of `kelvin` (2500..10000 is lamp to sky), scaled to a maximum of 1 over the list.
inline spectrum blackbody(const std::vector<double>& wavelengths, double kelvin) {
  spectrum s;
  double peak = 0;
  for (double nm : wavelengths) {
    // Planck's law up to a factor; 1.4388e7 nm K is h c / k.
    s.push_back(1 / (std::pow(nm * 1e-3, 5) * std::expm1(1.4388e7 / (nm * kelvin))));
    peak = std::max(peak, s.back());
  }
  for (double& v : s) v /= peak;
  return s;
}

/// A reflectance in [0.02, 0.98]: a base, up to three Gaussian bands, and in half of the cases a logistic edge (the
/// shape of red, orange and yellow paints). Features lie in the list's range and are 15..80 nm wide, as dyes' are.
inline spectrum reflectance(const std::vector<double>& wavelengths, unmask::random& draw) {
  const double first = wavelengths.front(), last = wavelengths.back();
  const double base = draw.uniform(.03, .35);
  spectrum s(wavelengths.size(), base);
  for (index_t peaks = draw.below(4); peaks > 0; --peaks) {
    const double centre = draw.uniform(first, last), width = draw.uniform(15, 80), height = draw.uniform(-.3, .8);
    for (std::size_t i = 0; i < s.size(); ++i) {
      const double x = (wavelengths[i] - centre) / width;
      s[i] += height * std::exp(-.5 * x * x);
    }
  }
  if (draw.below(2) == 0) {
    const double at = draw.uniform(first, last), width = draw.uniform(6, 25);
    const double height = draw.uniform(.2, .8) * (draw.below(4) == 0 ? -1 : 1);
    for (std::size_t i = 0; i < s.size(); ++i) s[i] += height / (1 + std::exp((at - wavelengths[i]) / width));
  }
  for (double& v : s) v = std::clamp(v, .02, .98);
  return s;
}

}  // namespace unmask::inline UNMASK_ABI::scenes
