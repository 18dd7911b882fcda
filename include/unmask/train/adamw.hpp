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

/// The square of a block's 2-norm, summed in double and in an order that no thread count changes.
template <class T, class Backend>
double square_norm(const Backend& backend, const T* block, index_t n) {
  return detail::ordered_sum(backend, n, [&](index_t i) {
    const auto x = static_cast<double>(block[i]);
    return x * x;
  });
}
template <class T, class Backend>
double norm(const Backend& backend, const T* block, index_t n) {
  return std::sqrt(square_norm(backend, block, n));
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

/// What differs from update to update.
struct adamw_turn {
  double rate = 0;
  index_t number = 1;  ///< the first is 1
  double factor = 1;   ///< the gradient counts so many times (clip_factor)
};

/// What an update does to one parameter.
template <class T>
struct adamw_update {
  T b1, b2, g1, g2, keep, size, root, epsilon, scale, old_part, new_part;

  adamw_update(const adamw_options& options, const adamw_turn& turn)
      : b1(static_cast<T>(options.beta1)),
        b2(static_cast<T>(options.beta2)),
        g1(static_cast<T>(1 - options.beta1)),
        g2(static_cast<T>(1 - options.beta2)),
        keep(static_cast<T>(1 - turn.rate * options.weight_decay)),
        size(static_cast<T>(turn.rate / (1 - std::pow(options.beta1, static_cast<double>(turn.number))))),
        root(static_cast<T>(1 / std::sqrt(1 - std::pow(options.beta2, static_cast<double>(turn.number))))),
        epsilon(static_cast<T>(options.epsilon)),
        scale(static_cast<T>(turn.factor)) {
    const auto steps = static_cast<double>(turn.number);
    const double decay = std::min(options.average, (1 + steps) / (10 + steps));
    old_part = static_cast<T>(decay), new_part = static_cast<T>(1 - decay);
  }

  constexpr void step(T& p, T& m, T& v, T gradient) const {
    const T g = gradient * scale;
    m = b1 * m + g1 * g;
    v = b2 * v + g2 * g * g;
    p = p * keep - size * m / (std::sqrt(v) * root + epsilon);
  }
  constexpr void average(T& mean, T p) const { mean = old_part * mean + new_part * p; }
};

/// One update of `n` parameters.
template <class T, class Backend>
void adamw_step(const Backend& backend, const adamw_options& options, const adamw_turn& turn, T* parameters,
                const T* gradients, const adamw_state<T>& state, index_t n) {
  const adamw_update<T> update(options, turn);
  parallel_chunks(backend, n, [&](index_t, index_t begin, index_t end, int) {
    const adamw_update<T> u = update;  // a copy that no store can change: its numbers stay in registers
    for (index_t i = begin; i < end; ++i) u.step(parameters[i], state.first[i], state.second[i], gradients[i]);
    if (state.average)
      for (index_t i = begin; i < end; ++i) u.average(state.average[i], parameters[i]);
  });
}

}  // namespace unmask::inline UNMASK_ABI::train
