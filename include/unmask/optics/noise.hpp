#pragma once

/// Sensor noise on a measurement, in place: shot noise, then read noise.
///
///   binomial   Y = B(floor(v depth / q), q) / depth     q quantum efficiency, depth levels: the field's recipe for
///                                                       training on real cameras (MST real, q 0.4, depth 2048)
///   poisson    Y = P(v photons) / photons               photons: expected count at full scale
///   read       Y += N(0, read_sigma)
///
/// v = y / full_scale. Values above full scale are not clipped; negative values carry no shot noise and become 0, NaN
/// stays NaN. One random stream a row: equal seeds give equal noise on any number of threads.

#include <cmath>
#include <cstdint>

#include "../core/random.hpp"
#include "../core/refuse_setting.hpp"
#include "../core/result.hpp"
#include "../parallel/parallel_for.hpp"

namespace unmask::inline UNMASK_ABI::optics {

enum class shot_noise { none, binomial, poisson };

struct noise_model {
  shot_noise shot = shot_noise::none;
  double quantum_efficiency = .4;  ///< (0, 1], binomial
  double bit_depth = 2048;         ///< levels at full scale, binomial
  double photons = 1e4;            ///< expected count at full scale, poisson
  double read_sigma = 0;           ///< in units of full scale
  double full_scale = 1;           ///< the measurement's value that counts as 1: C / 2 for y = A x itself
};

/// The field's training noise for real cameras.
inline noise_model camera_noise() { return {.shot = shot_noise::binomial}; }

inline result<> check_noise(const noise_model& n) {
  const auto refuse = [](const char* name, double found, const char* expected) {
    return unmask::detail::refuse_setting("noise", name, found, expected);
  };
  if (!(n.quantum_efficiency > 0 && n.quantum_efficiency <= 1))
    return refuse("quantum efficiency", n.quantum_efficiency, "a number in (0, 1]");
  if (!(n.bit_depth > 0 && n.bit_depth <= 1e9)) return refuse("bit depth", n.bit_depth, "a number in (0, 1e9]");
  if (!(n.photons > 0 && n.photons <= 1e9)) return refuse("photon count", n.photons, "a number in (0, 1e9]");
  if (!(n.read_sigma >= 0 && n.read_sigma <= 1e9)) return refuse("read sigma", n.read_sigma, "a number in [0, 1e9]");
  if (!(n.full_scale > 0 && n.full_scale <= 1e9)) return refuse("full scale", n.full_scale, "a number in (0, 1e9]");
  return {};
}

/// y [H, V], changed in place. `model` has passed `check_noise`.
template <class Backend, class T, class Shape>
void add_noise(const Backend& be, const view<T, Shape>& y, const noise_model& model, std::uint64_t seed) {
  const index_t V = y.extent(1);
  // The generator's own limit: far more photons than a float has digits for.
  const auto count = [](double v, double unit) { return std::fmin(std::fmax(v, 0.) * unit, 0x1p40); };
  parallel_for(be, y.extent(0), [&](index_t h, int) {
    unmask::random draw(seed, static_cast<std::uint64_t>(h));
    for (T* at = y.data() + h * V; at != y.data() + (h + 1) * V; ++at) {
      double v = static_cast<double>(*at) / model.full_scale;
      if (std::isnan(v)) continue;
      if (model.shot == shot_noise::binomial) {
        const double trials = std::floor(count(v, model.bit_depth / model.quantum_efficiency));
        v = static_cast<double>(draw.binomial(static_cast<std::int64_t>(trials), model.quantum_efficiency)) /
            model.bit_depth;
      } else if (model.shot == shot_noise::poisson) {
        v = static_cast<double>(draw.poisson(count(v, model.photons))) / model.photons;
      }
      if (model.read_sigma > 0) v += model.read_sigma * draw.normal();
      *at = static_cast<T>(v * model.full_scale);
    }
  });
}

}  // namespace unmask::inline UNMASK_ABI::optics
