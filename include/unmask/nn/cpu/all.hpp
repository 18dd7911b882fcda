#pragma once

/// Every tuned kernel of the cpu backend.

#include "conv3x3.hpp"
#include "depthwise3x3.hpp"
#include "gelu.hpp"
#include "layer_norm.hpp"
#include "mask_convolutions.hpp"
#include "matmul.hpp"
#include "s2_block.hpp"
#include "softmax.hpp"
#include "width_softmax.hpp"
