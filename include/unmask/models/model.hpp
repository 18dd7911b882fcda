#pragma once

/// A trained network with all that decides what it computes: what a weights file holds, typed. A model fits cameras
/// like the one it was trained for; `fits` refuses any other by name.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "../core/dispersion.hpp"
#include "../core/finite.hpp"
#include "../core/result.hpp"
#include "../core/tensor.hpp"
#include "s2_config.hpp"

namespace unmask::inline UNMASK_ABI {

/// The cube that a network starts from.
enum class initial_kind {
  hm,             ///< the measurement shifted back and masked
  gap_tv,         ///< GAP-TV as it comes
  gap_tv_camera,  ///< GAP-TV with the settings for a real camera
  spectral_tv,    ///< spectral TV, for clean and noisy measurements alike
};

inline constexpr std::array<std::string_view, 4> initial_names{"hm", "gap-tv", "gap-tv-camera", "spectral-tv"};

inline std::string_view initial_name(initial_kind kind) { return initial_names[static_cast<std::size_t>(kind)]; }

/// Errors: `bad_argument` for a name that is none of `initial_names`.
inline result<initial_kind> initial_by_name(std::string_view name) {
  for (std::size_t i = 0; i < initial_names.size(); ++i)
    if (name == initial_names[i]) return static_cast<initial_kind>(i);
  return error(errc::bad_argument,
               "initial: '" + std::string(name) + "' is not one of hm, gap-tv, gap-tv-camera, spectral-tv");
}

struct initial_spec {
  initial_kind kind = initial_kind::hm;
  tensor<float, 2> spectral_basis{};  ///< spectral TV's [K, C], 1 <= K <= C; empty for the others
};

/// `Config` is the architecture's: see models/concept.hpp.
template <class Config>
struct basic_model {
  Config config{};
  std::vector<float> parameters{};  ///< flat block of the architecture's manifest
  initial_spec initial{};
  index_t dispersion_step = 2;  ///< pixels from each band to the next
  dispersion_direction direction = dispersion_direction::right;
  std::vector<double> wavelengths{};          ///< nm, ascending, [C]; empty: not known
  std::array<float, 2> range{0, 1};           ///< of the cube's values that it was trained on
  std::map<std::string, std::string> card{};  ///< text for people: data, recipe, licence; nothing is read from it
};

using model = basic_model<s2_config>;

/// Whether what a model says about itself is consistent (its configuration and parameters have checks of their own).
/// Errors name the member.
template <class Config>
result<> check(const basic_model<Config>& m) {
  const auto bad = [](errc code, const std::string& what) { return error(code, "model: " + what); };
  const index_t bands = m.config.bands, rows = m.initial.spectral_basis.extent(0),
                columns = m.initial.spectral_basis.extent(1);
  const bool spectral = m.initial.kind == initial_kind::spectral_tv;
  if (spectral ? rows < 1 || rows > bands || columns != bands : m.initial.spectral_basis.size() != 0)
    return bad(errc::wrong_shape, "spectral_basis is [" + std::to_string(rows) + " x " + std::to_string(columns) +
                                      "], expected " +
                                      (spectral ? "1 to " + std::to_string(bands) + " rows of " + std::to_string(bands)
                                                : "none for " + std::string(initial_name(m.initial.kind))));
  for (const float v : m.initial.spectral_basis)
    if (!is_finite(v)) return bad(errc::wrong_value, "spectral_basis has a value that is NaN or infinite");
  if (m.dispersion_step < 0 || m.dispersion_step > 65536)
    return bad(errc::wrong_value, "dispersion_step is " + std::to_string(m.dispersion_step) + ", expected 0..65536");
  if (!m.wavelengths.empty() && static_cast<index_t>(m.wavelengths.size()) != bands)
    return bad(errc::wrong_shape, std::to_string(m.wavelengths.size()) + " wavelengths, expected none or " +
                                      std::to_string(bands) + ", one a band");
  for (std::size_t i = 0; i < m.wavelengths.size(); ++i)
    if (!(m.wavelengths[i] > (i == 0 ? 0 : m.wavelengths[i - 1])) || !(m.wavelengths[i] < 1e6))
      return bad(errc::wrong_value, "wavelengths are not ascending numbers of nm");
  if (!(m.range[0] < m.range[1]) || !is_finite(m.range[0]) || !is_finite(m.range[1]))
    return bad(errc::wrong_value, "range is not two ascending numbers");
  return {};
}

namespace detail {

/// The band whose wavelength is off by more than a quarter of the way to its nearest neighbour; -1 for none. So much
/// is another camera's band: rounding in files and a calibration's tenths of nm stay far below.
inline index_t other_wavelength(std::span<const double> trained, std::span<const double> found) {
  for (std::size_t i = 0; i < trained.size(); ++i) {
    double nearest = 1e9;
    if (i > 0) nearest = trained[i] - trained[i - 1];
    if (i + 1 < trained.size()) nearest = std::min(nearest, trained[i + 1] - trained[i]);
    if (trained.size() == 1) nearest = 20;
    if (!(std::abs(found[i] - trained[i]) <= nearest / 4)) return static_cast<index_t>(i);
  }
  return -1;
}

}  // namespace detail

/// What a model meets: a camera, and the wavelengths of its bands where they are known (nm, empty if not).
struct model_use {
  index_t bands = 0, dispersion_step = 2;
  dispersion_direction direction = dispersion_direction::right;
  std::span<const double> wavelengths{};
};

/// Whether a model was trained for bands that lie and are dispersed like these. `name`: what the message calls it, a
/// file's name. Wavelengths are compared where both sides know theirs.
/// Errors: `wrong_shape` (bands), `bad_argument` (step, direction), `wrong_value` (wavelengths).
template <class Config>
result<> fits(const basic_model<Config>& m, const model_use& use, const std::string& name = "model") {
  const auto refuse = [&](errc code, const std::string& trained, const std::string& found, const std::string& option) {
    return error(code, name + ": trained for " + trained + ", found " + found + " (" + option + ")");
  };
  const auto count = [](index_t n) { return std::to_string(n); };
  if (use.bands != m.config.bands)
    return refuse(errc::wrong_shape, count(m.config.bands) + " bands", count(use.bands) + " bands",
                  "--weights takes a model for " + count(use.bands));
  if (use.dispersion_step != m.dispersion_step)
    return refuse(errc::bad_argument, "dispersion step " + count(m.dispersion_step), count(use.dispersion_step),
                  "--step says what the camera has, --weights takes another model");
  if (use.direction != m.direction)
    return refuse(errc::bad_argument, "dispersion direction " + std::string(dispersion_name(m.direction)),
                  std::string(dispersion_name(use.direction)), "--weights takes another model");
  if (m.wavelengths.empty() || use.wavelengths.empty()) return {};
  if (use.wavelengths.size() != m.wavelengths.size())
    return refuse(errc::wrong_shape, count(static_cast<index_t>(m.wavelengths.size())) + " wavelengths",
                  count(static_cast<index_t>(use.wavelengths.size())), "--weights takes another model");
  const index_t band = detail::other_wavelength(m.wavelengths, use.wavelengths);
  if (band < 0) return {};
  char trained[64], found[32];
  const auto at = static_cast<std::size_t>(band);
  std::snprintf(trained, sizeof trained, "%.1f nm in band %td", m.wavelengths[at], band);
  std::snprintf(found, sizeof found, "%.1f nm", use.wavelengths[at]);
  return refuse(errc::wrong_value, trained, found, "--weights takes another model");
}

template <class Config>
result<> fits(const basic_model<Config>& m, index_t bands, index_t dispersion_step, dispersion_direction direction,
              std::span<const double> wavelengths = {}) {
  return fits(m, model_use{bands, dispersion_step, direction, wavelengths});
}

}  // namespace unmask::inline UNMASK_ABI
