/// Weights. The self-test's network is replaced: it is not what is read here, and would be all of the time. Checksums
/// are put right in every other input, or nothing behind them would ever be reached.

#include <unmask/unmask.hpp>

#include <unmask/io/weights.hpp>

#include "bytes_as_file.hpp"

namespace fuzz {
/// The published network's configuration and parameters, and nothing that computes or takes memory.
struct no_network : unmask::s2_network<float, unmask::cpu> {
  using unmask::s2_network<float, unmask::cpu>::s2_network;
  void carve(unmask::arena&) {}
  void prepare(unmask::in<float, 3>, const float*) {}
  void run(unmask::out<float, 4>, unmask::in<float, 4>, unmask::in<float, 3>, const float*, const float* = nullptr) {}
};
}  // namespace fuzz

namespace {

void read(std::span<const std::byte> bytes) {
  using namespace unmask;
  const auto w = io::read_weights<fuzz::no_network>(bytes, "fuzz");
  fuzz::expect_message(w);
  if (w)
    for (const float x : w->parameters) fuzz::expect(is_finite(x), "parameters are finite");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace unmask;
  const auto bytes = std::as_bytes(std::span(data, size));
  if (size == 0 || data[size - 1] % 2 == 0) return read(bytes), 0;
  auto file = io::parse_safetensors(bytes, "fuzz");
  if (!file) return 0;
  io::detail::seal(*file);
  const auto sealed = io::format_safetensors(*file);
  if (sealed) read(*sealed);
  return 0;
}
