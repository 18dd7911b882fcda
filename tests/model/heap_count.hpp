#pragma once

/// Calls of operator new and their largest request; link heap_count.cpp, which replaces the operators.

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
}  // namespace unmask_test
