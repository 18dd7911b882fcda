#pragma once

/// The bytes of one top-level element of a MATLAB v5 file, inflated on the fly where the element is compressed, and
/// never beyond the end that the element's own length states.

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <memory>
#include <optional>

#include "deflated_input.hpp"

namespace unmask::inline UNMASK_ABI::io::detail {

class matlab_stream {
 public:
  /// Reads the element's tag at `position` (and, where it is compressed, the tag inside).
  static std::optional<matlab_stream> open(input_file& file, std::uint64_t position) {
    matlab_stream s;
    s.file_ = &file;
    std::array<char, 2> order{};
    if (!file.seek(126) || !file.read(order.data(), 2) || !file.seek(position)) return std::nullopt;
    if (!(order[0] == 'I' && order[1] == 'M') && !(order[0] == 'M' && order[1] == 'I')) return std::nullopt;
    const std::uint16_t native = 0x4d49;  // "MI" as a number of the machine that wrote the file
    std::uint16_t found;
    std::memcpy(&found, order.data(), 2);
    s.swap_ = found != native;
    s.raw_left_ = 8;
    const auto type = s.number(), bytes = s.number();
    if (!type || !bytes) return std::nullopt;
    s.end_ = position + 8 + *bytes;
    s.raw_left_ = *bytes;
    s.type_ = *type;
    if (*type != 15) return s;
    s.inflater_ = deflated_input::begin(MAX_WBITS);
    if (!s.inflater_) return std::nullopt;
    s.left_ = 8;
    const auto inner = s.number(), inner_bytes = s.number();
    if (!inner || !inner_bytes) return std::nullopt;
    s.type_ = *inner;
    s.left_ = *inner_bytes;
    return s;
  }

  bool is_matrix() const { return type_ == 14; }
  std::uint64_t end() const { return end_; }

  bool read(void* to, std::size_t bytes) {
    if (!inflater_) {
      if (bytes > raw_left_) return false;
      raw_left_ -= bytes;
      return file_->read(to, bytes);
    }
    if (bytes > left_) return false;
    left_ -= bytes;
    return inflate(to, bytes);
  }

  bool skip(std::uint64_t bytes) {
    unsigned char waste[256];
    for (; bytes > 0; bytes -= std::min<std::uint64_t>(bytes, sizeof waste))
      if (!read(waste, static_cast<std::size_t>(std::min<std::uint64_t>(bytes, sizeof waste)))) return false;
    return true;
  }

  std::uint32_t native(std::uint32_t n) const {
    return swap_ ? (n >> 24) | (n >> 8 & 0xff00) | (n << 8 & 0xff0000) | (n << 24) : n;
  }

  std::optional<std::uint32_t> number() {
    std::uint32_t n;
    if (!read(&n, 4)) return std::nullopt;
    return native(n);
  }

  /// A stored number of a given type code.
  template <class T>
  T convert(std::uint32_t type, const unsigned char* from) const {
    switch (type) {
      case 1:
        return load<T, std::int8_t>(from);
      case 2:
        return load<T, std::uint8_t>(from);
      case 3:
        return load<T, std::int16_t>(from);
      case 4:
        return load<T, std::uint16_t>(from);
      case 5:
        return load<T, std::int32_t>(from);
      case 6:
        return load<T, std::uint32_t>(from);
      case 7:
        return load<T, float>(from);
      case 9:
        return load<T, double>(from);
      case 12:
        return load<T, std::int64_t>(from);
      case 13:
        return load<T, std::uint64_t>(from);
      default:
        return T{};
    }
  }

  /// Runs a compressed element to its end, which is where zlib compares the checksum. Behind the numbers of a real
  /// array there is only padding: a tail that inflates to gigabytes is no part of it.
  bool finish() { return !inflater_ || (left_ <= most_padding && skip(left_) && at_end()); }

 private:
  static constexpr std::uint64_t most_padding = 64;

  bool refill() { return inflater_->refill(*file_, raw_left_); }

  bool inflate(void* to, std::size_t bytes) {
    z_stream& z = inflater_->z;
    z.next_out = static_cast<Bytef*>(to);
    z.avail_out = static_cast<uInt>(bytes);
    while (z.avail_out > 0) {
      if (ended_ || !refill()) return false;
      const int code = ::inflate(&z, Z_NO_FLUSH);
      if (code == Z_STREAM_END) {
        ended_ = true;
        return z.avail_out == 0;
      }
      if (code != Z_OK) return false;
    }
    return true;
  }

  bool at_end() {
    z_stream& z = inflater_->z;
    unsigned char extra;
    while (!ended_) {
      z.next_out = &extra;
      z.avail_out = 1;
      if (!refill()) return false;
      const int code = ::inflate(&z, Z_NO_FLUSH);
      if (code == Z_STREAM_END) return z.avail_out != 0;
      if (code != Z_OK || z.avail_out == 0) return false;
    }
    return true;
  }

  template <class T, class From>
  T load(const unsigned char* from) const {
    unsigned char bytes[sizeof(From)];
    std::memcpy(bytes, from, sizeof bytes);
    if (swap_) std::reverse(std::begin(bytes), std::end(bytes));
    From value;
    std::memcpy(&value, bytes, sizeof value);
    return static_cast<T>(value);
  }

  input_file* file_ = nullptr;
  bool swap_ = false;
  bool ended_ = false;  ///< zlib saw the end of the stream and its checksum was right
  std::uint32_t type_ = 0;
  std::uint64_t end_ = 0;
  std::uint64_t raw_left_ = 0;  ///< bytes of the element not yet taken from the file
  std::uint64_t left_ = 0;      ///< bytes of the inflated element not yet handed out
  std::unique_ptr<deflated_input> inflater_;
};

}  // namespace unmask::inline UNMASK_ABI::io::detail
