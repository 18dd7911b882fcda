#pragma once

/// Every kernel of the cuda backend.

#include "conv3x3.cuh"
#include "depthwise3x3.cuh"
#include "ffn.cuh"
#include "gelu.cuh"
#include "image_ops.cuh"
#include "layer_norm.cuh"
#include "linear.cuh"
#include "mask_embedding.cuh"
#include "matmul.cuh"
#include "padding.cuh"
#include "s2_block.cuh"
#include "softmax.cuh"
#include "spatial_msa.cuh"
#include "spectral_msa.cuh"
#include "width_softmax.cuh"
