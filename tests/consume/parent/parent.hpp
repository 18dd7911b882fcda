#pragma once

#include <unmask/core/tensor.hpp>

/// Of a cube [H, W, C].
float parent_sum(const unmask::tensor<float, 3>& cube);
