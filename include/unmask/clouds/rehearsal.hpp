#pragma once

/// The scene's own cloud once more, over open pixels that were hidden on purpose. There the ground is known, so what
/// comes after the stack (visible_signal.hpp, a network) can be judged on this very scene, sensor and cloud.
///
/// A pixel i that was hidden on purpose lies under the moved copy of a hidden pixel j (held_out.hpp). It is given j's
/// transmission and cloud: y_i = T_j x_i + (y_j - T_j b_j), with b the result at j. What b errs in stays in the cloud;
/// that makes the rehearsal a little harder than the real thing.

#include "held_out.hpp"
#include "learnt_step.hpp"
#include "stacking.hpp"
#include "visible_signal.hpp"

namespace unmask::inline UNMASK_ABI::clouds {

class rehearsal {
 public:
  void carve(arena& a, grid g, index_t bands) {
    size_ = g, C_ = bands;
    for (float** p : {&clouded_, &result_, &deviation_, &transmission_, &there_}) *p = a.take<float>(g.size() * bands);
    staged_ = a.take<std::uint8_t>(g.size());
    ratio_ = a.take<float>(g.size());
    share_ = a.take<float>(bands);
    factor_ = a.take<float>(bands);
  }

  /// A scene to which `visible` was just added where seen [n] is not 0. Until more is known a network's result counts
  /// in full, and deviations are as they are.
  void begin(const visible_signal& visible, const std::uint8_t* seen) noexcept {
    visible.transmission(there_, seen);
    std::fill_n(share_, C_, 1.f);
    std::fill_n(factor_, C_, 1.f);
  }

  /// error, deviation [n, C]: the stack's at the pixels hidden on purpose; y [n, C] their truth.
  void keep(const float* y, const float* error, const float* deviation, const std::uint8_t* held) noexcept {
    for (index_t i = 0; i < size_.size(); ++i)
      for (index_t at = i * C_; at < (i + 1) * C_ && held[i] != 0; ++at)
        result_[at] = y[at] - error[at], deviation_[at] = deviation[at];
  }

  /// Puts the cloud over the pixels hidden on purpose and takes it off again; value [n, C] is the result under the
  /// cloud itself. How many pixels lie under cloud that was there to be copied; 0 where they are too few to tell
  /// anything.
  template <class Backend>
  index_t perform(const Backend& be, visible_signal& visible, const float* y, const float* value,
                  const std::uint8_t* seen, held_copy from) noexcept {
    std::copy_n(y, size_.size() * C_, clouded_);
    index_t count = 0;
    for (index_t h = 0; h < size_.height; ++h)
      for (index_t w = 0; w < size_.width; ++w) {
        const index_t i = h * size_.width + w, j = detail::moved(size_, h, w, from.copy);
        staged_[i] = from.held[i] != 0 && seen[j] != 0;
        if (staged_[i] == 0) continue;
        ++count;
        for (index_t c = 0; c < C_; ++c) {
          const float T = there_[j * C_ + c];
          clouded_[i * C_ + c] = T * y[i * C_ + c] + (y[j * C_ + c] - T * value[j * C_ + c]);
        }
      }
    if (count < least) return 0;
    visible.add(be, clouded_, result_, deviation_, staged_);
    visible.transmission(transmission_, staged_);
    return count;
  }

  /// What a network is told of the rehearsal; `v` is what it is told of the scene without the pixels hidden on purpose.
  network_view view(network_view v) const noexcept {
    v.y = clouded_, v.base = result_, v.deviation = deviation_, v.transmission = transmission_, v.asked = staged_;
    return v;
  }

  /// The share of the network's change that a band takes is the one that fits the truth best, from 0 to 1. What it
  /// changes on average does not count, because any network can be right about that by chance. `mended` [n, C] is the
  /// network's result, y [n, C] the truth. dB gained by these shares, mean over bands.
  double judge(const float* y, const float* mended) noexcept {
    double gain = 0;
    for (index_t c = 0; c < C_; ++c) {
      const auto change = [&](index_t at) {
        return seen_share(transmission_[at]) * (static_cast<double>(mended[at]) - static_cast<double>(result_[at]));
      };
      double n = 1e-30, d1 = 0, e1 = 0, dd = 0, de = 0, ee = 0;
      each(c, [&](index_t at) {
        const double d = change(at), e = static_cast<double>(y[at]) - static_cast<double>(result_[at]);
        ++n, d1 += d, e1 += e, dd += d * d, de += d * e, ee += e * e;
      });
      dd -= d1 * d1 / n, de -= d1 * e1 / n, ee -= e1 * e1 / n;
      const double share = std::clamp(de / (dd + 1e-30), 0., 1.);
      share_[c] = static_cast<float>(share);
      gain += 10 * std::log10((ee + 1e-30) / std::max(ee - 2 * share * de + share * share * dd, 1e-30)) /
              static_cast<double>(C_);
      each(c, [&](index_t at) { result_[at] += static_cast<float>(share * change(at)); });
    }
    return gain;
  }

  /// Deviations are right where so large a share of the rehearsal's errors lies within one.
  void calibrate(const float* y) noexcept {
    for (index_t c = 0; c < C_; ++c) {
      index_t count = 0;
      each(c, [&](index_t at) { ratio_[count++] = std::abs(y[at] - result_[at]) / std::max(deviation_[at], 1e-9f); });
      if (count == 0) continue;
      float* nth = ratio_ + static_cast<index_t>(within_one * static_cast<double>(count - 1));
      std::nth_element(ratio_, nth, ratio_ + count);
      factor_[c] = *nth;
    }
  }

  const float* transmission() const noexcept { return there_; }  ///< [n, C] of the scene's own cloud
  const float* share() const noexcept { return share_; }         ///< [C]
  const float* factor() const noexcept { return factor_; }       ///< [C] by which deviations are multiplied

 private:
  static constexpr index_t least = 100;  ///< pixels, as for the stack's weights

  template <class F>
  void each(index_t band, F&& f) const noexcept {
    for (index_t i = 0; i < size_.size(); ++i)
      if (staged_[i] != 0) f(i * C_ + band);
  }

  grid size_;
  index_t C_ = 0;
  float *clouded_ = nullptr, *result_ = nullptr, *deviation_ = nullptr, *transmission_ = nullptr;
  float *there_ = nullptr, *ratio_ = nullptr, *share_ = nullptr, *factor_ = nullptr;
  std::uint8_t* staged_ = nullptr;
};

}  // namespace unmask::inline UNMASK_ABI::clouds
