#pragma once

/// Calls of operator new and their largest request; link heap_count.cpp, which replaces the operators.

#include <cstddef>

namespace unmask_test {
std::size_t heap_calls();
std::size_t heap_largest();  ///< bytes
void forget_heap_largest();
}  // namespace unmask_test
