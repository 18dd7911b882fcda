#pragma once

/// Networks on a GPU: device_cuda.cpp where nvcc built the program, device_none.cpp elsewhere.

#include "methods.hpp"

namespace program {

struct train_options;

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

result<estimate> run_method_on_cuda(const context&, const snapshot&, unmask::model, const unmask::reconstruct_options&);

result<> train_on_cuda(const context&, const train_options&);

}  // namespace program
