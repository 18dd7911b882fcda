#pragma once

/// Numbers, texts and arrays as bytes one behind another, for the way between two processes.

#include <algorithm>
#include <cstring>
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

#include "../core/finite.hpp"
#include "../core/tensor.hpp"
#include "variables.hpp"

namespace unmask::inline UNMASK_ABI::io::detail {

class packer {
 public:
  template <class T>
  requires std::is_arithmetic_v<T> packer& add(T value) {
    append(std::as_bytes(std::span(&value, 1)));
    return *this;
  }
  template <class T>
  requires std::is_arithmetic_v<T> packer& add(const std::vector<T>& values) {
    add(static_cast<std::uint64_t>(values.size()));
    append(std::as_bytes(std::span(values)));
    return *this;
  }
  packer& add(const std::string& text) { return add(std::vector<char>(text.begin(), text.end())); }
  packer& add(const std::vector<std::string>& texts) {
    add(static_cast<std::uint64_t>(texts.size()));
    for (const std::string& text : texts) add(text);
    return *this;
  }
  /// What tells a variable to people; where it lies in its file is not sent.
  packer& add(const variable_info& v) {
    std::vector<std::string> attributes;
    for (const auto& [name, text] : v.attributes) attributes.insert(attributes.end(), {name, text});
    return add(v.name).add(std::vector<std::int64_t>(v.shape.begin(), v.shape.end())).add(v.type).add(attributes);
  }
  template <std::size_t Rank>
  packer& add(const tensor<float, Rank>& array) {
    add(std::vector<std::int64_t>(array.extents().begin(), array.extents().end()));
    append(std::as_bytes(std::span(array.data(), static_cast<std::size_t>(array.size()))));
    return *this;
  }
  std::vector<std::byte> bytes;

 private:
  void append(std::span<const std::byte> more) { bytes.insert(bytes.end(), more.begin(), more.end()); }
};

/// The way back. The sender may be in the hands of whoever built the file: every length is checked, numbers of arrays
/// are finite, texts have no control characters.
class unpacker {
 public:
  explicit unpacker(std::span<const std::byte> bytes) : left_(bytes) {}

  template <class T>
  requires std::is_arithmetic_v<T>
  bool take(T& value) {
    static_assert(!std::is_same_v<T, bool>, "a byte that is neither 0 nor 1 is no bool");
    return copy(&value, sizeof value);
  }
  template <class T>
  requires std::is_arithmetic_v<T>
  bool take(std::vector<T>& values) {
    std::uint64_t count = 0;
    if (!take(count) || count > left_.size() / sizeof(T)) return false;
    values.resize(static_cast<std::size_t>(count));
    return copy(values.data(), values.size() * sizeof(T));
  }
  bool take(std::string& text) {
    std::vector<char> letters;
    if (!take(letters)) return false;
    text = printable({letters.data(), letters.size()}, most_text);
    return true;
  }
  bool take(std::vector<std::string>& texts) {
    std::uint64_t count = 0;
    if (!take(count) || count > left_.size() / sizeof count) return false;
    texts.resize(static_cast<std::size_t>(count));
    return std::all_of(texts.begin(), texts.end(), [&](std::string& text) { return take(text); });
  }
  bool take(variable_info& v) {
    std::vector<std::int64_t> shape;
    std::vector<std::string> attributes;
    if (!take(v.name) || !take(shape) || !take(v.type) || !take(attributes) || attributes.size() % 2 != 0) return false;
    v.shape.assign(shape.begin(), shape.end());
    v.attributes.clear();
    for (std::size_t i = 0; i < attributes.size(); i += 2)
      v.attributes.emplace_back(std::move(attributes[i]), std::move(attributes[i + 1]));
    return true;
  }
  template <std::size_t Rank>
  bool take(tensor<float, Rank>& array) {
    std::vector<std::int64_t> found;
    if (!take(found) || found.size() != Rank) return false;
    std::array<index_t, Rank> extents{};
    std::int64_t count = 1;
    for (std::size_t d = 0; d < Rank; ++d) {
      if (found[d] <= 0 || found[d] > max_elements / count) return false;
      count *= found[d];
      extents[d] = static_cast<index_t>(found[d]);
    }
    if (static_cast<std::uint64_t>(count) > left_.size() / sizeof(float)) return false;
    array = tensor<float, Rank>(extents);
    if (!copy(array.data(), static_cast<std::size_t>(count) * sizeof(float))) return false;
    return std::all_of(array.begin(), array.end(), [](float x) { return is_finite(x); });
  }
  bool done() const { return left_.empty(); }

 private:
  static constexpr std::size_t most_text = std::size_t{1} << 24;

  bool copy(void* to, std::size_t count) {
    if (count > left_.size()) return false;
    if (count > 0) std::memcpy(to, left_.data(), count);
    left_ = left_.subspan(count);
    return true;
  }
  std::span<const std::byte> left_;
};

}  // namespace unmask::inline UNMASK_ABI::io::detail
