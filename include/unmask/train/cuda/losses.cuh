#pragma once

/// The losses on a GPU: the same formulas as their host twins, whose penalties and weights they share. What a
/// `loss_place` names lies in device memory; nothing waits for the device.

#include <concepts>
#include <limits>
#include <span>

#include "../../cuda/memory.cuh"
#include "../mask_aware_loss.hpp"
#include "../mask_encoding_loss.hpp"
#include "loss_sums.cuh"

namespace unmask::inline UNMASK_ABI::train {

namespace detail {

template <class T, class Form>
struct reconstruction_term {
  static constexpr int sums = 1;
  Form form;
  const T *estimate, *truth, *weight;  ///< weight may be null
  UNMASK_DEVICE void operator()(index_t i, double* sum) const {
    sum[0] += static_cast<double>((weight ? weight[i] : T(1)) * form.value(estimate[i] - truth[i]));
  }
};

/// loss (+)= share outer(mean); *factor = what a gradient is multiplied by.
template <class Form>
struct mean_finish {
  static constexpr int sums = 1;
  Form form;
  double *loss, *factor;
  double count, share;
  bool first;
  UNMASK_DEVICE void operator()(const double* sum) const {
    const double mean = sum[0] / count;
    *factor = share * form.outer_slope(mean) / count;
    *loss = (first ? 0 : *loss) + share * form.outer(mean);
  }
};

template <class T, class Form>
struct reconstruction_gradient_each {
  Form form;
  T* d;
  const T *estimate, *truth, *weight;
  const double* factor;
  UNMASK_DEVICE void operator()(index_t i) const {
    d[i] = static_cast<T>(*factor) * (weight ? weight[i] : T(1)) * form.slope(estimate[i] - truth[i]);
  }
};

/// P - m F at element i of the truth.
template <class T>
struct encoding_difference {
  const T *pin, *mask, *truth;
  row_walk pins, masks;
  index_t bands;
  UNMASK_DEVICE T operator()(index_t i) const { return pin[pins.padded(i)] - mask[masks.padded(i / bands)] * truth[i]; }
};

template <class T, class Form>
struct encoding_term {
  static constexpr int sums = 1;
  Form form;
  encoding_difference<T> difference;
  UNMASK_DEVICE void operator()(index_t i, double* sum) const {
    sum[0] += static_cast<double>(form.value(difference(i)));
  }
};

template <class T, class Form>
struct encoding_gradient_each {
  Form form;
  encoding_difference<T> difference;
  T* d;
  const double* factor;
  UNMASK_DEVICE void operator()(index_t i) const {
    const index_t at = difference.pins.unpadded(i);
    d[i] = at < 0 ? T(0) : static_cast<T>(*factor) * form.slope(difference(at));
  }
};

/// What the mask-aware weight of an element of the truth is made of, as `aware_row` on a host.
template <class T>
struct aware_elements {
  const T *pin, *start, *mask;  ///< start and mask: null where they are not read or missing
  row_walk pins, masks;
  index_t bands, channels;

  aware_elements(const mask_aware_weight<T>& weight, const aware_inputs<T>& from, in<T, 4> truth)
      : pin(from.pin.data()),
        start(weight.reads_start() && from.start.extent(3) >= truth.extent(3) ? from.start.data() : nullptr),
        mask(weight.reads_mask() ? from.mask.data() : nullptr),
        pins{truth.extent(1), truth.extent(2) * truth.extent(3), from.pin.extent(1),
             from.pin.extent(2) * truth.extent(3)},
        masks{truth.extent(1), truth.extent(2), from.mask.extent(1), from.mask.extent(2)},
        bands(truth.extent(3)),
        channels(from.start.extent(3)) {}
  UNMASK_DEVICE aware_element<T> operator()(index_t i) const {
    constexpr T none = std::numeric_limits<T>::quiet_NaN();
    return {pin[pins.padded(i)], start ? start[i / bands * channels + i % bands] : none,
            mask ? mask[masks.padded(i / bands)] : none};
  }
};

/// Sums of phi, w and w phi: everything the mask-aware loss and its gradients need of the batch.
template <class T, class Form>
struct aware_term {
  static constexpr int sums = 3;
  Form form;
  mask_aware_weight<T> weight;
  const T *estimate, *truth;
  aware_elements<T> at;
  UNMASK_DEVICE void operator()(index_t i, double* sum) const {
    const auto phi = static_cast<double>(form.value(estimate[i] - truth[i]));
    const auto w = static_cast<double>(weight.value(at(i)));
    sum[0] += phi, sum[1] += w, sum[2] += w * phi;
  }
};

/// factors: outer'(mean) / n, lambda, and what the mean of the weight adds to dL/dw (0 where it is not divided by it).
template <class Form>
struct aware_finish {
  static constexpr int sums = 3;
  Form form;
  double *loss, *factors;
  double count, lambda;
  bool normalised;
  UNMASK_DEVICE void operator()(const double* sum) const {
    const double mean_weight = normalised ? sum[1] / count : 1;
    const double lambda_now = mean_weight == 0 ? 0 : lambda / mean_weight;
    const double mean = (sum[0] + lambda_now * sum[2]) / count;
    factors[0] = form.outer_slope(mean) / count;
    factors[1] = lambda_now;
    factors[2] = normalised ? sum[2] / (count * mean_weight) : 0;
    *loss = form.outer(mean);
  }
};

template <class T, class Form>
struct aware_gradient_each {
  aware_term<T, Form> of;
  T* d;
  const double* factors;
  UNMASK_DEVICE void operator()(index_t i) const {
    const T w = of.weight.value(of.at(i));
    d[i] =
        static_cast<T>(factors[0]) * (1 + static_cast<T>(factors[1]) * w) * of.form.slope(of.estimate[i] - of.truth[i]);
  }
};

template <class T, class Form>
struct aware_pin_gradient_each {
  aware_term<T, Form> of;
  T* d;
  const double* factors;
  UNMASK_DEVICE void operator()(index_t i) const {
    const index_t at = of.at.pins.unpadded(i);
    if (at < 0) return void(d[i] = 0);
    const T phi = of.form.value(of.estimate[at] - of.truth[at]);
    d[i] = static_cast<T>(factors[0]) * static_cast<T>(factors[1]) * (phi - static_cast<T>(factors[2])) *
           of.weight.slope(of.at(at));
  }
};

}  // namespace detail

/// reconstruction_loss of reconstruction_loss.hpp into *loss.
template <class T, std::same_as<cuda> Backend>
void reconstruction_loss_to(const Backend& be, loss_place to, const penalty& rho, out<T, 4> destimate,
                            in<T, 4> estimate, in<T, 4> truth, in<T, 4> weight) {
  double *const loss = to.loss, *const scratch = to.scratch;
  detail::with_penalty(rho, [&](auto form) {
    using F = decltype(form);
    detail::sum_up(be, truth.size(),
                   detail::reconstruction_term<T, F>{form, estimate.data(), truth.data(), weight.data()},
                   detail::mean_finish<F>{form, loss, scratch, static_cast<double>(truth.size()), 1, true}, scratch);
    if (destimate.data())
      launch_each(be, truth.size(),
                  detail::reconstruction_gradient_each<T, F>{form, destimate.data(), estimate.data(), truth.data(),
                                                             weight.data(), scratch});
    return 0.;
  });
}

/// mask_encoding_term of mask_encoding_loss.hpp into *loss.
template <class T, std::same_as<cuda> Backend>
void mask_encoding_term_to(const Backend& be, loss_place to, const penalty& rho, double factor,
                           std::span<const std::type_identity_t<array_view<T, 4>>> dpins,
                           std::span<const std::type_identity_t<array_view<const T, 4>>> pins, in<T, 3> mask,
                           in<T, 4> truth) {
  double *const loss = to.loss, *const scratch = to.scratch;
  const index_t height = truth.extent(1), width = truth.extent(2), bands = truth.extent(3);
  if (pins.empty()) return fill(be, loss, 1, 0.);
  for (std::size_t k = 0; k < pins.size(); ++k)
    detail::with_penalty(rho, [&](auto form) {
      using F = decltype(form);
      const detail::encoding_difference<T> difference{
          pins[k].data(),
          mask.data(),
          truth.data(),
          {height, width * bands, pins[k].extent(1), pins[k].extent(2) * bands},
          {height, width, mask.extent(1), mask.extent(2)},
          bands};
      detail::sum_up(be, truth.size(), detail::encoding_term<T, F>{form, difference},
                     detail::mean_finish<F>{form, loss, scratch, static_cast<double>(truth.size()),
                                            factor / static_cast<double>(pins.size()), k == 0},
                     scratch);
      if (!dpins.empty() && dpins[k].data())
        launch_each(be, dpins[k].size(),
                    detail::encoding_gradient_each<T, F>{form, difference, dpins[k].data(), scratch});
      return 0.;
    });
}

/// mask_aware_loss of mask_aware_loss.hpp into *loss.
template <class T, std::same_as<cuda> Backend>
void mask_aware_loss_to(const Backend& be, loss_place to, const penalty& rho, const mask_aware_options& options,
                        const std::type_identity_t<mask_aware_gradients<T>>& gradients, in<T, 4> estimate,
                        const std::type_identity_t<aware_inputs<T>>& from, in<T, 4> truth) {
  double *const loss = to.loss, *const scratch = to.scratch;
  const array_view<T, 4>&destimate = gradients.estimate, &dpin = gradients.pin;
  const detail::mask_aware_weight<T> weight(options);
  const detail::aware_elements<T> at(weight, from, truth);
  detail::with_penalty(rho, [&](auto form) {
    using F = decltype(form);
    const detail::aware_term<T, F> term{form, weight, estimate.data(), truth.data(), at};
    detail::sum_up(be, truth.size(), term,
                   detail::aware_finish<F>{form, loss, scratch, static_cast<double>(truth.size()), options.lambda,
                                           options.normalised},
                   scratch);
    if (destimate.data())
      launch_each(be, truth.size(), detail::aware_gradient_each<T, F>{term, destimate.data(), scratch});
    if (dpin.data() && options.detached) fill(be, dpin.data(), dpin.size(), T(0));
    if (dpin.data() && !options.detached)
      launch_each(be, dpin.size(), detail::aware_pin_gradient_each<T, F>{term, dpin.data(), scratch});
    return 0.;
  });
}

}  // namespace unmask::inline UNMASK_ABI::train
