#pragma once

/// AdamW (Loshchilov and Hutter, arXiv 1711.05101) on flat blocks, as PyTorch writes it:
///   p -= rate decay p;  m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2
///   p -= rate / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + eps),   t = 1, 2, ...
/// Clipping scales the gradient by min(1, clip / (norm + 1e-6)), norm = the 2-norm of the whole block.
/// Averaged weights: e = d e + (1 - d) p after each step, with d = min(decay, (1 + t) / (10 + t)), so that the first
/// steps forget the random initial values.

#include <algorithm>
#include <cmath>
#include <string>

#include "penalty.hpp"

namespace unmask::inline UNMASK_ABI::train {

struct adamw_options {
  double beta1 = .9;
  double beta2 = .999;
  double epsilon = 1e-8;
  double weight_decay = 0;  ///< decoupled; per step and unit of rate
  double clip = 0;          ///< largest gradient norm; 0 does not clip
  double average = 0;       ///< decay of the averaged weights, for example .999; 0 keeps none
};

inline result<> check(const adamw_options& o) {
  const auto bad = [](const char* name, double found, const char* expected) {
    return error(errc::bad_argument,
                 "adamw: " + std::string(name) + " is " + std::to_string(found) + ", expected " + expected);
  };
  if (!(o.beta1 >= 0 && o.beta1 < 1)) return bad("beta1", o.beta1, "0 <= beta1 < 1");
  if (!(o.beta2 >= 0 && o.beta2 < 1)) return bad("beta2", o.beta2, "0 <= beta2 < 1");
  if (!(o.epsilon > 0)) return bad("epsilon", o.epsilon, "> 0");
  if (!(o.weight_decay >= 0)) return bad("weight_decay", o.weight_decay, ">= 0");
  if (!(o.clip >= 0)) return bad("clip", o.clip, ">= 0");
  if (!(o.average >= 0 && o.average < 1)) return bad("average", o.average, "0 <= average < 1");
  return {};
}

/// The 2-norm of a block, summed in double and in an order that no thread count changes.
template <class T, class Backend>
double norm(const Backend& backend, const T* block, index_t n) {
  return std::sqrt(detail::ordered_sum(backend, n, [&](index_t i) {
    const auto x = static_cast<double>(block[i]);
    return x * x;
  }));
}

/// What a gradient of this norm is multiplied by.
inline double clip_factor(double gradient_norm, double clip) {
  return clip > 0 ? std::min(1., clip / (gradient_norm + 1e-6)) : 1.;
}

/// Blocks of one size; `average` may be null.
template <class T>
struct adamw_state {
  T* first = nullptr;   ///< m
  T* second = nullptr;  ///< v
  T* average = nullptr;
};

/// Update number `t` (the first is 1) of `n` parameters; the gradient counts `factor` times (clip_factor).
template <class T, class Backend>
void adamw_step(const Backend& backend, const adamw_options& options, double rate, index_t t, double factor,
                T* parameters, const T* gradients, const adamw_state<T>& state, index_t n) {
  const auto steps = static_cast<double>(t);
  const auto b1 = static_cast<T>(options.beta1), b2 = static_cast<T>(options.beta2);
  const auto g1 = static_cast<T>(1 - options.beta1), g2 = static_cast<T>(1 - options.beta2);
  const auto keep = static_cast<T>(1 - rate * options.weight_decay);
  const auto size = static_cast<T>(rate / (1 - std::pow(options.beta1, steps)));
  const auto root = static_cast<T>(1 / std::sqrt(1 - std::pow(options.beta2, steps)));
  const auto epsilon = static_cast<T>(options.epsilon), scale = static_cast<T>(factor);
  const double decay = std::min(options.average, (1 + steps) / (10 + steps));
  const auto old_part = static_cast<T>(decay), new_part = static_cast<T>(1 - decay);
  parallel_chunks(backend, n, [&](index_t, index_t begin, index_t end, int) {
    for (index_t i = begin; i < end; ++i) {
      const T g = gradients[i] * scale;
      const T m = state.first[i] = b1 * state.first[i] + g1 * g;
      const T v = state.second[i] = b2 * state.second[i] + g2 * g * g;
      parameters[i] = parameters[i] * keep - size * m / (std::sqrt(v) * root + epsilon);
    }
    if (state.average)
      for (index_t i = begin; i < end; ++i) state.average[i] = old_part * state.average[i] + new_part * parameters[i];
  });
}

}  // namespace unmask::inline UNMASK_ABI::train
