#pragma once

/// The five definitions of PSNR and SSIM that are found in the field's code. They differ by up to several dB on equal
/// data, so every number carries the name of its definition.
///
///   name           values compared          PSNR                              SSIM (11x11 Gaussian, sigma 1.5)
///   official-8bit  round(255 clip(x, 0, 1)) mean over bands, peak 255         the same values, valid region, L 255
///   mst-torch      round(256 x)             mean over bands, peak 255         x, zero-padded, L 1
///   tsa-max        x                        mean over bands, peak max(truth)  x, zero-padded, L 1
///   global-mse     x                        one MSE over the cube, peak 1     x, valid region, L 1
///   dpu-float      x                        mean over bands, peak 1           as official-8bit
///
/// official-8bit is the published tables' (MATLAB `Cal_quality_assessment`) and the default. Where a definition's own
/// code has no SSIM (global-mse), the common window is used. SAM and ERGAS are taken from the values of column two.

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <string_view>

#include "../core/result.hpp"

namespace unmask::inline UNMASK_ABI::metrics {

enum class definition { official_8bit, mst_torch, tsa_max, global_mse, dpu_float };

inline constexpr std::array<std::string_view, 5> definition_names{"official-8bit", "mst-torch", "tsa-max", "global-mse",
                                                                  "dpu-float"};

constexpr std::string_view name(definition d) { return definition_names[static_cast<std::size_t>(d)]; }

inline result<definition> definition_from_name(std::string_view text) {
  std::string known;
  for (std::size_t i = 0; i < definition_names.size(); ++i) {
    if (text == definition_names[i]) return static_cast<definition>(i);
    known.append(i ? ", " : "").append(definition_names[i]);
  }
  return error(errc::bad_argument, "metric definition: found '" + std::string(text) + "', expected one of " + known);
}

namespace detail {

/// MATLAB's im2uint8: half away from zero, out-of-range values saturate.
inline double to_8bit(double x) { return std::floor(255 * std::clamp(x, 0., 1.) + .5); }

/// The values PSNR, SAM and ERGAS compare. torch.round rounds half to even, as nearbyint does by default.
inline double compared(definition d, double x) {
  if (d == definition::official_8bit) return to_8bit(x);
  return d == definition::mst_torch ? std::nearbyint(256 * x) : x;
}

constexpr bool ssim_in_8bit(definition d) { return d == definition::official_8bit || d == definition::dpu_float; }
constexpr bool ssim_zero_padded(definition d) { return d == definition::mst_torch || d == definition::tsa_max; }

}  // namespace detail

}  // namespace unmask::inline UNMASK_ABI::metrics
