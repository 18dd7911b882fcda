#pragma once

/// The self-test of a weights file (models/selftest.hpp), with memory of its own.

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <span>
#include <vector>

#include "../core/tensor.hpp"
#include "../models/selftest.hpp"
#include "../models/session.hpp"

namespace unmask::inline UNMASK_ABI::io {

using unmask::selftest_limits, unmask::selftest_side, unmask::selftest_tolerance;

/// Errors: `bad_argument` where the self-test would cost more than its limits.
template <Model N>
result<> check_selftest_cost(typename N::backend_type backend, const typename N::config_type& config,
                             index_t parameters) {
  const network_sizes sizes{1, selftest_side, selftest_side};
  const selftest_limits most(parameters);
  const double work = N::work(config, sizes);
  const auto bytes = work <= most.work ? static_cast<double>(session<N>(backend, config, sizes).bytes()) : 0;
  if (work <= most.work && bytes <= most.bytes) return {};
  char text[240];
  std::snprintf(text, sizeof text,
                "the self-test of this configuration takes %.3g multiply-adds and %.0f MB, allowed for %td parameters: "
                "%.3g and %.0f MB",
                work, bytes / 1e6, parameters, most.work, most.bytes / 1e6);
  if (!(work <= most.work))
    std::snprintf(text, sizeof text,
                  "the self-test of this configuration takes %.3g multiply-adds, allowed for %td parameters: %.3g",
                  work, parameters, most.work);
  return error(errc::bad_argument, text);
}

/// What the network makes of the test image: [16, 16, bands], row-major. Input is a masked cube, as in practice.
template <Model N>
result<std::vector<float>> run_selftest(typename N::backend_type backend, const typename N::config_type& config,
                                        std::span<const float> parameters, std::uint64_t seed) {
  if (auto ok = check_selftest_cost<N>(backend, config, static_cast<index_t>(parameters.size())); !ok)
    return ok.error();
  const index_t side = selftest_side, bands = config.bands, inputs = input_channels(config);
  tensor<float, 2> mask({side, side});
  tensor<float, 3> input({side, side, inputs}), output({side, side, bands});
  fill_selftest(mask.data(), input.data(), inputs, seed);
  auto network = session<N>::create(backend, config, parameters, side, side, mask.view());
  if (!network) return network.error();
  network->run(output.view(), input.view());
  return std::vector<float>(output.begin(), output.end());
}

/// Largest difference over largest expected value; NaN if any value is.
inline double selftest_difference(std::span<const float> found, std::span<const float> expected) {
  double worst = 0, largest = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double d = std::abs(static_cast<double>(found[i]) - static_cast<double>(expected[i]));
    if (std::isnan(d)) return d;
    worst = std::max(worst, d);
    largest = std::max(largest, std::abs(static_cast<double>(expected[i])));
  }
  return worst == 0 ? 0 : worst / largest;
}

}  // namespace unmask::inline UNMASK_ABI::io
