#pragma once

/// Forward and backward through a network and a loss, with everything that they work in, carved from one block: weights
/// and optimiser state, the batch, what the losses read and write, and the network's plan.

#include <algorithm>
#include <array>
#include <span>

#include "../core/memory.hpp"
#include "../models/concept.hpp"
#include "../models/initialise.hpp"
#include "../nn/padding.hpp"
#include "loss_sums.hpp"
#include "placed_images.hpp"
#include "trained_blocks.hpp"
#include "trainer_options.hpp"

namespace unmask::inline UNMASK_ABI::train {

template <Model N>
struct training_pass {
  using T = typename N::value_type;
  using Backend = typename N::backend_type;

  Backend backend;
  N network;
  network_sizes sizes;
  index_t parameters;  ///< how many
  bool averages;       ///< the optimiser keeps an average
  trained_blocks<T, Backend> blocks{};
  T* keep = nullptr;        ///< [branches, B], for stochastic depth
  array_view<T, 3> mask{};  ///< [B, H', W'], padded
  placed_batch<T, Backend> samples{};
  loss_operands<T> operands{};
  double *sums = nullptr, *scratch = nullptr;  ///< auxiliary loss, the rest of it, square of the gradient's norm

  /// Nothing has memory before `carve`.
  training_pass(Backend, const typename N::config_type&, const trainer_options&);
  void carve(arena&);
  /// Whether a batch has `count` samples of the planned size.
  bool fits(const batch<T>&, index_t count) const;
  /// What forward and backward read.
  void place(const batch<T>&);
  void place_sample(const batch<T>&, index_t i);
  void forward(const T* keep_factors);
  /// Loss and gradient, into `sums` and where it is told to.
  void differentiate_to(const input_gradients<T>&, const loss_spec&, const T* keep_factors);
  /// The same and its norm, into `sums` and `blocks`.
  void differentiate(const loss_spec&, const T* keep_factors);
  void measure_gradient();
};

template <Model N>
training_pass<N>::training_pass(Backend be, const typename N::config_type& config, const trainer_options& o)
    : backend(be),
      network(be, config, {o.by_sample ? 1 : o.batch, o.height, o.width},
              o.frugal ? network_mode::frugal_training : network_mode::training),
      sizes{o.by_sample ? 1 : o.batch, o.height, o.width},
      parameters(N::manifest(config).size),
      averages(o.optimiser.average > 0) {}

template <Model N>
void training_pass<N>::carve(arena& a) {
  const index_t B = sizes.batch, H = sizes.height, W = sizes.width, C = network.config().bands;
  const index_t Hp = network.padded_height(), Wp = network.padded_width();
  const auto image = [&](index_t h, index_t w) { return array_view<T, 4>(a.take<T>(B * h * w * C), B, h, w, C); };
  blocks.carve(a, parameters, averages);
  keep = a.take<T>(network.branches() * B);
  mask = array_view<T, 3>(a.take<T>(B * Hp * Wp), B, Hp, Wp);
  operands.stages = static_cast<std::size_t>(network.stages());
  operands.estimate = image(H, W);
  operands.destimate = image(H, W);
  for (std::size_t k = 0; k <= operands.stages; ++k) operands.memory[k] = image(Hp, Wp);
  sums = a.take<double>(3);
  if (storage<Backend>::remote) scratch = a.take<double>(loss_scratch);
  samples.carve(a, B, H, W, input_channels(network.config()), C);
  network.carve(a);
  for (std::size_t k = 0; k < operands.stages; ++k) operands.pins[k] = network.pin(static_cast<int>(k));
}

template <Model N>
bool training_pass<N>::fits(const batch<T>& s, index_t count) const {
  const std::array<index_t, 4> image{count, sizes.height, sizes.width, network.config().bands};
  const std::array<index_t, 4> given{count, sizes.height, sizes.width, input_channels(network.config())};
  return s.input.extents() == given && s.truth.extents() == image &&
         s.mask.extents() == std::array<index_t, 3>{count, sizes.height, sizes.width};
}

template <Model N>
void training_pass<N>::place(const batch<T>& b) {
  samples.place(backend, b);
  operands.start = samples.input, operands.truth = samples.truth, operands.mask = samples.mask;
}

template <Model N>
void training_pass<N>::place_sample(const batch<T>& b, index_t i) {
  samples.place_sample(b, i);
  operands.start = samples.input, operands.truth = samples.truth, operands.mask = samples.mask;
}

template <Model N>
void training_pass<N>::forward(const T* keep_factors) {
  pad_images(backend, mask.data(), operands.mask.data(),
             pad_sizes{sizes.batch, sizes.height, sizes.width, mask.extent(1), mask.extent(2), 1});
  network.forward(operands.estimate, samples.input, mask, blocks.parameters, keep_factors);
}

template <Model N>
void training_pass<N>::differentiate_to(const input_gradients<T>& to, const loss_spec& spec, const T* keep_factors) {
  forward(keep_factors);
  evaluate_loss<T>(backend, sums, operands, spec, scratch);
  fill(backend, to.parameters, parameters, T{});
  std::array<array_view<const T, 4>, max_pins> dpins;
  std::copy(operands.dpins.begin(), operands.dpins.end(), dpins.begin());
  network.backward(to, {operands.destimate, std::span(dpins.data(), operands.stages)}, mask, blocks.parameters,
                   keep_factors);
}

template <Model N>
void training_pass<N>::differentiate(const loss_spec& spec, const T* keep_factors) {
  differentiate_to({blocks.gradients}, spec, keep_factors);
  measure_gradient();
}

template <Model N>
void training_pass<N>::measure_gradient() {
  square_norm_to(backend, sums + 2, static_cast<const T*>(blocks.gradients), parameters, scratch);
}

/// The state of a training that starts from given weights; the optimiser starts afresh.
template <class T, class Config>
void start_with(training_state<T, Config>& state, std::span<const std::type_identity_t<T>> parameters) {
  std::copy(parameters.begin(), parameters.end(), state.parameters.begin());
  std::copy_n(parameters.begin(), state.average.size(), state.average.begin());
  std::fill(state.first.begin(), state.first.end(), T{});
  std::fill(state.second.begin(), state.second.end(), T{});
  state.updates = 0;
}

/// That of a training that starts at random.
template <Model N, class State>
void start_afresh(State& state, const manifest& m, const trainer_options& options) {
  using T = typename N::value_type;
  initialise(state.parameters.data(), m, options.seed);
  for (const parameter& p : m.entries)
    if (options.last_zero && p.name.starts_with(N::last_layer))
      std::fill_n(state.parameters.data() + p.offset, p.size, T(0));
  start_with(state, state.parameters);
}

}  // namespace unmask::inline UNMASK_ABI::train
