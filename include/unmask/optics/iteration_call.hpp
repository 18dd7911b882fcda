#pragma once

/// What an iterative solver calls after each iteration: its number from 1, and |A x - y| / |y|. Where the callable
/// returns a bool, false ends the solver.

#include "../core/call_ref.hpp"
#include "../core/view.hpp"

namespace unmask::inline UNMASK_ABI::optics {

using iteration_call = call_ref<index_t, float>;

}  // namespace unmask::inline UNMASK_ABI::optics
