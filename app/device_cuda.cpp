/// --device cuda; compiled by nvcc.

#include <unmask/cuda.cuh>
// the umbrella first: it silences what nvcc does not know in the headers of the host
#include "device.hpp"
#include "run_method.hpp"
#include "train_run.hpp"

namespace program {

namespace {

/// A stream of our own: the default one cannot be recorded into a graph.
class device {
 public:
  explicit device(const context& c) : backend_{.host_threads = c.threads} {
    if (c.products != "full")
      backend_.products = c.products == "bf16" ? unmask::product_precision::bf16 : unmask::product_precision::tf32;
    unmask::detail::keep(cudaStreamCreateWithFlags(&backend_.stream, cudaStreamNonBlocking));
  }
  ~device() { cudaStreamDestroy(backend_.stream); }
  device(const device&) = delete;
  device& operator=(const device&) = delete;
  const unmask::cuda& backend() const { return backend_; }

 private:
  unmask::cuda backend_;
};

}  // namespace

result<> check_cuda() {
  int devices = 0;
  const cudaError_t status = cudaGetDeviceCount(&devices);
  if (status == cudaSuccess && devices > 0) return {};
  return error(errc::device, std::string("--device cuda: no CUDA device (") +
                                 (status == cudaSuccess ? "none found" : cudaGetErrorString(status)) + ")");
}

result<estimate> run_method_on_cuda(const context& c, const snapshot& s, unmask::model m,
                                    const unmask::reconstruct_options& options) {
  if (auto ok = check_cuda(); !ok) return ok.error();
  const device d(c);
  return run_method_on(d.backend(), c, s, std::move(m), options);
}

result<> train_on_cuda(const context& c, const train_options& o) {
  if (auto ok = check_cuda(); !ok) return ok;
  const device d(c);
  return train_on(d.backend(), c, o);
}

}  // namespace program
