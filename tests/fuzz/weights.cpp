/// Weights. The self-test's network is replaced: it is not what is read here, and would be all of the time. Checksums
/// are put right in every other input, or nothing behind them would ever be reached.

#include "sealed_weights.hpp"

namespace fuzz_weights {

void read(std::span<const std::byte> bytes) {
  using namespace unmask;
  const auto w = io::read_weights<fuzz::no_network>(bytes, "fuzz");
  fuzz::expect_message(w);
  if (w)
    for (const float x : w->parameters) fuzz::expect(is_finite(x), "parameters are finite");
}

int run(const std::uint8_t* data, std::size_t size) {
  return fuzz::read_sealed(data, size, [](std::span<const std::byte> bytes) { read(bytes); });
}

}  // namespace fuzz_weights
