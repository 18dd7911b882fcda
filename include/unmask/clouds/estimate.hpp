#pragma once

/// What a run writes.

#include "prepared_scene.hpp"

namespace unmask::inline UNMASK_ABI::clouds {

/// Deviation and origin may be without data.
struct estimate {
  array_view<float, 3> image;          ///< [H, W, C]
  array_view<float, 3> deviation;      ///< [H, W, C] standard deviation; 0 where observed, NaN where it is not known
  array_view<std::uint8_t, 2> origin;  ///< [H, W] `provenance`
};

/// value, deviation [n, C] where the scene asks for them; what was given elsewhere.
template <class Backend>
void write_estimate(const Backend& be, const prepared_scene& p, const scene& s, const estimate& to, const float* value,
                    const float* deviation) noexcept {
  const index_t C = p.C;
  parallel_chunks(be, p.n, [&](index_t, index_t begin, index_t end, int) {
    for (index_t i = begin; i < end; ++i) {
      const bool asked = p.asked[i] != 0;
      bool data = true;
      for (index_t c = 0; c < C; ++c) {
        const float given = s.image.data()[i * C + c];
        data = data && std::isfinite(given);
        to.image.data()[i * C + c] = asked ? value[i * C + c] : given;
        if (to.deviation.data()) to.deviation.data()[i * C + c] = asked ? deviation[i * C + c] : 0.f;
      }
      if (!to.origin.data()) continue;
      const provenance from = asked ? (p.K == 0 || p.unseen[i] != 0 ? provenance::unseen : provenance::reconstructed)
                                    : (data ? provenance::observed : provenance::no_data);
      to.origin.data()[i] = static_cast<std::uint8_t>(from);
    }
  });
}

/// value [n, C]: estimates do not fall below zero, unless open pixels do.
inline void keep_positive(const prepared_scene& p, float* value) noexcept {
  for (index_t c = 0; c < p.C; ++c) {
    float least = 0;
    for (index_t i = 0; i < p.n; ++i)
      if (p.open[i] != 0) least = std::min(least, p.y[i * p.C + c]);
    for (index_t i = 0; i < p.n; ++i)
      if (p.asked[i] != 0 && value[i * p.C + c] < least) value[i * p.C + c] = least;
  }
}

}  // namespace unmask::inline UNMASK_ABI::clouds
