#pragma once

/// Every macro of the library.
///
///   UNMASK_ABI             inline namespace: version and instruction set, so that two objects compiled for
///                          different instruction sets can be linked into one program without sharing kernels
///   UNMASK_NO_SIMD         define it first, and a pack is one number: for machines that xsimd does not know, and to
///   test
///                          that kernels do not depend on the width of a register
///   UNMASK_HAS_SIMD        1 where packs are registers
///   UNMASK_HAS_EXCEPTIONS  1 where the translation unit has exceptions
///   UNMASK_PANIC(text)     what `result::value()` does with an error where exceptions are off; define your own first
///   UNMASK_INLINE          for functions over arrays of registers: where the compiler leaves a call instead, as it
///   does
///                          in functions that are large already, the arrays go through memory (3 times slower)
///   UNMASK_HAS_OPENMP      1 where the `unmask::openmp` target (or -fopenmp) was asked for

#if __cplusplus <= 201703L
#error "unmask needs C++20: compile with -std=c++20 (CMake: target_compile_features(your_target PRIVATE cxx_std_20))"
#endif

#include <cstdio>
#include <cstdlib>

#if !defined(UNMASK_NO_SIMD) && (defined(__SSE2__) || defined(__ARM_NEON))
#define UNMASK_HAS_SIMD 1
#else
#define UNMASK_HAS_SIMD 0
#endif

#if !UNMASK_HAS_SIMD
#define UNMASK_ABI v0_1_scalar
#elif defined(__AVX512F__)
#define UNMASK_ABI v0_1_avx512
#elif defined(__AVX2__) && defined(__FMA__)
#define UNMASK_ABI v0_1_avx2_fma
#elif defined(__AVX2__)
#define UNMASK_ABI v0_1_avx2
#elif defined(__AVX__)
#define UNMASK_ABI v0_1_avx
#elif defined(__SSE2__)
#define UNMASK_ABI v0_1_sse2
#else
#define UNMASK_ABI v0_1_neon
#endif

#if defined(__cpp_exceptions)
#define UNMASK_HAS_EXCEPTIONS 1
#else
#define UNMASK_HAS_EXCEPTIONS 0
#endif

#define UNMASK_INLINE [[gnu::always_inline]] inline

#if defined(_OPENMP)
#define UNMASK_HAS_OPENMP 1
#else
#define UNMASK_HAS_OPENMP 0
#endif

#if !defined(UNMASK_PANIC)
#define UNMASK_PANIC(text) (std::fprintf(stderr, "unmask: %s\n", (text)), std::abort())
#endif
