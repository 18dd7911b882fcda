#pragma once

/// Initial values of a fresh network: linear weights and position tables normal with deviation 0.02 (cut at 2 of them),
/// convolutions uniform in +-1/sqrt(fan-in), biases and layer norms 0, 0 and 1. Seeded, the same on every machine.

#include <cmath>

#include "../core/random.hpp"
#include "../nn/parameters.hpp"

namespace unmask::inline UNMASK_ABI {

template <class T>
void initialise(T* block, const manifest& m, std::uint64_t seed) {
  random generator(seed);
  for (const parameter& p : m.entries) {
    const double bound = 1 / std::sqrt(static_cast<double>(p.fan_in));
    for (T* value = block + p.offset; value != block + p.offset + p.size; ++value) switch (p.init) {
        case initial::zero:
          *value = 0;
          break;
        case initial::one:
          *value = 1;
          break;
        case initial::uniform:
          *value = static_cast<T>(generator.uniform(-bound, bound));
          break;
        case initial::normal: {
          double x = generator.normal();
          while (std::abs(x) > 2) x = generator.normal();
          *value = static_cast<T>(0.02 * x);
        }
      }
  }
}

}  // namespace unmask::inline UNMASK_ABI
