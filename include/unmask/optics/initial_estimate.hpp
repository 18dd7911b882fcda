#pragma once

/// The cube that a network starts from. The paper's is HM, the measurement shifted back and masked: every pixel then
/// holds light of bands from up to step (C - 1) columns away, which a small network cannot reach. GAP-TV has sorted
/// most of it already and spectral TV more, and the network learns what is left.

#include <array>
#include <charconv>
#include <map>
#include <string>
#include <string_view>

#include "../core/tensor.hpp"
#include "gap_tv.hpp"
#include "spectral_tv.hpp"

namespace unmask::inline UNMASK_ABI::optics {

enum class initial_kind {
  hm,             ///< `cassi_input`
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

/// All that it takes to make it again: what a weights file's description says, and the camera.
struct initial_estimate {
  initial_kind kind = initial_kind::hm;
  tensor<float, 2> spread = {};  ///< spectral TV's [K, C]; empty for the others
  camera_model camera = {};      ///< only spectral TV knows of it: the others take bands at multiples of the step
};

inline spectral_tv spectral_tv_plan(const initial_estimate& initial, const cassi_geometry& g) {
  spectral_tv_options options;
  options.noise_weight = initial.camera.noise_weight;
  return {g, initial.spread.view(), options, initial.camera.positions};
}

/// Adds "initial", and "spread" (K, C, then the values, row by row) where there is one.
inline void describe_initial(std::map<std::string, std::string>& description, const initial_estimate& initial) {
  description["initial"] = initial_name(initial.kind);
  if (initial.kind != initial_kind::spectral_tv) return;
  std::string text = std::to_string(initial.spread.extent(0)) + " " + std::to_string(initial.spread.extent(1));
  for (const float v : initial.spread) {
    char number[24];
    std::snprintf(number, sizeof number, " %.9g", static_cast<double>(v));
    text += number;
  }
  description["spread"] = text;
}

/// What a weights file's description says of a network for `bands` bands; hm where it says nothing.
/// Errors: an unknown name, a spread that is missing, damaged or for other bands.
inline result<initial_estimate> described_initial(const std::map<std::string, std::string>& description,
                                                  index_t bands) {
  const auto word = description.find("initial");
  if (word == description.end()) return initial_estimate{};
  const auto kind = initial_by_name(word->second);
  if (!kind) return kind.error();
  initial_estimate initial{.kind = *kind};
  if (*kind != initial_kind::spectral_tv) return initial;
  const auto spread = description.find("spread");
  if (spread == description.end()) return error(errc::not_found, "initial: spectral-tv without a 'spread'");
  const char *at = spread->second.data(), *end = at + spread->second.size();
  const auto number = [&](auto& value) {
    while (at < end && *at == ' ') ++at;
    const auto read = std::from_chars(at, end, value);
    at = read.ptr;
    return read.ec == std::errc();
  };
  index_t rank = 0, columns = 0;
  if (!number(rank) || !number(columns) || columns != bands || rank < 1 || rank > bands)
    return error(errc::wrong_shape, "initial: spread is [" + std::to_string(rank) + " x " + std::to_string(columns) +
                                        "], expected at most " + std::to_string(bands) + " rows of " +
                                        std::to_string(bands));
  initial.spread = tensor<float, 2>({rank, columns});
  for (float& v : initial.spread)
    if (!number(v) || !std::isfinite(v))
      return error(errc::wrong_value, "initial: spread has a value that is missing or no finite number");
  if (at != end)
    return error(errc::wrong_value, "initial: spread has more values than " + std::to_string(rank * bands));
  return initial;
}

/// Memory that `estimate_initially` takes and gives back.
inline std::size_t initial_bytes(const initial_estimate& initial, const cassi_geometry& g) {
  if (initial.kind == initial_kind::hm) return 0;
  return initial.kind == initial_kind::spectral_tv
             ? spectral_tv::bytes(g, initial.spread.extent(0), !initial.camera.positions.empty())
             : gap_tv::bytes(g);
}

/// How often `estimate_initially` reports.
inline index_t initial_steps(initial_kind kind) {
  switch (kind) {
    case initial_kind::hm:
      return 0;
    case initial_kind::gap_tv:
      return gap_tv_options().iterations;
    case initial_kind::gap_tv_camera:
      return camera_gap_tv().iterations;
    case initial_kind::spectral_tv:
      return spectral_tv_options().stages;
  }
  return 0;
}

/// x [H, W, C] from y [H, W + step (C - 1)] and the mask [H, W]; `progress(step from 1, |A x - y| / |y|)`.
template <class Backend, class Progress>
void estimate_initially(const Backend& be, const initial_estimate& initial, out<float, 3> x, in<float, 2> y,
                        in<float, 2> mask, index_t step, Progress&& progress) {
  const cassi_geometry g{x.extent(0), x.extent(1), x.extent(2), step};
  if (initial.kind == initial_kind::hm)
    cassi_input(be, x, y, mask, step);
  else if (initial.kind == initial_kind::spectral_tv)
    spectral_tv_plan(initial, g).run(be, x, y, mask, progress);
  else
    gap_tv(g, initial.kind == initial_kind::gap_tv ? gap_tv_options() : camera_gap_tv()).run(be, x, y, mask, progress);
}

template <class Backend>
void estimate_initially(const Backend& be, const initial_estimate& initial, out<float, 3> x, in<float, 2> y,
                        in<float, 2> mask, index_t step) {
  estimate_initially(be, initial, x, y, mask, step, [](index_t, float) {});
}

}  // namespace unmask::inline UNMASK_ABI::optics
