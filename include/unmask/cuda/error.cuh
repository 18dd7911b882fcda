#pragma once

/// Errors of CUDA calls. Work on a stream has no place to return one, so the first of a thread is kept, with the line
/// that made the call, until somebody asks: `finish`, which set-up code and every `result` of a session go through.
/// Nothing aborts, nothing throws, and nothing is launched after a fault that was not collected.

#include <string>

#include "../core/cuda.hpp"
#include "../core/result.hpp"

#if defined(__CUDACC__)
#include <cuda_runtime.h>
#endif

namespace unmask::inline UNMASK_ABI {

/// The line of a call, as a default argument of the function that is called (std::source_location: not in clang 14).
struct call_site {
  const char* file = "";
  unsigned line = 0;
  static constexpr call_site here(const char* file = __builtin_FILE(), unsigned line = __builtin_LINE()) {
    return {file, line};
  }
};

namespace detail {

struct cuda_fault {
  const char* text = nullptr;  ///< null: none
  call_site where = {};
};

inline cuda_fault& first_fault() {
  static thread_local cuda_fault fault;
  return fault;
}

inline void keep_fault(const char* text, call_site where) {
  if (!first_fault().text) first_fault() = {text, where};
}

#if defined(__CUDACC__)
/// Whether the call succeeded.
inline bool keep(cudaError_t status, call_site where = call_site::here()) {
  if (status != cudaSuccess) keep_fault(cudaGetErrorString(status), where);
  return status == cudaSuccess;
}
#endif

/// The fault that was kept, which is forgotten.
inline result<> collect_fault() {
  const cuda_fault fault = first_fault();
  first_fault() = {};
  if (!fault.text) return {};
  return error(errc::device, std::string("cuda: ") + fault.text + " (" + fault.where.file + ":" +
                                 std::to_string(fault.where.line) + ")");
}

}  // namespace detail

/// Waits for the stream; the first error since the last call, whichever call it was of.
inline result<> finish(const cuda& be) {
#if defined(__CUDACC__)
  detail::keep(cudaStreamSynchronize(be.stream));
#else
  (void)be;
#endif
  return detail::collect_fault();
}

}  // namespace unmask::inline UNMASK_ABI
