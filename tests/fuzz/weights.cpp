/// Weights. The self-test's network is replaced: it is not what is read here, and would be all of the time.

#include <unmask/unmask.hpp>

#include <unmask/io/weights.hpp>

#include "bytes_as_file.hpp"

namespace fuzz {
struct no_network {};
}  // namespace fuzz

namespace unmask::inline UNMASK_ABI {
template <>
class session<float, fuzz::no_network> {
 public:
  static result<session> create(fuzz::no_network, const s2_config&, std::span<const float>, index_t, index_t,
                                in<float, 2>) {
    return session();
  }
  template <class Output, class Input>
  void run(Output&&, Input&&) noexcept {}
};
}  // namespace unmask::inline UNMASK_ABI

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace unmask;
  const auto w = io::read_weights(std::as_bytes(std::span(data, size)), "fuzz", fuzz::no_network{});
  fuzz::expect_message(w);
  if (w)
    for (const float x : w->parameters) fuzz::expect(is_finite(x), "parameters are finite");
  return 0;
}
