#pragma once

/// Local regression: y = a r + b by band, r the nearest date, fitted in windows of 161 to 11 pixels; each window's fit
/// is shrunk towards the next larger one's by how few open pixels it has (as LLHM, Scaramuzza et al. 2004, at many
/// scales).

#include <array>
#include <utility>

#include "../core/arena.hpp"
#include "../parallel/parallel_for.hpp"
#include "blur.hpp"

namespace unmask::inline UNMASK_ABI::clouds {

class local_regression {
 public:
  static constexpr index_t planes = 13;

  void carve(arena& a, grid g, int slots) {
    size_ = g;
    const index_t threads = slots;  // any thread may take any item
    memory_ = a.take<float>(threads * planes * g.size());
    running_ = a.take<double>(threads * g.width);
  }

  /// out [H, W, bands] from y and nearest [H, W, bands]; used [H, W]: not 0 where y is open.
  template <class Backend>
  void fit(const Backend& be, const float* y, const float* nearest, const std::uint8_t* used, index_t bands,
           float* out) const noexcept {
    parallel_for(be, bands, [&](index_t band, int slot) {
      band_fit(y + band, nearest + band, used, bands, out + band, memory_ + slot * planes * size_.size(),
               running_ + slot * size_.width);
    });
  }

 private:
  void band_fit(const float* y, const float* nearest, const std::uint8_t* used, index_t stride, float* out,
                float* memory, double* running) const noexcept {
    const index_t n = size_.size();
    std::array<float*, planes> p;
    for (std::size_t i = 0; i < p.size(); ++i) p[i] = memory + static_cast<index_t>(i) * n;
    auto [w, r, v, rr, rv, a, b, mw, mr, mv, mrr, mrv, between] = p;
    double count = 0, sr = 0, sv = 0;
    for (index_t i = 0; i < n; ++i) {
      if (used[i] == 0) continue;
      count += 1, sr += static_cast<double>(nearest[i * stride]), sv += static_cast<double>(y[i * stride]);
    }
    const double cr = count > 0 ? sr / count : 0, cv = count > 0 ? sv / count : 0;
    double srr = 0, srv = 0;
    // about the means of all: float products of values far from zero would cancel
    for (index_t i = 0; i < n; ++i) {
      w[i] = used[i] != 0 ? 1.f : 0.f;
      r[i] = used[i] != 0 ? static_cast<float>(static_cast<double>(nearest[i * stride]) - cr) : 0.f;
      v[i] = used[i] != 0 ? static_cast<float>(static_cast<double>(y[i * stride]) - cv) : 0.f;
      rr[i] = r[i] * r[i], rv[i] = r[i] * v[i];
      srr += static_cast<double>(rr[i]), srv += static_cast<double>(rv[i]);
    }
    const double variance = count > 0 ? srr / count : 0, prior = .1 * variance + 1e-12;
    const bool varies = variance > 1e-18;
    std::fill_n(a, n, varies ? static_cast<float>(srv / srr) : 1.f);
    std::fill_n(b, n, 0.f);
    for (const index_t side : {161, 81, 41, 21, 11}) {
      if (side > 2 * std::max(size_.height, size_.width)) continue;
      for (const auto& [to, from] : {std::pair{mw, w}, {mr, r}, {mv, v}, {mrr, rr}, {mrv, rv}})
        box_mean(to, from, size_, side, between, running);
      const double area = static_cast<double>(side * side);
      for (index_t i = 0; i < n; ++i) {
        const double N = static_cast<double>(mw[i]) * area;
        if (!(N > .5)) continue;
        const double share = static_cast<double>(mw[i]), x = static_cast<double>(mr[i]) / share;
        const double z = static_cast<double>(mv[i]) / share;
        const double var = std::max(static_cast<double>(mrr[i]) / share - x * x, 0.);
        const double cov = static_cast<double>(mrv[i]) / share - x * z;
        const double few = 60, old_a = static_cast<double>(a[i]), old_b = static_cast<double>(b[i]);
        const double slope = (N * cov + few * (prior + var) * old_a) / (N * var + few * (prior + var) + 1e-15);
        const double own = N / (N + few);
        b[i] = static_cast<float>(own * (z - slope * x) + (1 - own) * (old_a * x + old_b - slope * x));
        a[i] = static_cast<float>(slope);
      }
    }
    for (index_t i = 0; i < n; ++i)
      out[i * stride] = static_cast<float>(static_cast<double>(a[i]) * (static_cast<double>(nearest[i * stride]) - cr) +
                                           static_cast<double>(b[i]) + cv);
  }

  grid size_;
  float* memory_ = nullptr;
  double* running_ = nullptr;
};

}  // namespace unmask::inline UNMASK_ABI::clouds
