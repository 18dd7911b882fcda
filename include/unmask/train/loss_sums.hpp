#pragma once

/// A step's losses and gradient norm as numbers in the backend's memory: a device computes them without the host
/// waiting in between. Host backends write what their functions return; cuda's are in train/cuda/.

#include <array>
#include <span>

#include "../core/memory.hpp"
#include "../models/concept.hpp"
#include "../nn/image_ops.hpp"
#include "adamw.hpp"
#include "stages.hpp"

namespace unmask::inline UNMASK_ABI::train {

inline constexpr index_t loss_scratch = 4096;

/// Where a loss goes; `scratch` holds loss_scratch numbers on a device, and is null on a host.
struct loss_place {
  double *loss, *scratch;
};

template <class T, host_backend Backend>
void reconstruction_loss_to(const Backend& be, loss_place to, const penalty& rho, out<T, 4> destimate,
                            in<T, 4> estimate, in<T, 4> truth, in<T, 4> weight) {
  *to.loss = reconstruction_loss<T>(be, rho, destimate, estimate, truth, weight);
}

template <class T, host_backend Backend>
void mask_encoding_term_to(const Backend& be, loss_place to, const penalty& rho, double factor,
                           std::span<const std::type_identity_t<array_view<T, 4>>> dpins,
                           std::span<const std::type_identity_t<array_view<const T, 4>>> pins, in<T, 3> mask,
                           in<T, 4> truth) {
  *to.loss = mask_encoding_term<T>(be, rho, factor, dpins, pins, mask, truth);
}

/// Gradients of the mask-aware loss; empty views: not wanted.
template <class T>
struct mask_aware_gradients {
  array_view<T, 4> estimate, pin;
};

template <class T, host_backend Backend>
void mask_aware_loss_to(const Backend& be, loss_place to, const penalty& rho, const mask_aware_options& options,
                        const std::type_identity_t<mask_aware_gradients<T>>& gradients, in<T, 4> estimate,
                        const std::type_identity_t<aware_inputs<T>>& from, in<T, 4> truth) {
  *to.loss = mask_aware_loss<T>(be, rho, options, gradients.estimate, gradients.pin, estimate, from, truth);
}

template <host_backend Backend, class T>
void square_norm_to(const Backend& be, double* sum, const T* block, index_t n, double* /*scratch*/) {
  *sum = square_norm(be, block, n);
}

/// What a loss reads and where its gradients go, in the backend's memory. `dpins` says which pins got a gradient. One
/// gradient more than there are pins has memory: stage MA's, where the last pin has one of the encoding term too.
template <class T>
struct loss_operands {
  using pin_list = std::array<array_view<T, 4>, max_pins>;

  std::size_t stages = 0;
  array_view<T, 4> estimate, destimate;
  array_view<const T, 4> start, truth;  ///< start: the network's input
  array_view<const T, 3> mask;
  pin_list pins;
  std::array<array_view<T, 4>, max_pins + 1> memory;
  pin_list dpins;
};

/// The loss of a stage and its gradient: sums[0] is the auxiliary term, sums[1] the rest.
template <class T, class Backend>
void evaluate_loss(const Backend& be, double* sums, loss_operands<T>& o, const loss_spec& spec, double* scratch) {
  const loss_place auxiliary{sums, scratch}, rest{sums + 1, scratch};
  fill(be, sums, 2, 0.);
  std::fill(o.dpins.begin(), o.dpins.end(), array_view<T, 4>());
  const double factor = spec.kind == stage::mask_encoding ? spec.encoding
                        : spec.kind == stage::mask_aware  ? spec.encoding_in_aware
                                                          : 0;
  if (factor > 0) {
    std::array<array_view<const T, 4>, max_pins> pins;
    std::copy_n(o.pins.begin(), o.stages, pins.begin());
    std::copy_n(o.memory.begin(), o.stages, o.dpins.begin());
    mask_encoding_term_to<T>(be, auxiliary, spec.rho, factor, std::span(o.dpins.data(), o.stages),
                             std::span(pins.data(), o.stages), o.mask, o.truth);
  }
  if (spec.kind != stage::mask_aware)
    return reconstruction_loss_to<T>(be, rest, spec.rho, o.destimate, o.estimate, o.truth, {});
  array_view<T, 4>& last = o.dpins[o.stages - 1];
  const array_view<T, 4> spare = spec.aware.detached ? array_view<T, 4>() : o.memory[o.stages];
  const aware_inputs<T> from(o.pins[o.stages - 1], o.start, o.mask);
  mask_aware_loss_to<T>(be, rest, spec.rho, spec.aware, {o.destimate, spare}, o.estimate, from, o.truth);
  if (!last.data())
    last = spare;
  else if (spare.data())
    image_add(be, last.data(), static_cast<const T*>(spare.data()), last.size());
}

}  // namespace unmask::inline UNMASK_ABI::train
