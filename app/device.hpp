#pragma once

/// Networks on a GPU: device_cuda.cpp where nvcc built the program, device_none.cpp elsewhere.

#include <functional>

#include "methods.hpp"
#include "train_setup.hpp"

namespace program {

inline void add_device(CLI::App* command, context& c) {
  command->add_option("--device", c.device, "where the network runs: cpu or cuda")
      ->check(CLI::IsMember({"cpu", "cuda"}))
      ->capture_default_str();
  command->add_option("--products", c.products, "of floats on cuda: full, or rounded to tf32 or bf16 for tensor cores")
      ->check(CLI::IsMember({"full", "tf32", "bf16"}))
      ->capture_default_str();
}

/// One line where this program has no CUDA, or the machine no device or driver for it.
result<> check_cuda();

/// A network that works in place.
using network_call = std::function<void(array_view<float, 3>)>;

/// Calls `work` with the network for this mask; after a failure of the device it does nothing more.
result<> with_network_on_cuda(const context&, const unmask::s2_config&, std::span<const float> parameters,
                              unmask::in<float, 2> mask, const std::function<void(const network_call&)>& work);

result<> train_on_cuda(const context&, const train_options&);

}  // namespace program
