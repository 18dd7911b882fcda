#pragma once

/// Device memory: one block a plan, and the ways in and out of it.

#include <memory>
#include <string>
#include <utility>

#include "../core/memory.hpp"
#include "launch.cuh"

namespace unmask::inline UNMASK_ABI {

/// One zeroed allocation of the current device.
class device_block {
 public:
  device_block() = default;
  std::byte* data() const { return data_.get(); }
  std::size_t bytes() const { return bytes_; }

  /// Errors: `device` (none there, one that is too small for the kernels, not enough memory).
  static result<device_block> allocate(const cuda& be, std::size_t bytes) {
    device_block block;
    block.bytes_ = detail::round_up(bytes ? bytes : 1, alignment);
#if defined(__CUDACC__)
    int device = 0, shared = 0;
    if (detail::keep(cudaGetDevice(&device)) &&
        detail::keep(cudaDeviceGetAttribute(&shared, cudaDevAttrMaxSharedMemoryPerBlockOptin, device)) &&
        static_cast<std::size_t>(shared) < most_shared_bytes)
      return error(errc::device, "cuda: found " + std::to_string(shared / 1024) +
                                     " KB of shared memory a block, expected " +
                                     std::to_string(most_shared_bytes / 1024) + " (A100, H100)");
    void* data = nullptr;
    if (detail::keep(cudaMalloc(&data, block.bytes_))) {
      block.data_.reset(static_cast<std::byte*>(data));
      detail::keep(cudaMemsetAsync(data, 0, block.bytes_, be.stream));
    }
    if (auto ok = finish(be); !ok) return ok.error();
#else
    (void)be;
    block.data_.reset(static_cast<std::byte*>(::operator new (block.bytes_, std::align_val_t{alignment})));
    std::fill_n(block.data(), block.bytes_, std::byte{0});
#endif
    return result<device_block>(std::move(block));  // nvcc 13 does not move it by itself
  }

 private:
  struct release {
    void operator()(std::byte* p) const {
#if defined(__CUDACC__)
      cudaFree(p);
#else
      ::operator delete (p, std::align_val_t{alignment});
#endif
    }
  };
  std::size_t bytes_ = 0;
  std::unique_ptr<std::byte, release> data_;
};

template <>
struct storage<cuda> {
  static constexpr bool remote = true;
  using block = device_block;
  static result<block> allocate(const cuda& be, std::size_t bytes) { return device_block::allocate(be, bytes); }
};

namespace detail {

enum class way { in, out, within };

/// Rows of n numbers, so far apart where they go and where they come from.
struct row_block {
  index_t rows, n, ldt, ldf;
};

/// Host memory that is not pinned is read before the call returns.
template <class T>
void move(const cuda& be, T* to, const T* from, row_block size, way how, call_site where) {
  const auto [rows, n, ldt, ldf] = size;
  if (rows < 1 || n < 1 || first_fault().text) return;
#if defined(__CUDACC__)
  constexpr cudaMemcpyKind kinds[] = {cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice};
  const auto bytes = [](index_t count) { return static_cast<std::size_t>(count) * sizeof(T); };
  const cudaMemcpyKind kind = kinds[static_cast<int>(how)];
  // a graph may hold one dimension more cheaply
  if (rows == 1)
    keep(cudaMemcpyAsync(to, from, bytes(n), kind, be.stream), where);
  else
    keep(cudaMemcpy2DAsync(to, bytes(ldt), from, bytes(ldf), bytes(n), static_cast<std::size_t>(rows), kind, be.stream),
         where);
  if (how == way::out) keep(cudaStreamSynchronize(be.stream), where);
#else
  (void)be, (void)how, (void)where;
  for (index_t i = 0; i < rows; ++i) std::copy_n(from + i * ldf, n, to + i * ldt);
#endif
}

template <class T>
struct fill_each {
  T* to;
  T value;
  UNMASK_DEVICE void operator()(index_t i) const { to[i] = value; }
};

}  // namespace detail

template <class T>
void fill(const cuda& be, T* to, index_t n, std::type_identity_t<T> value, call_site where = call_site::here()) {
  launch_each(be, n, detail::fill_each<T>{to, value}, where);
}
template <class T>
void copy(const cuda& be, T* to, const T* from, index_t n, call_site where = call_site::here()) {
  detail::move(be, to, from, {1, n, n, n}, detail::way::within, where);
}
template <class T>
void copy_rows(const cuda& be, T* to, index_t ldt, const T* from, index_t ldf, index_t rows, index_t n,
               call_site where = call_site::here()) {
  detail::move(be, to, from, {rows, n, ldt, ldf}, detail::way::within, where);
}
template <class T>
void upload(const cuda& be, T* to, const T* from, index_t n, call_site where = call_site::here()) {
  detail::move(be, to, from, {1, n, n, n}, detail::way::in, where);
}
template <class T>
void download(const cuda& be, T* to, const T* from, index_t n, call_site where = call_site::here()) {
  detail::move(be, to, from, {1, n, n, n}, detail::way::out, where);
}

}  // namespace unmask::inline UNMASK_ABI
