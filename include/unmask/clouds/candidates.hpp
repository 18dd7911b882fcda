#pragma once

/// The five predictions that are stacked, for a chosen set of open pixels.

#include "local_regression.hpp"
#include "prepared_scene.hpp"
#include "regression.hpp"
#include "similar_pixels.hpp"
#include "stacking.hpp"

namespace unmask::inline UNMASK_ABI::clouds {

class candidate_set {
 public:
  void carve(arena& a, const prepared_scene& s, int slots) {
    const index_t all = s.n * s.C;
    regression_.carve(a, s.K * s.C, s.C);
    similar_.carve(a, s.size);
    local_.carve(a, s.size, slots);
    unknown_ = a.take<std::uint8_t>(s.n);
    linear_ = a.take<float>(all);
    quadratic_ = a.take<float>(all);
    difference_ = a.take<float>(all);
    for (float*& e : values_.E) e = a.take<float>(all);
  }

  /// All candidates (or, for the methods that are one of them, that one only) at the pixels at [count], fitted where
  /// used [n] is not 0. The values stay until the next call.
  template <class Backend>
  const candidate_values& compute(const Backend& be, prepared_scene& s, const options& o, const std::uint8_t* used,
                                  const std::int32_t* at, index_t count) noexcept {
    const index_t C = s.C, n = s.n;
    values_.count = count, values_.bands = C;
    const bool stack = o.how == method::stack;
    if (o.how != method::local) {
      regression_.fit(be, s.x, s.y, used, n, o.ridge);
      regression_.predict(be, s.x, n, linear_, stack ? quadratic_ : nullptr);
      gather(values_.E[0], linear_, at, count, C);
    }
    if (stack) {
      gather(values_.E[1], quadratic_, at, count, C);
      similar_.build(s.x, used);
      similar_.correct(be, s.x, at, count, C, s.y, linear_, values_.E[2]);
      for (index_t i = 0; i < n; ++i) {
        unknown_[i] = used[i] == 0;
        for (index_t c = 0; c < C; ++c)
          difference_[i * C + c] = used[i] != 0 ? s.y[i * C + c] - linear_[i * C + c] : 0.f;
      }
      s.harmonic.build(unknown_);
      s.harmonic.solve(be, difference_, C);
      for (index_t i = 0; i < count; ++i)
        for (index_t c = 0; c < C; ++c) values_.E[3][i * C + c] = values_.E[0][i * C + c] + difference_[at[i] * C + c];
    }
    if (stack || o.how == method::local) {
      local_.fit(be, s.y, s.nearest, used, C, difference_);
      gather(values_.E[4], difference_, at, count, C);
    }
    return values_;
  }

  /// The regression alone, fitted where the scene is open: its prediction everywhere [n, C].
  template <class Backend>
  const float* regress(const Backend& be, prepared_scene& s, const options& o) noexcept {
    regression_.fit(be, s.x, s.y, s.open, s.n, o.ridge);
    regression_.predict(be, s.x, s.n, linear_, nullptr);
    return linear_;
  }

  /// Scratch of n x C floats that the next `compute` overwrites.
  float* scratch() const { return difference_; }
  /// The last regression's prediction everywhere [n, C].
  const float* regression_everywhere() const { return linear_; }

 private:
  static void gather(float* to, const float* from, const std::int32_t* at, index_t count, index_t C) noexcept {
    for (index_t i = 0; i < count; ++i) std::copy_n(from + at[i] * C, C, to + i * C);
  }

  regression regression_;
  similar_pixels similar_;
  local_regression local_;
  std::uint8_t* unknown_ = nullptr;
  float *linear_ = nullptr, *quadratic_ = nullptr, *difference_ = nullptr;
  candidate_values values_;
};

}  // namespace unmask::inline UNMASK_ABI::clouds
