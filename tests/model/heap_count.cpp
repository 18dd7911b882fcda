#include "heap_count.hpp"

#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::size_t> calls{0}, largest{0}, alive{0}, peak{0};

void raise_to(std::atomic<std::size_t>& most, std::size_t value) {
  std::size_t seen = most;
  while (value > seen && !most.compare_exchange_weak(seen, value)) continue;
}

[[maybe_unused]] void* count_and_allocate(std::size_t bytes, std::size_t align) {
  ++calls;
  raise_to(largest, bytes);
  if (void* p = std::aligned_alloc(align, (bytes + align) / align * align)) {
    raise_to(peak, alive += malloc_usable_size(p));
    return p;
  }
  std::abort();
}

[[maybe_unused]] void count_and_free(void* p) {
  alive -= malloc_usable_size(p);
  std::free(p);
}

}  // namespace

namespace unmask_test {
std::size_t heap_calls() { return calls; }
std::size_t heap_largest() { return largest; }
void forget_heap_largest() { largest = 0; }
std::size_t heap_alive() { return alive; }
std::size_t heap_peak() { return peak; }
void forget_heap_peak() { peak = alive.load(); }
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
void operator delete(void* p) noexcept { count_and_free(p); }
void operator delete[](void* p) noexcept { count_and_free(p); }
void operator delete(void* p, std::size_t) noexcept { count_and_free(p); }
void operator delete[](void* p, std::size_t) noexcept { count_and_free(p); }
void operator delete(void* p, std::align_val_t) noexcept { count_and_free(p); }
void operator delete[](void* p, std::align_val_t) noexcept { count_and_free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { count_and_free(p); }
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { count_and_free(p); }
#endif
