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
#include "planned.hpp"
#include "spectral_tv.hpp"

namespace unmask::inline UNMASK_ABI::optics {

enum class initial_kind {
  hm,             ///< `camera::input`
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

/// What it takes to make it again: what a weights file's description says, and of the camera what is no camera's.
struct initial_estimate {
  initial_kind kind = initial_kind::hm;
  tensor<float, 2> spectral_basis = {};                     ///< spectral TV's [K, C]; empty for the others
  float noise_weight = spectral_tv_options().noise_weight;  ///< spectral TV's for this camera
};

inline spectral_tv_options spectral_tv_settings(const initial_estimate& initial) {
  spectral_tv_options options;
  options.noise_weight = initial.noise_weight;
  return options;
}

inline gap_tv_options gap_tv_settings(initial_kind kind) {
  return kind == initial_kind::gap_tv_camera ? camera_gap_tv() : gap_tv_options();
}

/// Adds "initial", and "spread" (K, C, then the values, row by row) where there is one.
inline void describe_initial(std::map<std::string, std::string>& description, const initial_estimate& initial) {
  description["initial"] = initial_name(initial.kind);
  if (initial.kind != initial_kind::spectral_tv) return;
  std::string text =
      std::to_string(initial.spectral_basis.extent(0)) + " " + std::to_string(initial.spectral_basis.extent(1));
  for (const float v : initial.spectral_basis) {
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
  initial.spectral_basis = tensor<float, 2>({rank, columns});
  for (float& v : initial.spectral_basis)
    if (!number(v) || !std::isfinite(v))
      return error(errc::wrong_value, "initial: spread has a value that is missing or no finite number");
  if (at != end)
    return error(errc::wrong_value, "initial: spread has more values than " + std::to_string(rank * bands));
  return initial;
}

/// Memory that `estimate_initially` takes and gives back; `placed`: for a camera with positions.
inline std::size_t initial_bytes(const initial_estimate& initial, const cassi_geometry& g, bool placed = false) {
  if (initial.kind == initial_kind::hm) return 0;
  return initial.kind == initial_kind::spectral_tv ? spectral_tv::bytes(g, initial.spectral_basis.extent(0), placed)
                                                   : gap_tv::bytes(g);
}

/// How often `estimate_initially` reports.
inline index_t initial_steps(initial_kind kind) {
  switch (kind) {
    case initial_kind::hm:
      return 0;
    case initial_kind::gap_tv:
    case initial_kind::gap_tv_camera:
      return gap_tv_settings(kind).iterations;
    case initial_kind::spectral_tv:
      return spectral_tv_options().outer_iterations;
  }
  return 0;
}

/// Whether this camera's snapshots can be estimated so. Errors: as the solvers' `check`.
inline result<> check_initial(const initial_estimate& initial, const camera& c) {
  if (initial.kind == initial_kind::hm) return {};
  return initial.kind == initial_kind::spectral_tv
             ? spectral_tv::check(c, initial.spectral_basis.view(), spectral_tv_settings(initial))
             : gap_tv::check(c, gap_tv_settings(initial.kind));
}

/// x [H, W, C] from a snapshot y of the camera, which `check_initial` has passed; `progress(iteration from 1, |A x - y|
/// / |y|)`.
template <class Backend, class Progress>
void estimate_initially(const Backend& be, const initial_estimate& initial, const camera& c, out<float, 3> x,
                        in<float, 2> y, Progress&& progress) {
  if (initial.kind == initial_kind::hm)
    c.input(be, x, y);
  else if (initial.kind == initial_kind::spectral_tv)
    planned<spectral_tv>(c, initial.spectral_basis.view(), spectral_tv_settings(initial))->run(be, x, y, progress);
  else
    planned<gap_tv>(c, gap_tv_settings(initial.kind))->run(be, x, y, progress);
}

template <class Backend>
void estimate_initially(const Backend& be, const initial_estimate& initial, const camera& c, out<float, 3> x,
                        in<float, 2> y) {
  estimate_initially(be, initial, c, x, y, [](index_t, float) {});
}

}  // namespace unmask::inline UNMASK_ABI::optics
