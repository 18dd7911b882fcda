#pragma once

/// The architecture of an unfolded network (unfolded_network.hpp).

#include "part_network.hpp"

namespace unmask::inline UNMASK_ABI {

struct unfolded_config {
  int bands = 28;
  int step = 2;           ///< dispersion, pixels a band
  int components = 6;     ///< spectral ones of the covariance
  int rounds = 3;         ///< a data step and a network each; a data step ends
  bool shared = false;    ///< all rounds have the same weights
  bool estimate = false;  ///< starts from an estimate that comes with the measurement, else from zero
  int channels = 32, blocks = 2, heads = 4, hidden = 128, window = 8;

  constexpr bool operator==(const unfolded_config&) const = default;
  constexpr index_t input_channels() const { return estimate ? 2 * bands : bands; }
  constexpr index_t padded(index_t n) const { return (n + window - 1) / window * window; }

  /// Of each round.
  s2_config network() const { return detail::part_network(*this, bands); }
};

template <class Visitor, class Config>
requires std::same_as<std::remove_const_t<Config>, unfolded_config>
void visit_fields(Visitor& v, Config& c) {
  v("bands", c.bands, field_range{1, 256});
  v("step", c.step, field_range{1, 64});
  v("components", c.components, field_range{1, 64});
  v("rounds", c.rounds, field_range{1, max_pins});
  v("shared", c.shared);
  v("estimate", c.estimate);
  detail::visit_part_fields(v, c);
}

inline result<> check(const unfolded_config& c) {
  if (auto ok = check_fields(c, "unfolded_config"); !ok) return ok;
  return detail::check_part(c, "unfolded_config");
}

}  // namespace unmask::inline UNMASK_ABI
