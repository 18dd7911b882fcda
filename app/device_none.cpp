/// What the program does about --device cuda where nvcc did not build it.

#include "device.hpp"

namespace program {

result<> check_cuda() {
  return error(errc::device, "--device cuda: this program was built without CUDA (cmake --preset cuda builds it with)");
}

result<> with_network_on_cuda(const context&, const unmask::s2_config&, std::span<const float>, unmask::in<float, 2>,
                              const std::function<void(const network_call&)>&) {
  return check_cuda();
}
result<> train_on_cuda(const context&, const train_options&) { return check_cuda(); }

}  // namespace program
