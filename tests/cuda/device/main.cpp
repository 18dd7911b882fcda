/// doctest's main for programs that need a device.

#define DOCTEST_CONFIG_IMPLEMENT
#include <cuda_runtime.h>
#include <doctest/doctest.h>

#include <cstdio>
#include <filesystem>

int main(int argc, char** argv) {
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
    std::printf("skipped: %s (no CUDA device)\n", std::filesystem::path(argv[0]).filename().c_str());
    return 0;
  }
  return doctest::Context(argc, argv).run();
}
