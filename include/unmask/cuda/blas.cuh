#pragma once

/// Products of large matrices by cuBLAS; the emulator of the tests has plain loops here.

#include "error.cuh"

#if defined(__CUDACC__)
#include <cublas_v2.h>

#include <list>
#include <mutex>
#endif

namespace unmask::inline UNMASK_ABI {

/// C = alpha op(A) op(B) + beta C for `batch` row-major matrices, `step`s apart. op(A) is [m, k]; `turned`: the matrix
/// in memory is its transpose, and `ld` the distance of *its* rows, which must hold a whole row.
template <class T>
struct blas_factor {
  const T* data;
  index_t ld;
  bool turned = false;
  index_t step = 0;
};

template <class T>
struct blas_product {
  T* c;
  index_t ldc;
  blas_factor<T> a, b;
  index_t m, n, k;
  T alpha = 1, beta = 0;
  index_t batch = 1, step = 0;  ///< step: between the matrices C
};

#if defined(__CUDACC__)
namespace detail {

inline bool keep(cublasStatus_t status, call_site where = call_site::here()) {
  if (status != CUBLAS_STATUS_SUCCESS) keep_fault(cublasGetStatusString(status), where);
  return status == CUBLAS_STATUS_SUCCESS;
}

/// cuBLAS for one stream of one device. Its workspace is given to it, so that a captured graph holds no allocations,
/// and is nobody else's, so that sums are the same every run (cuBLAS promises that for one stream a workspace). It
/// lives as long as the process: a graph that names the workspace may be played back by any thread, and when a program
/// ends the driver may be gone before.
struct blas_handle {
  int device = 0;
  cudaStream_t stream = nullptr;
  cublasHandle_t handle = nullptr;

  static cublasHandle_t of(const cuda& be) {
    static std::mutex one_at_a_time;
    static auto& handles = *new std::list<blas_handle>;
    int device = 0;
    if (!keep(cudaGetDevice(&device))) return nullptr;
    const std::lock_guard lock(one_at_a_time);
    for (const blas_handle& h : handles)
      if (h.device == device && h.stream == be.stream) return h.handle;
    const cublasHandle_t made = make(be.stream);
    if (made) handles.push_back({device, be.stream, made});
    return made;
  }

 private:
  static cublasHandle_t make(cudaStream_t stream) {
    constexpr std::size_t bytes = std::size_t{32} << 20;  // what cuBLAS asks for on sm_90
    cublasHandle_t handle = nullptr;
    void* workspace = nullptr;
    if (keep(cublasCreate(&handle)) && keep(cudaMalloc(&workspace, bytes)) && keep(cublasSetStream(handle, stream)) &&
        keep(cublasSetWorkspace(handle, workspace, bytes)))
      return handle;
    if (handle) cublasDestroy(handle);
    cudaFree(workspace);
    return nullptr;
  }
};

/// Row-major C = A B is column-major C' = B' A': the factors change places, nothing is transposed.
template <class T>
bool call_blas(const cuda& be, const blas_product<T>& p, call_site where) {
  constexpr bool narrow = std::is_same_v<T, float>;
  static_assert(narrow || std::is_same_v<T, double>);
  constexpr cudaDataType_t type = narrow ? CUDA_R_32F : CUDA_R_64F;
  const cublasComputeType_t compute = !narrow                                  ? CUBLAS_COMPUTE_64F
                                      : be.products == product_precision::tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32
                                      : be.products == product_precision::bf16 ? CUBLAS_COMPUTE_32F_FAST_16BF
                                                                               : CUBLAS_COMPUTE_32F;
  const auto turned = [](const blas_factor<T>& f) { return f.turned ? CUBLAS_OP_T : CUBLAS_OP_N; };
  const auto narrowed = [](index_t n) { return static_cast<int>(n); };
  const cublasHandle_t handle = blas_handle::of(be);
  return handle &&
         keep(cublasGemmStridedBatchedEx(handle, turned(p.b), turned(p.a), narrowed(p.n), narrowed(p.m), narrowed(p.k),
                                         &p.alpha, p.b.data, type, narrowed(p.b.ld), p.b.step, p.a.data, type,
                                         narrowed(p.a.ld), p.a.step, &p.beta, p.c, type, narrowed(p.ldc), p.step,
                                         narrowed(p.batch), compute, CUBLAS_GEMM_DEFAULT),
              where);
}

}  // namespace detail
#endif

template <class T>
void multiply(const cuda& be, const blas_product<T>& p, call_site where = call_site::here()) {
  if (p.m < 1 || p.n < 1 || p.batch < 1 || detail::first_fault().text) return;
#if defined(__CUDACC__)
  detail::call_blas(be, p, where);
#if defined(UNMASK_CUDA_SYNCHRONOUS)
  detail::keep(cudaStreamSynchronize(be.stream), where);
#endif
#else
  (void)be, (void)where;
  const auto at = [](index_t s, const blas_factor<T>& f, index_t i, index_t j) {
    return f.data[s * f.step + (f.turned ? j * f.ld + i : i * f.ld + j)];
  };
  for (index_t s = 0; s < p.batch; ++s)
    for (index_t i = 0; i < p.m; ++i)
      for (index_t j = 0; j < p.n; ++j) {
        T sum = 0, &c = p.c[s * p.step + i * p.ldc + j];
        for (index_t l = 0; l < p.k; ++l) sum += at(s, p.a, i, l) * at(s, p.b, l, j);
        c = p.beta == 0 ? p.alpha * sum : p.alpha * sum + p.beta * c;  // beta 0 reads no C, which may be NaN
      }
#endif
}

}  // namespace unmask::inline UNMASK_ABI
