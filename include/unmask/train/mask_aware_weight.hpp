#pragma once

/// The weight w of stage MA, a number in [0, 1] for every element: its error counts 1 + lambda w times. P is the last
/// auxiliary prediction, which stage ME has taught F' = m F; S is what the network starts from; m is the mask.
///
///   signal      w = min(cap, eps / (|P| + eps))
///   relative    w = min(cap, eps / (|P| / (|S| + delta) + eps))
///   visibility  w = min(cap, 1 - m), and 0 where m is above 1
///
/// |P| is small where the mask hid the signal, and where there is none: `signal` counts dark ground as hidden.
/// `relative` asks which share of S is left. Where |S| is below delta that share is noise, and w is that of `signal`
/// with eps delta for eps. `visibility` asks the mask alone, whatever the auxiliary head has learnt.
///
/// Under cloud (train/cloud_source.hpp) F is no radiance: it is what regression on the other dates is off by, in units
/// of its usual error, with a sign. There `signal` is weak where regression was right, and S is the stack's estimate,
/// counted alike.
///
///   dw/dP = -h sign(P) / (|P| + h)^2 with h = eps or eps (|S| + delta); 0 at P = 0, where the cap holds, and of
///           `visibility`

#include <cmath>
#include <concepts>
#include <limits>
#include <string>

#include "../core/finite.hpp"
#include "penalty.hpp"

namespace unmask::inline UNMASK_ABI::train {

enum class aware_weight { signal, relative, visibility };

struct mask_aware_options {
  double lambda = 1;                                     ///< a hidden pixel's error counts 1 + lambda times
  double epsilon = .05;                                  ///< the |P|, or share of S, at which w is one half
  bool detached = true;                                  ///< no gradient through w
  double cap = std::numeric_limits<double>::infinity();  ///< largest w before it is normalised; w never exceeds 1
  bool normalised = false;  ///< w / mean(w): lambda then means the same whatever the mask hides
  aware_weight weight = aware_weight::signal;
  double delta = .05;  ///< of `relative`: an |S| below it counts as dark; as epsilon, in the unit of S

  bool operator==(const mask_aware_options&) const = default;
};

inline result<> check(const mask_aware_options& o) {
  const auto bad = [](const char* name, double found, const char* expected) {
    return error(errc::bad_argument,
                 "mask_aware: " + std::string(name) + " is " + std::to_string(found) + ", expected " + expected);
  };
  if (!(o.lambda >= 0) || !is_finite(o.lambda)) return bad("lambda", o.lambda, ">= 0");
  if (!(o.epsilon > 0) || !is_finite(o.epsilon)) return bad("epsilon", o.epsilon, "> 0");
  if (!(o.cap > 0)) return bad("cap", o.cap, "> 0");
  if (!(o.delta > 0) || !is_finite(o.delta)) return bad("delta", o.delta, "> 0");
  if (o.weight == aware_weight::visibility && !o.detached)
    return error(
        errc::bad_argument,
        "mask_aware: detached is false, which the weight 'visibility' cannot be: no gradient goes through a mask "
        "(expected detached = true, or aware_weight signal or relative)");
  return {};
}

/// What the weights of a batch are made of. Of padded images the first H x W count. The start is read by `relative` and
/// the mask by `visibility` only; where one of them is needed and missing, the weight is NaN.
template <class T>
struct aware_inputs {
  array_view<const T, 4> pin;    ///< P [B, H', W', C]
  array_view<const T, 4> start;  ///< the network's input [B, H, W, C'], of whose channels the first C are S
  array_view<const T, 3> mask;   ///< [B, H, W]

  template <class Pin>
  requires std::convertible_to<Pin, array_view<const T, 4>> aware_inputs(const Pin& p, array_view<const T, 4> s = {},
                                                                         array_view<const T, 3> m = {})
      : pin(p), start(s), mask(m) {}
};

namespace detail {

/// NaN: not known.
template <class T>
struct aware_element {
  T pin, start, mask;
};

/// w and dw/dP at one element; a NaN that is read is passed on. Constexpr, which lets a GPU call them.
template <class T>
struct mask_aware_weight {
  aware_weight kind;
  T epsilon, delta, cap;

  explicit mask_aware_weight(const mask_aware_options& o)
      : kind(o.weight),
        epsilon(static_cast<T>(o.epsilon)),
        delta(static_cast<T>(o.delta)),
        cap(static_cast<T>(o.cap < 1 ? o.cap : 1)) {}

  constexpr bool reads_start() const { return kind == aware_weight::relative; }
  constexpr bool reads_mask() const { return kind == aware_weight::visibility; }

  constexpr T value(const aware_element<T>& e) const {
    const T h = half(e), w = reads_mask() ? (e.mask > 1 ? T(0) : 1 - e.mask) : h / (std::abs(e.pin) + h);
    return w > cap ? cap : w;
  }
  constexpr T slope(const aware_element<T>& e) const {
    const T h = half(e), sum = std::abs(e.pin) + h;
    if (reads_mask() || h / sum > cap) return 0;
    return static_cast<T>((e.pin < 0) - (e.pin > 0)) * h / (sum * sum);
  }

 private:
  /// The |P| at which w is one half.
  constexpr T half(const aware_element<T>& e) const {
    return reads_start() ? epsilon * (std::abs(e.start) + delta) : epsilon;
  }
};

/// The elements of row h of image b.
template <class T>
class aware_row {
 public:
  aware_row(const mask_aware_weight<T>& weight, const aware_inputs<T>& from, index_t b, index_t h)
      : bands_(from.pin.extent(3)), channels_(from.start.extent(3)), pin_(row(from.pin, b, h)) {
    if (weight.reads_start() && from.start.data() && channels_ >= bands_) start_ = row(from.start, b, h);
    if (weight.reads_mask() && from.mask.data()) mask_ = row(from.mask, b, h);
  }
  aware_element<T> operator()(index_t w, index_t c) const {
    constexpr T none = std::numeric_limits<T>::quiet_NaN();
    return {pin_[w * bands_ + c], start_ ? start_[w * channels_ + c] : none, mask_ ? mask_[w] : none};
  }

 private:
  index_t bands_, channels_;
  const T *pin_, *start_ = nullptr, *mask_ = nullptr;
};

}  // namespace detail

}  // namespace unmask::inline UNMASK_ABI::train
