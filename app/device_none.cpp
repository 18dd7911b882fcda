/// What the program does about --device cuda where nvcc did not build it.

#include "device.hpp"

namespace program {

result<> check_cuda() {
  return error(errc::device, "--device cuda: this program was built without CUDA (cmake --preset cuda builds it with)");
}

result<estimate> run_method_on_cuda(const context&, const snapshot&, unmask::model,
                                    const unmask::reconstruct_options&) {
  return check_cuda().error();
}
result<> train_on_cuda(const context&, const train_options&) { return check_cuda(); }

}  // namespace program
