/// Weights. The self-test's network is replaced: it is not what is read here, and would be all of the time.

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

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace unmask;
  const auto w = io::read_weights<fuzz::no_network>(std::as_bytes(std::span(data, size)), "fuzz");
  fuzz::expect_message(w);
  if (w)
    for (const float x : w->parameters) fuzz::expect(is_finite(x), "parameters are finite");
  return 0;
}
