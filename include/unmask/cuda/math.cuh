#pragma once

/// Numbers as products see them: in shared memory factors lie in the type that the multiplication takes, rounded once
/// when they are stored.

#include <bit>
#include <cstdint>
#include <type_traits>

#include "thread.cuh"

namespace unmask::inline UNMASK_ABI::detail {

/// Four numbers, moved by one instruction where they are float.
template <class T>
struct alignas(16) quad {
  T v[4];
};

template <class T>
UNMASK_DEVICE quad<T> load_quad(const T* from) {
  return *reinterpret_cast<const quad<T>*>(from);
}

UNMASK_DEVICE std::uint32_t bits_of(float x) {
#if defined(__CUDACC__)
  return __float_as_uint(x);
#else
  return std::bit_cast<std::uint32_t>(x);
#endif
}

UNMASK_DEVICE float float_of(std::uint32_t bits) {
#if defined(__CUDACC__)
  return __uint_as_float(bits);
#else
  return std::bit_cast<float>(bits);
#endif
}

/// Multiply-adds of a thread, in the numbers' own type.
template <class T>
struct plain_math {
  using number = T;
  using element = T;
  static constexpr int step = 4;     ///< depths are multiples of it
  static constexpr int padding = 4;  ///< elements behind a row of A that spread its columns over the banks
  static UNMASK_DEVICE element store(T x) { return x; }
  static UNMASK_DEVICE T load(element x) { return x; }
  /// Where element (k, n) of B lies.
  static UNMASK_DEVICE int b_at(int k, int n, int ldb) { return k * ldb + n; }
};

/// Tensor cores on float factors of 10 bits (nearest, ties away from zero, as cvt.rna does).
struct tf32_math {
  using number = float;
  using element = float;
  static constexpr int step = 8, padding = 4;
  static UNMASK_DEVICE element store(float x) {
#if defined(__CUDACC__)
    std::uint32_t rounded;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(rounded) : "f"(x));
    return float_of(rounded);
#else
    const std::uint32_t b = bits_of(x);
    return (b & 0x7f800000u) == 0x7f800000u ? x : float_of((b + 0x1000u) & 0xffffe000u);
#endif
  }
  static UNMASK_DEVICE float load(element x) { return x; }
  static UNMASK_DEVICE int b_at(int k, int n, int ldb) { return k * ldb + n; }
};

/// Tensor cores on bfloat16 factors (nearest, ties to even); two neighbours along the depth share a word.
struct bf16_math {
  using number = float;
  using element = std::uint16_t;
  static constexpr int step = 16, padding = 8;
  static UNMASK_DEVICE element store(float x) {
#if defined(__CUDACC__)
    element rounded;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(rounded) : "f"(x));
    return rounded;
#else
    const std::uint32_t b = bits_of(x);
    if (x != x) return 0x7fff;
    return static_cast<element>((b + 0x7fffu + ((b >> 16) & 1u)) >> 16);
#endif
  }
  static UNMASK_DEVICE float load(element x) { return float_of(static_cast<std::uint32_t>(x) << 16); }
  static UNMASK_DEVICE int b_at(int k, int n, int ldb) { return (k / 2 * ldb + n) * 2 + k % 2; }
};

/// One instruction of the tensor cores: C [16, 8] += A [16, 8 or 16] B [., 8], spread over the lanes of a warp as the
/// PTX manual has it for mma.m16n8k8.tf32 and mma.m16n8k16.bf16.
struct mma_a {
  std::uint32_t v[4];
};
struct mma_b {
  std::uint32_t v[2];
};

#if defined(__CUDACC__)
template <class Thread>
UNMASK_DEVICE void mma(Thread&, tf32_math, float* c, const mma_a& a, const mma_b& b) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a.v[0]), "r"(a.v[1]), "r"(a.v[2]), "r"(a.v[3]), "r"(b.v[0]), "r"(b.v[1]));
}
template <class Thread>
UNMASK_DEVICE void mma(Thread&, bf16_math, float* c, const mma_a& a, const mma_b& b) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a.v[0]), "r"(a.v[1]), "r"(a.v[2]), "r"(a.v[3]), "r"(b.v[0]), "r"(b.v[1]));
}
#else
/// The same from its definition, by exchange between lanes: lane l holds rows l/4 and l/4 + 8 of A and C, column l/4 of
/// B and columns 2 (l % 4) and the next of C.
template <class Thread, class Math>
void mma(Thread& t, Math, float* c, const mma_a& a, const mma_b& b) {
  const int group = t.lane() / 4, place = t.lane() % 4;
  float sum[4] = {};
  for (int other = 0; other < 4; ++other) {
    const mma_a row = t.shuffle(a, 4 * group + other);
    const mma_b cols[2] = {t.shuffle(b, 4 * (2 * place) + other), t.shuffle(b, 4 * (2 * place + 1) + other)};
    for (int half = 0; half < 2; ++half)  // of the depth: registers 0, 1 and 2, 3 of A, 0 and 1 of B
      for (int i = 0; i < 4; ++i) {
        const std::uint32_t x = row.v[2 * half + i / 2], y = cols[i % 2].v[half];
        if constexpr (std::is_same_v<Math, tf32_math>)
          sum[i] += float_of(x) * float_of(y);
        else
          sum[i] += float_of(x << 16) * float_of(y << 16) + float_of(x & 0xffff0000u) * float_of(y & 0xffff0000u);
      }
  }
  for (int i = 0; i < 4; ++i) c[i] += sum[i];
}
#endif

/// body(math): how products of T round, as a type. Doubles are always multiplied as they are.
template <class T, class Body>
void with_math(const cuda& be, Body&& body) {
  if constexpr (std::is_same_v<T, float>) {
    if (be.products == product_precision::tf32) return body(tf32_math{});
    if (be.products == product_precision::bf16) return body(bf16_math{});
  }
  body(plain_math<T>{});
}

}  // namespace unmask::inline UNMASK_ABI::detail
