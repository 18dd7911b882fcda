/// operator new from managed memory: what the tests allocate can be read by the host and the device. Without a device
/// (and before main, where there is no runtime yet on some systems) it is ordinary memory. It counts calls, as
/// tests/model/heap_count.cpp does, so that test_ops.cpp links.

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdlib>
#include <new>

#include "../../model/heap_count.hpp"

namespace {

constexpr std::size_t header = 256;  // keeps every alignment that is asked for
std::size_t calls = 0;

void* take(std::size_t bytes) {
  ++calls;
  static const bool device = [] {
    int n = 0;
    return cudaGetDeviceCount(&n) == cudaSuccess && n > 0;
  }();
  void* p = nullptr;
  bool managed = device && cudaMallocManaged(&p, bytes + header) == cudaSuccess;
  if (!managed) p = std::aligned_alloc(header, (bytes + 2 * header - 1) / header * header);
  if (!p) std::abort();
  *static_cast<bool*>(p) = managed;
  return static_cast<char*>(p) + header;
}

void give(void* at) {
  if (!at) return;
  void* const p = static_cast<char*>(at) - header;
  if (*static_cast<bool*>(p))
    cudaFree(p);
  else
    std::free(p);
}

}  // namespace

namespace unmask_test {
std::size_t heap_calls() { return calls; }
std::size_t heap_largest() { return 0; }
void forget_heap_largest() {}
}  // namespace unmask_test

void* operator new(std::size_t n) { return take(n); }
void* operator new[](std::size_t n) { return take(n); }
void* operator new(std::size_t n, std::align_val_t) { return take(n); }
void* operator new[](std::size_t n, std::align_val_t) { return take(n); }
void operator delete(void* p) noexcept { give(p); }
void operator delete[](void* p) noexcept { give(p); }
void operator delete(void* p, std::size_t) noexcept { give(p); }
void operator delete[](void* p, std::size_t) noexcept { give(p); }
void operator delete(void* p, std::align_val_t) noexcept { give(p); }
void operator delete[](void* p, std::align_val_t) noexcept { give(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { give(p); }
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { give(p); }
