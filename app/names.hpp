#pragma once

/// The library's names that the program writes without their namespace.

#include <unmask/core/result.hpp>
#include <unmask/core/tensor.hpp>
#include <unmask/core/view.hpp>

namespace program {

using unmask::array_view;
using unmask::errc;
using unmask::error;
using unmask::index_t;
using unmask::result;
using unmask::tensor;

}  // namespace program
