#pragma once

/// The cube that a network starts from. The paper's is HM, the measurement shifted back and masked: every pixel then
/// holds light of bands from up to step (C - 1) columns away, which a small network cannot reach. GAP-TV has sorted
/// most of it already, and the network learns what is left.

#include <array>
#include <map>
#include <string>
#include <string_view>

#include "gap_tv.hpp"

namespace unmask::inline UNMASK_ABI::optics {

enum class initial_estimate {
  hm,             ///< `cassi_input`
  gap_tv,         ///< GAP-TV as it comes
  gap_tv_camera,  ///< GAP-TV with the settings for a real camera
};

inline constexpr std::array<std::string_view, 3> initial_names{"hm", "gap-tv", "gap-tv-camera"};

inline std::string_view initial_name(initial_estimate kind) { return initial_names[static_cast<std::size_t>(kind)]; }

/// Errors: `bad_argument` for a name that is none of `initial_names`.
inline result<initial_estimate> initial_by_name(std::string_view name) {
  for (std::size_t i = 0; i < initial_names.size(); ++i)
    if (name == initial_names[i]) return static_cast<initial_estimate>(i);
  return error(errc::bad_argument, "initial: '" + std::string(name) + "' is not one of hm, gap-tv, gap-tv-camera");
}

/// What a weights file's description says under "initial"; hm where it says nothing.
inline result<initial_estimate> described_initial(const std::map<std::string, std::string>& description) {
  const auto word = description.find("initial");
  return word == description.end() ? initial_estimate::hm : initial_by_name(word->second);
}

/// x [H, W, C] from y [H, W + step (C - 1)] and the mask [H, W]. GAP-TV takes memory of its own, `gap_tv::bytes`.
template <class Backend>
void estimate_initially(const Backend& be, initial_estimate kind, out<float, 3> x, in<float, 2> y, in<float, 2> mask,
                        index_t step) {
  if (kind == initial_estimate::hm) return cassi_input(be, x, y, mask, step);
  gap_tv solver({x.extent(0), x.extent(1), x.extent(2), step},
                kind == initial_estimate::gap_tv_camera ? camera_gap_tv() : gap_tv_options());
  solver.run(be, x, y, mask);
}

}  // namespace unmask::inline UNMASK_ABI::optics
