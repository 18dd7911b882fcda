#pragma once

/// The self-test of a weights file (models/selftest.hpp) in memory that the caller gives; what has to come out stays
/// where the file lies, in ROM if that is where. A session's plan takes a little heap while it is made.

#include "../core/arena.hpp"
#include "../models/session.hpp"
#include "model_file.hpp"

namespace unmask::inline UNMASK_ABI::weights {

namespace detail {

template <class T>
struct selftest_images {
  T *mask, *input, *output;

  void carve(arena& a, index_t inputs, index_t bands) {
    const index_t pixels = selftest_side * selftest_side;
    mask = a.take<T>(pixels);
    input = a.take<T>(pixels * inputs);
    output = a.take<T>(pixels * bands);
  }
};

}  // namespace detail

/// Bytes of memory that `selftest` needs. Errors: `bad_argument` for a configuration whose test would cost more than a
/// file of this size may ask for.
template <Model N = s2_network<float, cpu>>
[[gnu::cold]] verdict selftest_bytes(typename N::backend_type be, const loaded_model<typename N::config_type>& m,
                                     std::size_t& bytes) {
  const network_sizes sizes{1, selftest_side, selftest_side};
  const selftest_limits most(std::ssize(m.parameters));
  const auto costly = [&](double found, const char* unit, double allowed) {
    return verdict::refuse(errc::bad_argument, "the self-test of this configuration takes %.3g %s, allowed: %.3g",
                           found, unit, allowed);
  };
  const double work = N::work(m.config, sizes);
  if (!(work <= most.work)) return costly(work, "multiply-adds", most.work);
  session<N> plan(be, m.config, sizes);
  arena counting;
  plan.carve(counting);
  detail::selftest_images<float>().carve(counting, input_channels(m.config), m.config.bands);
  bytes = counting.peak();
  const auto taken = static_cast<double>(plan.bytes());
  return taken <= most.bytes ? verdict() : costly(taken, "bytes", most.bytes);
}

/// Runs the network on the test's image. `memory` is aligned to 64 bytes and dead afterwards.
/// Errors: `unreadable` where what comes out is not what has to; memory that is too small; those of `selftest_bytes`.
template <Model N = s2_network<float, cpu>>
[[gnu::cold]] verdict selftest(typename N::backend_type be, const loaded_model<typename N::config_type>& m,
                               std::span<std::byte> memory) {
  std::size_t bytes = 0;
  if (auto ok = selftest_bytes<N>(be, m, bytes); !ok) return ok;
  if (bytes > memory.size() || reinterpret_cast<std::uintptr_t>(memory.data()) % alignment != 0)
    return verdict::refuse(errc::bad_argument, "the self-test needs %zu bytes aligned to %zu, found %zu", bytes,
                           alignment, memory.size());
  const index_t inputs = input_channels(m.config), bands = m.config.bands;
  session<N> network(be, m.config, {1, selftest_side, selftest_side});
  arena real(memory.data(), memory.size());
  network.carve(real);
  detail::selftest_images<float> images;
  images.carve(real, inputs, bands);
  fill_selftest(images.mask, images.input, inputs, m.selftest_seed);
  const array_view<const float, 2> mask(images.mask, selftest_side, selftest_side);
  if (auto ok = network.prepare(m.parameters, mask); !ok)
    return verdict::refuse(ok.error().code(), "%s", ok.error().message().c_str());
  network.run(array_view<float, 3>(images.output, selftest_side, selftest_side, bands),
              array_view<const float, 3>(images.input, selftest_side, selftest_side, inputs));
  float worst = 0, largest = 0;
  bool finite = true;
  const auto count = static_cast<std::uint64_t>(selftest_side * selftest_side * bands);
  for (std::uint64_t i = 0; i < count; ++i) {
    const float expected = detail::element(m.selftest_output, detail::stored_as::f32, i), found = images.output[i];
    finite = finite && is_finite(found);
    worst = std::max(worst, std::abs(found - expected));
    largest = std::max(largest, std::abs(expected));
  }
  const auto allowed = static_cast<float>(selftest_tolerance) * largest;
  if (finite && worst <= allowed) return {};
  return verdict::refuse(errc::unreadable, "the self-test failed: the output is off by %.2g, allowed %.2g%s",
                         static_cast<double>(worst), static_cast<double>(allowed), finite ? "" : ", or not finite");
}

}  // namespace unmask::inline UNMASK_ABI::weights
