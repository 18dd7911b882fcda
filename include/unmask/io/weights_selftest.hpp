#pragma once

/// The self-test of a weights file: a small image that is generated from a formula goes through the network, and what
/// comes out must be what came out when the file was written. It catches what checksums cannot: a configuration that
/// does not belong to the parameters, a changed memory order, a kernel that is wrong on this processor.

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <span>
#include <vector>

#include "../core/random.hpp"
#include "../core/tensor.hpp"
#include "../models/session.hpp"

namespace unmask::inline UNMASK_ABI::io {

inline constexpr index_t selftest_side = 16;

/// Relative to the largest expected value. Rounding: the reference and the tuned kernels differ by 1.8e-6 in the
/// network of the paper (24 blocks), the released code loses up to 1.2e-6 in float32 (golden files); ten times that is
/// allowed. With parameters of a trained size one wrong setting is off by 2.6e-4 (which of q and k the mask multiplies)
/// to 0.7 (padding). In a freshly initialised network attention hardly acts yet, and some settings change 1e-6 only:
/// there the test cannot tell.
inline constexpr double selftest_tolerance = 2e-5;

namespace detail {

/// Uniform in [0, 1), the same bits everywhere: integer arithmetic and one exact product.
inline float selftest_value(std::uint64_t seed, index_t i) {
  return static_cast<float>(unmask::detail::mix64(seed + static_cast<std::uint64_t>(i) * 0x9e3779b97f4a7c15u) >> 40) *
         0x1p-24f;
}

}  // namespace detail

/// What a self-test may cost, so that a small file cannot ask for much: its work and memory grow with what the file
/// holds, beside an allowance that every network of a usual size stays below by far. The paper's network takes 3e8
/// multiply-adds and 15 MB.
struct selftest_limits {
  double work;   ///< multiply-adds
  double bytes;  ///< of a session

  explicit selftest_limits(index_t parameters)
      : work(2e9 + 4096 * static_cast<double>(parameters)), bytes(128e6 + 64 * static_cast<double>(parameters)) {}
};

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
  for (index_t i = 0; i < mask.size(); ++i) mask.data()[i] = detail::selftest_value(seed, i);
  for (index_t i = 0; i < input.size(); ++i)
    input.data()[i] = mask.data()[i / inputs] * detail::selftest_value(seed + 1, i);
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
