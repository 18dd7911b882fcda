#pragma once

/// Compressed bytes of a file on their way through zlib: what the readers of MATLAB's elements and of zip archives
/// share.

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>

#include "input_file.hpp"

namespace unmask::inline UNMASK_ABI::io::detail {

class deflated_input {
 public:
  /// `window`: zlib's window bits; negative for data without its header. Null where zlib has no memory.
  static std::unique_ptr<deflated_input> begin(int window) {
    std::unique_ptr<deflated_input> d(new deflated_input);
    d->ready_ = ::inflateInit2(&d->z, window) == Z_OK;
    if (!d->ready_) d.reset();
    return d;
  }
  ~deflated_input() {
    if (ready_) ::inflateEnd(&z);
  }
  deflated_input(const deflated_input&) = delete;
  deflated_input& operator=(const deflated_input&) = delete;

  /// Whether there is input; takes the file's next bytes where there is none, at most the `left` of them.
  bool refill(input_file& file, std::uint64_t& left) {
    if (z.avail_in > 0) return true;
    const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(left, input_.size()));
    if (n == 0 || !file.read(input_.data(), n)) return false;
    left -= n;
    z.next_in = input_.data(), z.avail_in = static_cast<uInt>(n);
    return true;
  }

  z_stream z{};

 private:
  deflated_input() = default;

  bool ready_ = false;
  std::array<unsigned char, 16384> input_{};
};

}  // namespace unmask::inline UNMASK_ABI::io::detail
