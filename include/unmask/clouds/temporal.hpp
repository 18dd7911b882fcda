#pragma once

/// Interpolation in time, per pixel: what most people use, and all that can be done where nothing is open.

#include <cmath>
#include <cstdint>

#include "../parallel/parallel_for.hpp"

namespace unmask::inline UNMASK_ABI::clouds {

/// The other dates as the methods read them.
struct dates {
  const float* values = nullptr;       ///< [n, K, C], hidden pixels filled
  const std::uint8_t* open = nullptr;  ///< [K, n]
  const double* days = nullptr;        ///< [K]
  index_t n = 0, K = 0, C = 0;
};

/// The date nearest to `day`; the first of equals, -1 where there is none.
inline index_t nearest_date(double day, const double* days, index_t K) noexcept {
  index_t best = -1;
  for (index_t k = 0; k < K; ++k)
    if (best < 0 || std::abs(days[k] - day) < std::abs(days[best] - day)) best = k;
  return best;
}

/// out [n, C]: between the nearest dates before and after `day` that see the pixel, a copy where only one side has any,
/// the mean of all where none has. A date of the same day counts as before.
template <class Backend>
void interpolate_in_time(const Backend& be, const dates& d, double day, float* out) noexcept {
  parallel_chunks(be, d.n, [&](index_t, index_t begin, index_t end, int) {
    for (index_t i = begin; i < end; ++i) {
      index_t before = -1, after = -1;
      for (index_t k = 0; k < d.K; ++k) {
        if (d.open[k * d.n + i] == 0) continue;
        if (d.days[k] <= day && (before < 0 || d.days[k] > d.days[before])) before = k;
        if (d.days[k] > day && (after < 0 || d.days[k] < d.days[after])) after = k;
      }
      const float* v = d.values + i * d.K * d.C;
      for (index_t c = 0; c < d.C; ++c) {
        float& to = out[i * d.C + c];
        if (before >= 0 && after >= 0) {
          const auto u = static_cast<float>((day - d.days[before]) / (d.days[after] - d.days[before]));
          to = (1 - u) * v[before * d.C + c] + u * v[after * d.C + c];
        } else if (before >= 0 || after >= 0) {
          to = v[std::max(before, after) * d.C + c];
        } else {
          double sum = 0;
          for (index_t k = 0; k < d.K; ++k) sum += static_cast<double>(v[k * d.C + c]);
          to = static_cast<float>(sum / static_cast<double>(d.K));
        }
      }
    }
  });
}

}  // namespace unmask::inline UNMASK_ABI::clouds
