#pragma once

/// Umbrella of the CUDA backend, for sources that nvcc compiles: everything of unmask.hpp, and `cuda{.stream = s}`.

// nvcc does not know the unroll pragmas of the host's loops (1675), and takes the assignment of a [[nodiscard]] class
// for a value that is thrown away (2810); a conversion that one instance of a template cannot use (554) is no fault.
// Eigen is the host's here; otherwise nvcc warns of its annotations.
#if defined(__CUDACC__)
#if !defined(EIGEN_NO_CUDA)
#define EIGEN_NO_CUDA
#endif
#pragma nv_diagnostic push
#pragma nv_diag_suppress 554, 1675, 2810
#endif

#include "cuda/blas.cuh"
#include "cuda/memory.cuh"
#include "cuda/recording.cuh"
#include "nn/cuda/all.cuh"
#include "train/cuda/all.cuh"
#include "unmask.hpp"

#if defined(__CUDACC__)
#pragma nv_diagnostic pop
#endif
