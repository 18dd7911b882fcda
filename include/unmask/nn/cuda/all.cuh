#pragma once

/// Every kernel of the cuda backend.

#include "conv3x3.cuh"
#include "depthwise3x3.cuh"
#include "ffn.cuh"
#include "gelu.cuh"
#include "image_add.cuh"
#include "kept_rows.cuh"
#include "layer_norm.cuh"
#include "linear.cuh"
#include "mask_convolutions.cuh"
#include "mask_factors.cuh"
#include "mask_sigmoid.cuh"
#include "matmul.cuh"
#include "norm_project.cuh"
#include "padding.cuh"
#include "positional_term.cuh"
#include "s2_block.cuh"
#include "softmax.cuh"
#include "spectral_apply.cuh"
#include "width_softmax.cuh"
#include "window_attention.cuh"
