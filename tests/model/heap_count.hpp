#pragma once

/// Calls of operator new, their largest request, and the most bytes alive at once; link heap_count.cpp, which replaces the operators.

#include <cstddef>

/// The thread sanitizer brings operators of its own: there, nothing is counted and what depends on it is skipped.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNMASK_TEST_HEAP_COUNTED 0
#endif
#endif
#if !defined(UNMASK_TEST_HEAP_COUNTED)
#define UNMASK_TEST_HEAP_COUNTED 1
#endif

namespace unmask_test {
std::size_t heap_calls();
std::size_t heap_largest();  ///< bytes
void forget_heap_largest();
std::size_t heap_alive();  ///< bytes, as the allocator rounds them up
std::size_t heap_peak();   ///< the most since `forget_heap_peak`
void forget_heap_peak();
}  // namespace unmask_test
