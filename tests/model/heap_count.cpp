#include "heap_count.hpp"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::size_t> calls{0}, largest{0};

[[maybe_unused]] void* count_and_allocate(std::size_t bytes, std::size_t align) {
  ++calls;
  std::size_t seen = largest;
  while (bytes > seen && !largest.compare_exchange_weak(seen, bytes)) continue;
  if (void* p = std::aligned_alloc(align, (bytes + align) / align * align)) return p;
  std::abort();
}

}  // namespace

namespace unmask_test {
std::size_t heap_calls() { return calls; }
std::size_t heap_largest() { return largest; }
void forget_heap_largest() { largest = 0; }
}  // namespace unmask_test

#if UNMASK_TEST_HEAP_COUNTED
void* operator new(std::size_t bytes) { return count_and_allocate(bytes, __STDCPP_DEFAULT_NEW_ALIGNMENT__); }
void* operator new[](std::size_t bytes) { return count_and_allocate(bytes, __STDCPP_DEFAULT_NEW_ALIGNMENT__); }
void* operator new(std::size_t bytes, std::align_val_t align) {
  return count_and_allocate(bytes, static_cast<std::size_t>(align));
}
void* operator new[](std::size_t bytes, std::align_val_t align) {
  return count_and_allocate(bytes, static_cast<std::size_t>(align));
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }
#endif
