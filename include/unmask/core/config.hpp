#pragma once

/// Every macro of the library.
///
///   UNMASK_ABI             inline namespace: version, instruction set and what an error does, so that two objects
///                          compiled for different instruction sets, or with and without exceptions, can be linked into
///                          one program without sharing what differs
///   UNMASK_NO_SIMD         define it first, and a pack is one number: for machines that xsimd does not know, for the
///                          same bits on all (with -ffp-contract=off; docs/embedded.md, "Equal results"), and to test
///                          that kernels do not depend on the width of a register
///   UNMASK_HAS_SIMD        1 where packs are registers
///   UNMASK_HAS_EXCEPTIONS  1 where the translation unit has exceptions
///   UNMASK_PANIC(text)     what `result::value()` does with an error where exceptions are off; define your own first
///   UNMASK_INLINE          for functions over arrays of registers: where the compiler leaves a call instead, as it
///   does
///                          in functions that are large already, the arrays go through memory (3 times slower)
///   UNMASK_ONE_CODE        attributes of a function that has one machine code for all callers: of two inlined copies
///                          g++ may contract different multiplications and additions, and bits would differ
///   UNMASK_HAS_OPENMP      1 where the `unmask::openmp` target (or -fopenmp) was asked for

#if __cplusplus <= 201703L
#error "unmask needs C++20: compile with -std=c++20 (CMake: target_compile_features(your_target PRIVATE cxx_std_20))"
#endif

#if defined(min) || defined(max)
#error "macros named min or max break the standard library: define NOMINMAX before <windows.h> is included"
#endif

#include <cstdio>
#include <cstdlib>

#if !defined(UNMASK_NO_SIMD) && (defined(__SSE2__) || defined(__ARM_NEON))
#define UNMASK_HAS_SIMD 1
#else
#define UNMASK_HAS_SIMD 0
#endif

#if !UNMASK_HAS_SIMD
#define UNMASK_ISA scalar
#elif defined(__AVX512F__)
#define UNMASK_ISA avx512
#elif defined(__AVX2__) && defined(__FMA__)
#define UNMASK_ISA avx2_fma
#elif defined(__AVX2__)
#define UNMASK_ISA avx2
#elif defined(__AVX__)
#define UNMASK_ISA avx
#elif defined(__SSE2__)
#define UNMASK_ISA sse2
#else
#define UNMASK_ISA neon
#endif

#if defined(__GNUC__) && !defined(__clang__)
#define UNMASK_ONE_CODE [[gnu::noinline, gnu::noclone]]
#else
#define UNMASK_ONE_CODE [[gnu::noinline]]
#endif

#if defined(__cpp_exceptions)
#define UNMASK_HAS_EXCEPTIONS 1
#else
#define UNMASK_HAS_EXCEPTIONS 0
#endif

// Without exceptions `result::value()` ends the program: an inline function that differs must have another name.
#if UNMASK_HAS_EXCEPTIONS
#define UNMASK_ERRORS throws
#else
#define UNMASK_ERRORS panics
#endif
#define UNMASK_JOIN_(version, isa, errors) version##_##isa##_##errors
#define UNMASK_JOIN(version, isa, errors) UNMASK_JOIN_(version, isa, errors)
#define UNMASK_ABI UNMASK_JOIN(v0_1, UNMASK_ISA, UNMASK_ERRORS)

#define UNMASK_INLINE [[gnu::always_inline]] inline

#if defined(_OPENMP)
#define UNMASK_HAS_OPENMP 1
#else
#define UNMASK_HAS_OPENMP 0
#endif

#if !defined(UNMASK_PANIC)
#define UNMASK_PANIC(text) (std::fprintf(stderr, "unmask: %s\n", (text)), std::abort())
#endif
