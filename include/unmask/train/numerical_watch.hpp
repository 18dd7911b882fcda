#pragma once

/// Where the numbers of a training step stopped being finite: for the message, when a step was lost.

#include <span>
#include <string>

#include "dataset.hpp"
#include "trainer.hpp"

namespace unmask::inline UNMASK_ABI::train {

/// After a step on `samples` that changed nothing: what was NaN or infinite first, in the order of computing: "sample",
/// "parameter NAME", "the network's output", "loss", "gradient of NAME" (the last layer's, which is the first that
/// backpropagation makes), "gradient" where only its norm is.
template <Model N>
std::string first_not_finite(const trainer<N>& net, const batch<typename N::value_type>& samples) {
  using T = typename N::value_type;
  const auto fine = [](const T* values, index_t count) { return all_finite(values, count); };
  for (const auto* image : {&samples.input, &samples.truth})
    if (!fine(image->data(), image->size())) return "sample";
  if (!fine(samples.mask.data(), samples.mask.size())) return "sample";
  const auto& entries = net.manifest().entries;
  const std::span<const T> parameters = net.parameters();
  for (const parameter& p : entries)
    if (!fine(parameters.data() + p.offset, p.size)) return "parameter " + p.name;
  const auto estimate = net.estimate();
  if (!fine(estimate.data(), estimate.size())) return "the network's output";
  if (const auto& losses = net.state().losses; !losses.empty() && !is_finite(losses.back())) return "loss";
  const std::span<const T> gradients = net.gradients();
  for (auto p = entries.rbegin(); p != entries.rend(); ++p)
    if (!fine(gradients.data() + p->offset, p->size)) return "gradient of " + p->name;
  return "gradient";
}

}  // namespace unmask::inline UNMASK_ABI::train
