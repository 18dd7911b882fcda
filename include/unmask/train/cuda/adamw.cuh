#pragma once

/// AdamW on a GPU, a thread a parameter, and the norm that clipping needs.

#include <concepts>

#include "../adamw.hpp"
#include "loss_sums.cuh"

namespace unmask::inline UNMASK_ABI::train {

namespace detail {

template <class T>
struct adamw_each {
  adamw_update<T> update;
  T* parameters;
  const T* gradients;
  adamw_state<T> state;
  UNMASK_DEVICE void operator()(index_t i) const {
    update.step(parameters[i], state.first[i], state.second[i], gradients[i]);
    if (state.average) update.average(state.average[i], parameters[i]);
  }
};

template <class T>
struct square_term {
  static constexpr int sums = 1;
  const T* x;
  UNMASK_DEVICE void operator()(index_t i, double* sum) const {
    const auto value = static_cast<double>(x[i]);
    sum[0] += value * value;
  }
};

struct total_finish {
  static constexpr int sums = 1;
  double* to;
  UNMASK_DEVICE void operator()(const double* sum) const { *to = sum[0]; }
};

}  // namespace detail

template <class T, std::same_as<cuda> Backend>
void adamw_step(const Backend& be, const adamw_options& options, const adamw_turn& turn, T* parameters,
                const T* gradients, const adamw_state<T>& state, index_t n) {
  launch_each(be, n, detail::adamw_each<T>{{options, turn}, parameters, gradients, state});
}

/// *sum = the squares of a block's numbers; `sum` and `scratch` (loss_scratch numbers) lie in device memory.
template <std::same_as<cuda> Backend, class T>
void square_norm_to(const Backend& be, double* sum, const T* block, index_t n, double* scratch) {
  detail::sum_up(be, n, detail::square_term<T>{block}, detail::total_finish{sum}, scratch);
}

}  // namespace unmask::inline UNMASK_ABI::train
