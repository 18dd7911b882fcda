#pragma once

/// A scene as the methods read it: which pixels are open, which are to be reconstructed, and what other dates tell,
/// with their clouds filled.

#include <algorithm>
#include <cmath>

#include "features.hpp"
#include "references.hpp"
#include "scene.hpp"
#include "temporal.hpp"

namespace unmask::inline UNMASK_ABI::clouds {

class prepared_scene {
 public:
  float* y = nullptr;              ///< [n, C] the cloudy date; 0 where it has no data
  float* nearest = nullptr;        ///< [n, C] the nearest date, or values interpolated in time
  std::uint8_t* open = nullptr;    ///< [n] 1 where y is used to fit
  std::uint8_t* asked = nullptr;   ///< [n] 1 where to reconstruct
  std::uint8_t* unseen = nullptr;  ///< [n] 1 where no other date saw the ground
  features x;                      ///< of the other dates
  harmonic_fill harmonic;
  index_t n = 0, C = 0, K = 0;
  grid size;

  void carve(arena& a, scene_size s, int slots) {
    size = {s.height, s.width};
    n = size.size(), C = s.bands, K = s.references;
    y = a.take<float>(n * C);
    open = a.take<std::uint8_t>(n);
    asked = a.take<std::uint8_t>(n);
    unseen = a.take<std::uint8_t>(n);
    nearest = a.take<float>(n * C);
    harmonic.carve(a, size, std::max(C, K * C), slots);
    if (K == 0) return;
    x.carve(a, n, K * C);
    open_dates_ = a.take<std::uint8_t>(K * n);
    order_ = a.take<index_t>(K);
    days_ = a.take<double>(K);
    fill_.carve(a, size, slots);
  }

  template <class Backend>
  void load(const Backend& be, const scene& s, const options& o, outcome& found) noexcept {
    sort_pixels(s, o, found);
    found.one_image = true;
    if (K == 0) return;
    load_dates(be, s, o);
    found.unseen = 0;
    const index_t blind = fill_.fill(be, x.values(), open_dates_, K, C, nearest, unseen);
    if (blind == n) return;
    found.one_image = false;
    if (blind > 0) {
      harmonic.build(unseen);
      harmonic.solve(be, x.values(), K * C);
    }
    for (index_t i = 0; i < n; ++i) found.unseen += asked[i] != 0 && unseen[i] != 0;
    if (o.how == method::linear || found.unfitted) {
      interpolate_in_time(be, {x.values(), open_dates_, days_, n, K, C}, s.day, nearest);
    } else {
      const index_t k = nearest_date(s.day, days_, K);
      for (index_t i = 0; i < n; ++i) std::copy_n(x.row(i) + k * C, C, nearest + i * C);
    }
    x.standardise(be);
  }

  /// What may have changed since the nearest date, [n, C]: its difference from the date nearest to it in turn, counted
  /// as a random walk over the days. both [n] becomes 1 at the `count` pixels that these two dates saw. The mean square
  /// there; NaN where there is no other date, or hardly a pixel.
  double change(double day, float* to, std::uint8_t* both, index_t& count) const noexcept {
    count = 0;
    if (K < 2) return std::nan("");
    const index_t k = nearest_date(day, days_, K);
    index_t j = k == 0 ? 1 : 0;
    for (index_t i = 0; i < K; ++i)
      if (i != k && std::abs(days_[i] - days_[k]) < std::abs(days_[j] - days_[k])) j = i;
    const double days = std::max(std::abs(days_[k] - day), 1.) / std::max(std::abs(days_[j] - days_[k]), 1.);
    double sum = 0;
    for (index_t i = 0; i < n; ++i) {
      both[i] = open_dates_[k * n + i] != 0 && open_dates_[j * n + i] != 0;
      count += both[i];
      for (index_t c = 0; c < C; ++c) {
        const double d = std::sqrt(days) * (x.value(i, k * C + c) - x.value(i, j * C + c));
        to[i * C + c] = static_cast<float>(d);
        if (both[i] != 0) sum += d * d;
      }
    }
    return count < 100 ? std::nan("") : sum / static_cast<double>(count * C);
  }

  static bool finite(const float* v, index_t count) noexcept {
    for (index_t c = 0; c < count; ++c)
      if (!std::isfinite(v[c])) return false;
    return true;
  }

 private:
  void sort_pixels(const scene& s, const options& o, outcome& found) noexcept {
    std::array<index_t, 1025> levels{};  // of visibility, for the case that hardly anything is open
    const auto level = [](float v) {
      return v > 0 ? static_cast<std::size_t>(std::min(v, 1.f) * 1024) : std::size_t{0};
    };
    index_t data = 0;
    for (index_t i = 0; i < n; ++i) {
      const float* v = s.image.data() + i * C;
      const bool there = finite(v, C);
      const float seen = s.visibility.data()[i];
      const bool hides = s.hidden.data() ? s.hidden.data()[i] != 0 : !(static_cast<double>(seen) >= o.hidden_below);
      for (index_t c = 0; c < C; ++c) y[i * C + c] = there ? v[c] : 0.f;
      open[i] = there && !hides;
      asked[i] = there ? hides : o.fill_no_data;
      found.no_data += !there;
      found.open += open[i] != 0;
      found.hidden += asked[i] != 0;
      data += there;
      if (there) ++levels[level(seen)];
    }
    found.fitted = found.open;
    if (found.open <= hardly_any(n) && found.hidden > 0) {
      // the 15 % that show the most, as long as they show anything
      std::size_t from = 1024;
      for (index_t count = levels[from]; from > 1 && count < data * 15 / 100;) count += levels[--from];
      index_t more = 0;
      for (index_t i = 0; i < n; ++i) {
        const bool there = open[i] != 0 || (asked[i] != 0 && finite(s.image.data() + i * C, C));
        more += there && level(s.visibility.data()[i]) >= from;
      }
      if (more > found.open) {
        found.few_open = true;
        found.fitted = 0;
        for (index_t i = 0; i < n; ++i) {
          const bool there = open[i] != 0 || (asked[i] != 0 && finite(s.image.data() + i * C, C));
          open[i] = there && (open[i] != 0 || level(s.visibility.data()[i]) >= from);
          found.fitted += open[i] != 0;
        }
      }
    }
    found.unfitted = found.fitted == 0;
  }

  template <class Backend>
  void load_dates(const Backend& be, const scene& s, const options& o) noexcept {
    // sorted, so that the order in which dates are given changes no bit
    for (index_t k = 0; k < K; ++k) order_[k] = k;
    std::sort(order_, order_ + K,
              [&](index_t p, index_t q) { return s.days[p] < s.days[q] || (s.days[p] == s.days[q] && p < q); });
    for (index_t k = 0; k < K; ++k) days_[k] = s.days[order_[k]];
    float* to = x.values();
    parallel_chunks(be, n, [&](index_t, index_t begin, index_t end, int) {
      for (index_t i = begin; i < end; ++i)
        for (index_t k = 0; k < K; ++k) {
          const index_t given = order_[k] * n + i;
          const float* v = s.references.data() + given * C;
          const bool there = finite(v, C);
          for (index_t c = 0; c < C; ++c) to[(i * K + k) * C + c] = there ? v[c] : 0.f;
          open_dates_[k * n + i] = there && static_cast<double>(s.reference_visibility.data()[given]) >= o.open_from;
        }
    });
  }

  std::uint8_t* open_dates_ = nullptr;  ///< [K, n], dates sorted
  index_t* order_ = nullptr;            ///< [K] which of the given dates is the k-th
  double* days_ = nullptr;              ///< [K] sorted
  reference_fill fill_;
};

}  // namespace unmask::inline UNMASK_ABI::clouds
