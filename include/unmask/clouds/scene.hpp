#pragma once

/// A cloudy date, the other dates of the same place, and what is asked for. Values are reflectance (digit x scale +
/// offset); visibility is in 0..1, 1 = trust. A pixel that is NaN in any band has no data, whatever its visibility
/// says.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string_view>

#include "../core/view.hpp"
#include "network_view.hpp"

namespace unmask::inline UNMASK_ABI::clouds {

struct scene_size {
  index_t height = 0, width = 0, bands = 0, references = 0;
};

struct scene {
  array_view<const float, 3> image;          ///< [H, W, C] the date to reconstruct
  array_view<const float, 2> visibility;     ///< [H, W]
  array_view<const std::uint8_t, 2> hidden;  ///< [H, W] not 0 where to reconstruct; none: where visibility is low
  double day = 0;                            ///< any origin
  array_view<const float, 4> references;     ///< [K, H, W, C] other dates, in any order
  array_view<const float, 3> reference_visibility;  ///< [K, H, W]
  const double* days = nullptr;                     ///< [K]
};

enum class method {
  stack,   ///< candidates weighted by how well they do on open pixels that were hidden on purpose
  ridge,   ///< regression on all bands of all dates
  local,   ///< local regression on the nearest date
  linear,  ///< in time, per pixel, between the nearest visible dates
  nearest  ///< a copy of the nearest date
};
inline constexpr std::array<std::string_view, 5> method_names{"stack", "ridge", "local", "linear", "nearest"};

/// Where the sun stood, for the direction of shadows; what is not a number is not known.
struct sun_position {
  double azimuth = std::numeric_limits<double>::quiet_NaN();    ///< degrees, clockwise from the image's up (north)
  double elevation = std::numeric_limits<double>::quiet_NaN();  ///< degrees above the horizon
  double pixel = std::numeric_limits<double>::quiet_NaN();      ///< metres a pixel
};

struct options {
  method how = method::stack;
  double hidden_below = .5;  ///< visibility below which a pixel is reconstructed
  double open_from = .5;     ///< visibility of other dates from which on they are used
  double ridge = .3;         ///< lambda; flat from .03 to .3 on Sentinel-2
  bool see_through = true;   ///< the stack only: use what hidden pixels show of the ground (visible_signal.hpp)
  network_step learnt{};     ///< the stack only: a network that mends what it errs in (network_correction.hpp)
  bool judged = true;  ///< a rehearsal (rehearsal.hpp) decides how far the network counts, and how large deviations are
  bool find_shadows = false;  ///< reconstruct shadows that no mask marks too; needs 3 bands
  sun_position sun;           ///< shadows lie away from it, and need less evidence then
  bool fill_no_data = false;  ///< reconstruct pixels without data too
};

/// Where a pixel of the result comes from.
enum class provenance : std::uint8_t {
  no_data = 0,
  observed = 1,
  reconstructed = 2,
  unseen = 3  ///< reconstructed where no other date saw the ground: from the surroundings
};

inline constexpr std::size_t candidates = 5;
inline constexpr std::array<std::string_view, candidates> candidate_names{"ridge", "quadratic", "similar pixels",
                                                                          "harmonic", "local"};

/// Of so many pixels: no more open ones than this are hardly any.
inline index_t hardly_any(index_t pixels) noexcept { return std::min<index_t>(500, pixels / 20); }

/// What a run found; for messages and reports.
struct outcome {
  index_t open = 0, hidden = 0, no_data = 0, unseen = 0;  ///< pixels
  index_t shadows = 0;                                    ///< of the hidden ones, those that no mask marked
  index_t fitted = 0;                                     ///< pixels the regressions saw
  index_t held_out = 0;                                   ///< open pixels that were hidden on purpose; 0: equal weights
  bool few_open = false;                                  ///< fitted on the most visible pixels, for want of open ones
  bool from_nearest = false;                              ///< few_open, and the nearest date was the better start
  bool unfitted = false;                                  ///< nothing open at all: values in time, not adapted
  bool one_image = false;                                 ///< no other date: filled from the surroundings
  std::array<double, candidates> weight{};                ///< mean over bands
  std::array<double, candidates> rmse{};                  ///< of each candidate on the held-out pixels
  double held_out_rmse = 0;                               ///< of the stack
  index_t rehearsed = 0;                                  ///< of these, those under a copy of the scene's own cloud
  double network_gain = 0;                                ///< dB of the network's under that cloud, mean over bands
  index_t mended = 0;                                     ///< pixels that went through the network

  /// A tile's findings to those of tiles before it: counts add up, errors and weights are means by held-out pixels.
  void add(const outcome& o) {
    const double n = static_cast<double>(held_out), m = static_cast<double>(o.held_out), all = std::max(n + m, 1.);
    const double under = static_cast<double>(rehearsed + o.rehearsed);
    const auto mean = [&](double& x, double y) { x = (n * x + m * y) / all; };
    const auto root = [&](double& x, double y) { x = std::sqrt((n * x * x + m * y * y) / all); };
    for (std::size_t i = 0; i < candidates; ++i) mean(weight[i], o.weight[i]), root(rmse[i], o.rmse[i]);
    root(held_out_rmse, o.held_out_rmse);
    if (under > 0)
      network_gain =
          (static_cast<double>(rehearsed) * network_gain + static_cast<double>(o.rehearsed) * o.network_gain) / under;
    mended += o.mended, rehearsed += o.rehearsed;
    open += o.open, hidden += o.hidden, no_data += o.no_data, unseen += o.unseen, shadows += o.shadows;
    fitted += o.fitted, held_out += o.held_out;
    from_nearest = from_nearest || o.from_nearest;
    few_open = few_open || o.few_open, unfitted = unfitted || o.unfitted, one_image = one_image || o.one_image;
  }
};

}  // namespace unmask::inline UNMASK_ABI::clouds
